"""The model and its training: what the spec's section `model` holds."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ilmlip.errors import SpecError
from ilmlip.record import Record, field
from ilmlip.spec.own import check_own

Count = Annotated[int, Field(ge=1, le=4096)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]

NativeName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
NativeValue = bool | int | float | Annotated[str, Field(max_length=200)] | tuple[int | float, ...]
"""A value, and never a mapping: nequip makes objects of mappings that name a `_target_`."""

NAMED = {
    "seed": "seeds", "model_dtype": "dtype", "r_max": "r_max", "l_max": "l_max", "parity": "parity",
    "num_layers": "n_layers", "num_features": "n_features", "num_bessels": "n_bessels",
    "radial_mlp_width": "mlp_width", "num_scalar_features": "n_scalar_features",
    "num_tensor_features": "n_tensor_features", "radial_chemical_embed": "n_bessels",
    "scalar_embed_mlp_hidden_layers_width": "mlp_width",
    "allegro_mlp_hidden_layers_width": "mlp_width",
    "readout_mlp_hidden_layers_width": "mlp_width",
    "per_type_energy_shifts": "shifts", "per_type_energy_scales": "", "type_names": "",
    "avg_num_neighbors": "", "pair_potential": "zbl",
}  # fmt: skip
"""Arguments of nequip's builders that a field says already, or that follow from the data (empty)."""

_OWN = {"nequip": ("n_features",), "allegro": ("n_scalar_features", "n_tensor_features")}
"""Fields that one architecture needs and the others do not have."""


E0 = {"isolated": "isolated", "regression": "least_squares", "none": "zero"}
"""The shifts that each dft.e0 stands for."""


class Loss(Record):
    """Relative weights of the mean squared errors in the loss; nequip scales them to sum to 1."""

    force: float = field("Weight of the forces, in (eV/Å)²", ge=0, default=1.0)
    energy: float = field("Weight of the energy per atom, in eV²", ge=0, default=1.0)
    stress: float = field("Weight of the stress, in (eV/Å³)²", ge=0, default=0.0)

    @model_validator(mode="after")
    def _something_to_learn(self) -> Self:
        if self.force + self.energy + self.stress == 0:
            raise SpecError("model.loss", "all weights are 0; give at least one above 0")
        return self


class Recipe(Record):
    """The network and how it is trained: every field changes what is learnt."""

    architecture: Literal["nequip", "allegro"] = field("Architecture: nequip or allegro")
    r_max: float = field("Cutoff radius", unit="Å", gt=0, le=1000)
    l_max: int = field("Highest rotation order of the features", ge=0, le=6)
    n_layers: int = field("Interaction layers", ge=1, le=32)
    parity: bool = field("Whether features of both parities are kept")
    n_features: Count | tuple[Count, ...] | None = field(
        "nequip: features of each rotation order; one number, or one for each l from 0 to l_max",
        default=None,
    )
    n_scalar_features: Count | None = field("allegro: scalar features", default=None)
    n_tensor_features: Count | None = field("allegro: tensor features", default=None)
    n_bessels: Count = field("Bessel functions of the radial basis", default=8)
    mlp_width: Count = field("Width of the hidden layers of the radial (allegro: all) networks")
    loss: Loss = field("Weights of the loss", default=Loss())
    learning_rate: float = field("Learning rate of Adam at the start", gt=0, le=1)
    schedule: Literal["constant", "cosine", "plateau"] = field(
        "The learning rate over the steps: cosine goes down to zero; plateau falls by a factor when "
        "the validation error has not",
        default="cosine",
    )
    plateau_factor: float = field(
        "plateau: the factor that the learning rate falls by", gt=0, lt=1, default=0.5, later=True
    )
    plateau_patience: int = field(
        "plateau: epochs without a smaller validation error before it falls",
        ge=1,
        default=10,
        later=True,
    )
    batch_size: int = field("Frames in a batch", ge=1)
    max_steps: int = field("Optimiser steps", ge=1)
    early_stopping: int | None = field(
        "The training ends after so many epochs without a smaller validation error; null: never",
        ge=1,
        default=None,
        later=True,
    )
    max_hours: float | None = field(
        "The training ends after so many hours, wherever it is then, so that its result depends on "
        "the machine; null: never",
        gt=0,
        le=10_000,
        default=None,
        later=True,
    )
    ema_decay: float | None = field(
        "Decay of the running average of the weights, which then is the model; null: none",
        gt=0,
        lt=1,
        default=None,
    )
    gradient_clip: float | None = field(
        "Greatest norm of the gradient; null: not clipped", gt=0, default=None
    )
    dtype: Literal["float32", "float64"] = field("Precision of the network", default="float32")
    shifts: Literal["zero", "mean", "least_squares", "isolated"] = field(
        "Energies of the elements that the network starts from: zero; the mean energy per atom, "
        "for all the same; least squares over the training frames, minimum norm; isolated, those of "
        "single atoms (set dft.e0=isolated)",
        default="least_squares",
    )
    refit_shifts: bool = field(
        "Whether the shifts are solved again on the residuals of the trained network", default=True
    )
    zbl: bool = field(
        "Whether the repulsion of nuclei (Ziegler, Biersack, Littmark) is added to the network, for "
        "atoms closer than any in the frames",
        default=False,
        later=True,
    )
    native: dict[NativeName, NativeValue] = field(
        "Further arguments of nequip's model builder by its own names, such as radial_mlp_depth: "
        "numbers, words or lists of numbers",
        default={},
        later=True,
    )

    @model_validator(mode="after")
    def _native_is_new(self) -> Self:
        for name, value in self.native.items():
            if name in NAMED:
                said = f"set model.{NAMED[name]}" if NAMED[name] else "it follows from the data"
                raise SpecError(f"model.native.{name}", f"is not yours to give here; {said}")
            if isinstance(value, str) and "$" in value:
                raise SpecError(f"model.native.{name}", f"found {value!r}; nequip would resolve it")
        return self

    @model_validator(mode="after")
    def _fits_the_architecture(self) -> Self:
        check_own(self, "model", "architecture", _OWN)
        if isinstance(self.n_features, tuple) and len(self.n_features) != self.l_max + 1:
            raise SpecError(
                "model.n_features",
                f"has {len(self.n_features)} numbers; l_max {self.l_max} needs {self.l_max + 1}, "
                "one for each rotation order, or a single number for all",
            )
        return self


