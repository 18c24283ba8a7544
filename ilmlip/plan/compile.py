"""From specs to one plan. Only what some model or test needs becomes a task."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import ValidationError

from ilmlip.chemistry.compositions import counts_of, fraction_label, ideal_density, set_label
from ilmlip.errors import SpecError
from ilmlip.hashing import digest, identity, plain
from ilmlip.plan.graph import Plan
from ilmlip.plan.task import Task
from ilmlip.record import Record
from ilmlip.spec.dft import Dft
from ilmlip.spec.model import Model
from ilmlip.spec.study import Study
from ilmlip.spec.types import Spec
from ilmlip.stages import stage

About = dict[str, str | int | float]
TRAINING, TESTING = 0, 1
"""The two independent structures of a composition."""
SOME = 1e-9
"""A quorum of at least one: a table shows what there is, and says what is missing."""
LARGEST_SEED = 10**8
"""LAMMPS takes seeds of up to eight digits everywhere."""


def compile_study(specs: Sequence[Spec], swept: Sequence[Mapping[str, Any]] = ()) -> Plan:
    """The union of the tasks of all points of a study (at least one).

    `swept` holds what was swept to make each point; trainings are told about it, for people.
    """
    plan = Plan(specs[0].name)
    fronts: dict[tuple[int, ...], _Frames] = {}
    for spec, values in zip(specs, swept or itertools.repeat({})):  # noqa: B905
        # sections that the sweep leaves alone are one object in all points
        parts = (spec.system, spec.compositions, spec.sampling, spec.dft, spec.dataset)
        same = tuple(map(id, parts))
        if same not in fronts:
            fronts[same] = _Frames(plan, spec)
        _Models(plan, spec, fronts[same], _about_swept(values)).compile()
    return plan


def plan_of(study: Study) -> Plan:
    """The one plan of all points of a study."""
    return compile_study(study.specs, [point.swept for point in study.points])


def study_key(specs: Sequence[Spec]) -> str:
    """Identity of a study: everything but where it runs, is stored and is tracked."""
    found = []
    for spec in specs:
        data = identity(spec)
        for name in ("cluster", "tracking", "store", "lint"):
            data.pop(name, None)
        found.append(digest("ilmlip.study", data)[:24])
    return found[0] if len(found) == 1 else digest("ilmlip.sweep", found)[:24]


def about_study(spec: Spec) -> About:
    """The main parameters of a study, with short names, for the compare view."""
    return {
        "system": spec.system.name,
        "pairs": spec.compositions.pairs,
        "frames": spec.dataset.frames,
        "labels": spec.dft.engine,
        **_about_model(spec.model),
    }


def _about_model(model: Model) -> About:
    """What people compare models by."""
    names = ("r_max", "l_max", "n_layers", "learning_rate", "batch_size", "max_steps")
    weights = {f"loss_{name}": value for name, value in plain(model.loss).items()}
    main: About = {n: getattr(model, n) for n in names}
    return {"architecture": model.architecture, **main, **weights}


def _about_swept(swept: Mapping[str, Any]) -> About:
    """Numbers and words that were swept, named as in MLflow: `model.loss.force` is loss_force."""
    return {
        key.removeprefix("model.").replace(".", "_"): value
        for key, value in swept.items()
        if isinstance(value, (str, int, float)) and not key.startswith("analysis")
    }


def _engine(dft: Dft) -> dict[str, Any]:
    """The parameters of stage `label` that say how: its engine's settings, and the stress."""
    if dft.engine == "opls":
        opls = {"cutoff": dft.cutoff, "kspace_accuracy": dft.kspace_accuracy}
        return {"opls": opls, "stress": dft.stress}
    xtb = {
        "scf_accuracy": dft.scf_accuracy,
        "electronic_temperature": dft.electronic_temperature,
    }
    return {"xtb": xtb, "stress": dft.stress}


