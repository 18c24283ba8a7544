"""The frozen, validated spec: one class a config group. Each field has a unit and a description."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ilmlip.errors import SpecError
from ilmlip.record import Record, field
from ilmlip.spec.checks import check
from ilmlip.spec.cluster import Cluster, Tracking
from ilmlip.spec.derived import Derived
from ilmlip.spec.dft import Dft
from ilmlip.spec.mixtures import Composition, Compositions
from ilmlip.spec.model import Model
from ilmlip.spec.system import Name, System

MOST_STEPS = 1e15
"""Time steps of a run: more than any computer will do, and few enough to count exactly."""


class Minimise(Record):
    """An energy minimisation."""

    minimise: Literal[True] = field("Minimise the energy")


class Npt(Record):
    """A stretch of NPT dynamics with linear ramps."""

    duration: float = field("Duration before scaling", unit="fs", gt=0)
    temperature: tuple[float, float] = field("Temperature, start and end", unit="K")
    pressure: tuple[float, float] = field("Pressure, start and end", unit="bar")


class Equilibration(Record):
    """How a packed box becomes a liquid: a protocol of stages, then the stated density."""

    time_scale: float = field("Factor on the durations of all stages", gt=0, le=1, default=1.0)
    stages: tuple[Minimise | Npt, ...] = field("The stages in sequence")
    source: str = field("Where the protocol comes from", default="")


class Sampling(Record):
    """Classical molecular dynamics that yields the configurations."""

    grid_spacing: float = field("Spacing of the grid that ions are packed on", unit="Å", gt=0)
    equilibration: Equilibration = field("From the packed box to the liquid")
    settle: float = field("NVT at the stated density after the protocol", unit="fs", gt=0)
    temperature: float = field("Temperature of the sampling", unit="K", gt=0)
    timestep: float = field("Time step", unit="fs", gt=0, le=5)
    duration: float = field("Length of a sampling run", unit="fs", gt=0)
    interval: float = field("Time between frames that are kept", unit="fs", gt=0)
    thermostat_time: float = field("Nosé–Hoover damping time of the temperature", unit="fs", gt=0)
    barostat_time: float = field("Nosé–Hoover damping time of the pressure", unit="fs", gt=0)
    cutoff: float = field("Cutoff of Lennard-Jones and real-space Coulomb", unit="Å", gt=0)
    kspace_accuracy: float = field("Relative accuracy of PPPM forces", gt=0, lt=1)
    seed: int = field("Seed of packing and velocities", ge=1, le=10**8, default=1)
    ensemble: Literal["nvt", "npt"] = field(
        "nvt: at the density of an ideal mixture; npt: at the pressure", default="nvt", later=True
    )
    pressure: float | None = field("Pressure (npt)", unit="bar", default=None, later=True)
    temperatures: tuple[Annotated[float, Field(gt=0)], ...] = field(
        "Temperatures, a trajectory of each structure for each; empty: `temperature` alone",
        unit="K",
        default=(),
        later=True,
    )
    tail: bool = field(
        "Mean-field correction of energy and pressure for Lennard-Jones beyond the cutoff, where "
        "it then is cut and not shifted to zero",
        default=False,
        later=True,
    )

    @model_validator(mode="after")
    def _pressure_is_of_npt(self) -> Self:
        if self.ensemble == "npt" and self.pressure is None:
            raise SpecError("sampling.pressure", "is missing; npt needs it, such as 1.01325 bar")
        if self.ensemble == "nvt" and self.pressure is not None:
            raise SpecError(
                "sampling.pressure", "has no meaning for nvt; leave it out, or set ensemble=npt"
            )
        if len(set(self.temperatures)) < len(self.temperatures):
            raise SpecError(
                "sampling.temperatures", f"{list(self.temperatures)} has one twice; give each once"
            )
        return self

    def all_temperatures(self) -> tuple[float, ...]:
        """Every temperature that is sampled at."""
        return self.temperatures or (self.temperature,)

    @model_validator(mode="after")
    def _whole_steps(self) -> Self:
        for name in ("duration", "interval"):
            steps = getattr(self, name) / self.timestep
            if steps > MOST_STEPS:
                raise SpecError(
                    f"sampling.{name}", f"is {steps:g} time steps; at most {MOST_STEPS:g}"
                )
            if abs(steps - round(steps)) > 1e-6 * steps or round(steps) < 1:
                raise SpecError(
                    f"sampling.{name}",
                    f"{getattr(self, name):g} fs is {steps:g} steps of {self.timestep:g} fs; "
                    "give a whole number of steps",
                )
        return self

    def frames(self) -> int:
        """Frames in a trajectory."""
        return round(self.duration / self.timestep) // round(self.interval / self.timestep)


class Dataset(Record):
    """Which frames are labelled, and how they are split."""

    frames: int = field("Labelled frames a composition and structure", ge=1)
    every: int = field(
        "Every how-many-th kept frame is labelled; more frames then add to those there are", ge=1
    )
    validation_fraction: float = field(
        "Share of the training structure's frames held out to validate", gt=0, lt=1
    )
    quorum: float = field("Share of labels that is enough to go on", gt=0, le=1, default=0.95)
    seed: int = field("Seed of the split", ge=0, default=0)
    test: Literal["independent", "same_trajectory"] = field(
        "Where test frames come from: a structure of their own, or the later part of the "
        "trajectory that is trained on",
        default="independent",
        later=True,
    )
    derived: tuple[Derived, ...] = field(
        "What the data set is made of, at most one entry a kind; empty: the sampled frames",
        default=(),
        max_length=5,
        later=True,
    )

    @model_validator(mode="after")
    def _each_kind_once(self) -> Self:
        kinds = [part.kind for part in self.derived]
        if len(set(kinds)) < len(kinds):
            raise SpecError("dataset.derived", f"{kinds} has a kind twice; give each once")
        return self


class Findings(Record):
    """What the study must show: one training set against another, over seeds."""

    one: tuple[Composition, ...] = field("The training set with too few compositions")
    two: tuple[Composition, ...] = field("The training set with enough")
    far: Composition = field("The test composition far from both")
    near: tuple[Composition, ...] = field("The test compositions that `two` must do well on")
    ions: tuple[str, str] = field("The ions whose energy difference is undetermined by `one`")
    far_factor: float = field(
        "Least ratio of the energy MAE at `far`, one to two", gt=0, default=5.0
    )
    spread_factor: float = field(
        "Least ratio of the spread over seeds of the ions' energy difference", gt=0, default=5.0
    )
    near_factor: float = field(
        "Greatest ratio of energy MAEs of `two` over `near`", gt=1, default=5.0
    )
    force_tolerance: float = field(
        "Greatest relative difference of the force MAEs, at every composition", gt=0, default=0.3
    )


class Objective(Record):
    """One number of a point's matrix, for a sweeper that optimises: lower is better."""

    quantity: str = field("Quantity of matrix.csv, such as energy_mae, force_mae, force_mae_Li")
    training: tuple[Composition, ...] | None = field(
        "The training set; null: the mean over all", default=None
    )
    composition: Composition | None = field(
        "The test composition; null: the mean over all", default=None
    )