class Packaged(Record):
    """A packaged model by what it holds."""

    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = field(
        "SHA-256 of the file; empty: whatever it holds (`freeze` writes it)", default=""
    )


class FineTune(Packaged):
    """The packaged model that trainings start from."""

    package: Annotated[str, Field(max_length=1000, pattern=r"\.nequip\.zip$")] = field(
        "A packaged model (.nequip.zip), relative to the spec's folder, with the network that the "
        "recipe describes. To train from it runs the code that lies in it"
    )


class Training(Recipe):
    """One training: a recipe and its seed."""

    seed: Seed = field("Seed of the initial weights and of the order of the frames")
    fine_tune: Packaged | None = field(
        "The packaged model whose weights it starts from", default=None, later=True
    )


class Model(Recipe):
    """The recipe, and which models are made by it."""

    seeds: tuple[Seed, ...] = field(
        "Seeds; each is a training of its own. None at all, and no linear model: the study ends "
        "with its data sets"
    )
    committee: int | None = field(
        "The first so many seeds of each training set also predict together: their mean, and their "
        "spread; null: none",
        ge=2,
        default=None,
        later=True,
    )
    committee_splits: bool = field(
        "Whether each seed also holds out other frames to validate (dataset.seed, and one more for "
        "each seed after the first)",
        default=False,
        later=True,
    )
    fine_tune: FineTune | None = field(
        "Trainings start from the weights of a packaged model, whose elements, scales and energies "
        "of the elements they take over; `shifts` then says how those energies are corrected first: "
        "zero leaves them, mean and least_squares solve what the packaged model leaves on the "
        "training frames; null: from new weights",
        default=None,
        later=True,
    )
    linear: bool = field("Whether the model without a network stands beside", default=True)
    package: bool = field(
        "Whether each trained model is packaged for nequip, model.nequip.zip, and put into MLflow",
        default=False,
        later=True,
    )
    compiled: bool = field(
        "Whether each trained model is compiled for ASE and this machine's kind of processor, "
        "model.nequip.pt2; left out where there is no C++ compiler",
        default=False,
        later=True,
    )

    @model_validator(mode="after")
    def _each_seed_once(self) -> Self:
        if len(set(self.seeds)) != len(self.seeds):
            raise SpecError("model.seeds", f"{list(self.seeds)} has a seed twice; give each once")
        return self

    @model_validator(mode="after")
    def _corrects_what_was_packaged(self) -> Self:
        if self.fine_tune is not None and self.shifts == "isolated":
            raise SpecError(
                "model.shifts",
                "is isolated, and a model that is fine-tuned has energies of its elements already: "
                "set model.shifts to least_squares, mean or zero",
            )
        return self

    @model_validator(mode="after")
    def _committee_has_its_members(self) -> Self:
        if self.committee is not None and self.committee > len(self.seeds):
            raise SpecError(
                "model.committee",
                f"is {self.committee}, and model.seeds has {len(self.seeds)}: give a seed for each "
                "member, or a smaller committee",
            )
        if self.committee_splits and self.committee is None:
            raise SpecError("model.committee_splits", "is true without a committee; set its size")
        return self

    def training(self, seed: int, e0: str | None = None) -> Training:
        """The training of one seed; the others have no part in it. `e0` as in section dft."""
        chosen = {name: getattr(self, name) for name in Recipe.model_fields}
        if e0 is not None:
            chosen["shifts"] = E0[e0]
            # energies of single atoms are kept as they are, and none stays none
            chosen["refit_shifts"] = self.refit_shifts and e0 == "regression"
        if self.fine_tune is not None:
            chosen["fine_tune"] = Packaged(sha256=self.fine_tune.sha256)
        return Training(seed=seed, **chosen)