class _Frames:
    """Makes the tasks from ions to datasets, each on demand and once; points may share them."""

    def __init__(self, plan: Plan, spec: Spec) -> None:
        self.plan, self.spec = plan, spec
        self.units = {name: dict(salt.ions) for name, salt in spec.system.salts.items()}
        self.sampled = cache(self._sampled)
        self.labels = cache(self._labels)
        self.dataset = cache(self._dataset)
        self.elements = self._elements()
        self.forcefield = self._forcefield()

    # --- configurations and labels

    def _forcefield(self) -> str:
        system = self.spec.system
        return _add(
            self.plan, "forcefield", {"ions": system.ions, "charge_scale": system.charge_scale}
        )

    def _counts(self, x: float) -> dict[str, int]:
        mix = self.spec.compositions
        return counts_of(self.units, mix.salts, mix.pairs, x)

    def _seed(self, x: float, structure: int) -> int:
        """Another seed for each structure, whatever else the study holds."""
        name = ["structure", self.spec.sampling.seed, fraction_label(x), structure]
        return 1 + int(digest("ilmlip.seed", name), 16) % (LARGEST_SEED - 1)

    def _sampled(self, x: float, structure: int) -> str:
        """The trajectory of one structure: built, equilibrated, sampled."""
        sampling, counts = self.spec.sampling, self._counts(x)
        seed = self._seed(x, structure)
        about: About = {"composition": fraction_label(x), "structure": structure}
        geometry = {name: self.spec.system.ions[name].geometry() for name in counts}
        built = _add(
            self.plan,
            "build",
            {"counts": counts, "ions": geometry, "spacing": sampling.grid_spacing, "seed": seed},
            about=about,
        )
        dynamics = {
            "temperature": sampling.temperature,
            "timestep": sampling.timestep,
            "thermostat_time": sampling.thermostat_time,
            "cutoff": sampling.cutoff,
            "kspace_accuracy": sampling.kspace_accuracy,
            "seed": seed,
        }
        equilibrated = _add(
            self.plan,
            "equilibrate",
            {
                **dynamics,
                "stages": self._protocol(),
                "barostat_time": sampling.barostat_time,
                "density": self._density(counts, x),
                "settle": sampling.settle,
            },
            {"forcefield": (self.forcefield,), "structure": (built,)},
            about=about,
        )
        return _add(
            self.plan,
            "sample",
            {**dynamics, "duration": sampling.duration, "interval": sampling.interval},
            {"forcefield": (self.forcefield,), "structure": (equilibrated,)},
            about={**about, "T": sampling.temperature, "system": self.spec.system.name},
        )

    def _labels(self, x: float, role: int) -> tuple[str, ...]:
        """The labelled frames of one structure, equally spaced, each its own task.

        With `test: same_trajectory` those to test on are the frames after those trained on.
        """
        later = role == TESTING and self.spec.dataset.test == "same_trajectory"
        structure, first = (TRAINING, self.spec.dataset.frames) if later else (role, 0)
        trajectory = self.sampled(x, structure)
        settings, needs = _engine(self.spec.dft), {"trajectory": (trajectory,)}
        if self.spec.dft.engine == "opls":
            needs = {"forcefield": (self.forcefield,), **needs}
        every = self.spec.dataset.every
        return tuple(
            _add(
                self.plan,
                "label",
                {"frame": (i + 1) * every - 1, **settings},
                needs,
                about={"composition": fraction_label(x), "structure": structure},
            )
            for i in range(first, first + self.spec.dataset.frames)
        )

    def _dataset(self, fractions: tuple[float, ...], structure: int) -> str:
        """The frames of some compositions: to train and validate on, or to test on."""
        labels = tuple(key for x in fractions for key in self.labels(x, structure))
        role = "train" if structure == TRAINING else "test"
        held = self.spec.dataset
        split = (
            {"validation_fraction": held.validation_fraction, "seed": held.seed}
            if role == "train"
            else {}
        )
        return _add(
            self.plan,
            "dataset",
            {"role": role, **split},
            {"labels": labels},
            quorum={"labels": held.quorum},
            about={"role": role, "compositions": set_label(fractions)},
        )

    def _elements(self) -> tuple[str, ...]:
        """Every element that a model may meet in the study's tests or training."""
        ions = {i for x in self.spec.compositions.all_fractions() for i in self._counts(x)}
        return tuple(sorted({a.element for i in ions for a in self.spec.system.ions[i].atoms}))

    def _protocol(self) -> list[dict[str, Any]]:
        """The stages of the equilibration with their durations scaled to whole time steps."""
        sampling = self.spec.sampling
        scale, step = sampling.equilibration.time_scale, sampling.timestep
        found = []
        for part in plain(list(sampling.equilibration.stages)):
            if "duration" in part:
                part["duration"] = max(1, round(part["duration"] * scale / step)) * step
            found.append(part)
        return found

    def _density(self, counts: Mapping[str, int], x: float) -> float:
        """Density (g/cm³) of a box whose salts keep their molar volumes."""
        mix, system = self.spec.compositions, self.spec.system
        second = round(x * mix.pairs)
        return ideal_density(
            {name: system.ions[name].mass() for name in counts},
            counts,
            [system.salts[name].molar_volume for name in mix.salts],
            [mix.pairs - second, second],
        )