class Analysis(Record):
    """What is made of the evaluations."""

    findings: Findings | None = field("The findings to test; none if absent", default=None)
    objective: Objective | None = field(
        "What a sweeper such as Optuna minimises; none if absent", default=None, later=True
    )


class Ensemble(Record):
    """Molecular dynamics with the trained model. Checked by lint; not run by this version."""

    kind: Literal["none", "nvt", "npt"] = field("none: no dynamics with the model; nvt; npt")
    temperature: float | None = field("Temperature", unit="K", gt=0, default=None)
    pressure: float | None = field("Pressure (npt)", unit="bar", default=None)
    timestep: float | None = field("Time step", unit="fs", gt=0, le=5, default=None)
    duration: float | None = field("Length of a run", unit="fs", gt=0, default=None)
    thermostat_time: float | None = field(
        "Damping time of the thermostat", unit="fs", gt=0, default=None
    )
    barostat_time: float | None = field(
        "Damping time of the barostat (npt)", unit="fs", gt=0, default=None
    )

    @model_validator(mode="after")
    def _fits_the_kind(self) -> Self:
        always = ("temperature", "timestep", "duration", "thermostat_time")
        needed = {
            "none": (),
            "nvt": always,
            "npt": (*always, "pressure", "barostat_time"),
        }[self.kind]
        for name in (*always, "pressure", "barostat_time"):
            given = getattr(self, name) is not None
            if name in needed and not given:
                raise SpecError(f"ensemble.{name}", f"is missing; {self.kind} needs it")
            if given and name not in needed:
                raise SpecError(f"ensemble.{name}", f"has no meaning for {self.kind}; leave it out")
        return self


class Lint(Record):
    """What lint is to leave unsaid, each with the reason why that is right here."""

    silence: dict[str, Annotated[str, Field(min_length=1, max_length=500)]] = field(
        "Reason for each code of a finding that is silenced", default={}
    )


class Spec(Record):
    """A whole experiment: what `ilmlip run` compiles into a plan."""

    name: Name = field("Name of the study; the MLflow experiment is called so")
    description: str = field("What the study is for", default="")
    store: str = field("Folder of the store, from where ilmlip is started", default="store")
    system: System = field("Ions, salts and force field")
    compositions: Compositions = field("Mixtures, and which are trained on")
    sampling: Sampling = field("Classical dynamics that yields configurations")
    dft: Dft = field("Engine of the labels")
    dataset: Dataset = field("Frames and splits")
    model: Model = field("Model and training")
    ensemble: Ensemble = field(
        "Dynamics with the trained model", default=Ensemble(kind="none"), later=True
    )
    analysis: Analysis = field("Findings to test", default=Analysis())
    lint: Lint = field("Findings of lint that are silenced", default=Lint(), later=True)
    cluster: Cluster = field("Where jobs run")
    tracking: Tracking = field("Where runs are logged", default=Tracking())

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        check(self)
        return self