class _Models:
    """Makes the tasks of one point from its datasets on."""

    def __init__(self, plan: Plan, spec: Spec, frames: _Frames, swept: About) -> None:
        self.plan, self.spec, self.frames, self.swept = plan, spec, frames, swept

    def compile(self) -> None:
        """Everything that the point's outputs need."""
        entries: list[dict[str, Any]] = []
        evaluations: list[str] = []
        for model in self._models():
            for x in self.spec.compositions.fractions:
                evaluations.append(self._evaluate(model, x))
                entries.append({**model["entry"], "composition": fraction_label(x)})
        self._outputs(entries, tuple(evaluations))

    def _models(self) -> list[dict[str, Any]]:
        """Every model of the study: a network a seed, and the linear one, for each training set."""
        found: list[dict[str, Any]] = []
        model = self.spec.model
        for fractions in self.spec.compositions.training:
            name = set_label(fractions)
            data = self.frames.dataset(fractions, TRAINING)
            about: About = {
                "training": name,
                **self.swept,
                **about_study(self.spec),
                "dataset": data,
            }
            for seed in model.seeds:
                entry = {"model": name, "kind": model.architecture, "seed": seed}
                key = _add(
                    self.plan,
                    "train",
                    {"training": model.training(seed), "elements": self.frames.elements},
                    {"dataset": (data,)},
                    about={**about, "kind": model.architecture, "seed": seed},
                )
                found.append({"key": key, "kind": "nequip", "entry": entry})
            if model.linear:
                key = _add(
                    self.plan,
                    "fit_linear",
                    {},
                    {"dataset": (data,)},
                    about={**about, "kind": "linear"},
                )
                entry = {"model": name, "kind": "linear", "seed": None}
                found.append({"key": key, "kind": "linear", "entry": entry})
        return found

    def _evaluate(self, model: Mapping[str, Any], x: float) -> str:
        tests = self.frames.dataset((x,), TESTING)
        entry = {name: value for name, value in model["entry"].items() if value is not None}
        entry["training"] = entry.pop("model")
        return _add(
            self.plan,
            "evaluate",
            {"kind": model["kind"]},
            {"model": (model["key"],), "dataset": (tests,)},
            about={**entry, "composition": fraction_label(x), "model": model["key"]},
        )

    def _outputs(self, entries: list[dict[str, Any]], evaluations: tuple[str, ...]) -> None:
        trained = {
            set_label(xs): [fraction_label(x) for x in xs] for xs in self.spec.compositions.training
        }
        needs, some = {"evaluations": evaluations}, {"evaluations": SOME}
        params: dict[str, Any] = {"entries": entries, "trained": trained}
        key = _add(self.plan, "matrix", params, needs, quorum=some)
        outputs = {"matrix": (key, "matrix.csv"), "figure": (key, "matrix.png")}
        self.plan.outputs.append(outputs)
        asked = self.spec.analysis.findings
        if asked is None:
            return
        params = {
            **plain(asked),
            "one": set_label(asked.one),
            "two": set_label(asked.two),
            "far": fraction_label(asked.far),
            "near": [fraction_label(x) for x in asked.near],
            "entries": entries,
        }
        found = _add(self.plan, "findings", params, needs, quorum=some)
        outputs["findings"] = (found, "findings.json")


def _add(
    plan: Plan,
    name: str,
    params: Mapping[str, Any],
    needs: Mapping[str, tuple[str, ...]] | None = None,
    *,
    quorum: Mapping[str, float] | None = None,
    about: Mapping[str, str | int | float] | None = None,
) -> str:
    kind = stage(name)
    try:
        record: Record = kind.params.model_validate(params)
    except ValidationError as error:  # values that are fine one by one, and not together
        first = error.errors(include_url=False)[0]
        place = ".".join(["stage", name, *map(str, first["loc"])])
        raise SpecError(place, f"{first['msg']}, found {first['input']!r}; it follows from the spec's "
                        "numbers: look for one that is far too large or small") from None  # fmt: skip
    task = Task(name, kind.version, record, needs or {}, quorum or {}, about or {})
    return plan.add(task)
