"""From specs to one plan. Only what some model or test needs becomes a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from ilmlip.chemistry.compositions import counts_of, fraction_label, ideal_density, set_label
from ilmlip.hashing import digest, identity, plain
from ilmlip.plan.graph import Plan
from ilmlip.plan.task import Task
from ilmlip.record import Record
from ilmlip.spec.model import Model
from ilmlip.spec.types import Dft, Spec
from ilmlip.stages import stage

About = dict[str, str | int | float]
TRAINING, TESTING = 0, 1
"""The two independent structures of a composition."""
SOME = 1e-9
"""A quorum of at least one: a table shows what there is, and says what is missing."""
LARGEST_SEED = 10**8
"""LAMMPS takes seeds of up to eight digits everywhere."""


def compile_study(specs: Sequence[Spec]) -> Plan:
    """The union of the tasks of all points of a study (at least one)."""
    plan = Plan(specs[0].name)
    for index, spec in enumerate(specs):
        _Compiler(plan, spec, index).compile()
    return plan


def study_key(spec: Spec) -> str:
    """Identity of a study: everything but where it runs, is stored and is tracked."""
    data = identity(spec)
    for name in ("cluster", "tracking", "store", "lint"):
        data.pop(name, None)
    return digest("ilmlip.study", data)[:24]


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


class _Compiler:
    """Makes the tasks of one point, each on demand and once."""

    def __init__(self, plan: Plan, spec: Spec, point: int) -> None:
        self.plan, self.spec, self.point = plan, spec, point
        self.units = {name: dict(salt.ions) for name, salt in spec.system.salts.items()}
        self.sampled = cache(self._sampled)
        self.labels = cache(self._labels)
        self.forcefield = self._forcefield()

    def compile(self) -> None:
        """Everything that the study's outputs need."""
        entries: list[dict[str, Any]] = []
        evaluations: list[str] = []
        for model in self._models():
            for x in self.spec.compositions.fractions:
                evaluations.append(self._evaluate(model, x))
                entries.append({**model["entry"], "composition": fraction_label(x)})
        self._matrix(entries, tuple(evaluations))

    # --- configurations and labels

    def _forcefield(self) -> str:
        system = self.spec.system
        return self._add("forcefield", {"ions": system.ions, "charge_scale": system.charge_scale})

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
        built = self._add(
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
        equilibrated = self._add(
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
        return self._add(
            "sample",
            {**dynamics, "duration": sampling.duration, "interval": sampling.interval},
            {"forcefield": (self.forcefield,), "structure": (equilibrated,)},
            about={**about, "T": sampling.temperature, "system": self.spec.system.name},
        )

    def _labels(self, x: float, structure: int) -> tuple[str, ...]:
        """The labelled frames of one structure, equally spaced, each its own task."""
        trajectory = self.sampled(x, structure)
        settings, needs = _engine(self.spec.dft), {"trajectory": (trajectory,)}
        if self.spec.dft.engine == "opls":
            needs = {"forcefield": (self.forcefield,), **needs}
        every = self.spec.dataset.every
        return tuple(
            self._add(
                "label",
                {"frame": (i + 1) * every - 1, **settings},
                needs,
                about={"composition": fraction_label(x), "structure": structure},
            )
            for i in range(self.spec.dataset.frames)
        )

    # --- datasets, models, evaluations

    def _dataset(self, fractions: Sequence[float], structure: int) -> str:
        """The frames of some compositions: to train and validate on, or to test on."""
        labels = tuple(key for x in fractions for key in self.labels(x, structure))
        role = "train" if structure == TRAINING else "test"
        held = self.spec.dataset
        split = (
            {"validation_fraction": held.validation_fraction, "seed": held.seed}
            if role == "train"
            else {}
        )
        return self._add(
            "dataset",
            {"role": role, **split},
            {"labels": labels},
            quorum={"labels": held.quorum},
            about={"role": role, "compositions": set_label(fractions)},
        )

    def _models(self) -> list[dict[str, Any]]:
        """Every model of the study: a network a seed, and the linear one, for each training set."""
        found: list[dict[str, Any]] = []
        model = self.spec.model
        for fractions in self.spec.compositions.training:
            name = set_label(fractions)
            data = self._dataset(fractions, TRAINING)
            about: About = {"training": name, **about_study(self.spec), "dataset": data}
            for seed in model.seeds:
                entry = {"model": name, "kind": model.architecture, "seed": seed}
                key = self._add(
                    "train",
                    {"training": model.training(seed), "elements": self._elements()},
                    {"dataset": (data,)},
                    about={**about, "kind": model.architecture, "seed": seed},
                )
                found.append({"key": key, "kind": "nequip", "entry": entry})
            if model.linear:
                key = self._add(
                    "fit_linear", {}, {"dataset": (data,)}, about={**about, "kind": "linear"}
                )
                entry = {"model": name, "kind": "linear", "seed": None}
                found.append({"key": key, "kind": "linear", "entry": entry})
        return found

    def _evaluate(self, model: Mapping[str, Any], x: float) -> str:
        tests = self._dataset((x,), TESTING)
        entry = {name: value for name, value in model["entry"].items() if value is not None}
        entry["training"] = entry.pop("model")
        return self._add(
            "evaluate",
            {"kind": model["kind"]},
            {"model": (model["key"],), "dataset": (tests,)},
            about={**entry, "composition": fraction_label(x), "model": model["key"]},
        )

    def _matrix(self, entries: list[dict[str, Any]], evaluations: tuple[str, ...]) -> None:
        trained = {
            set_label(xs): [fraction_label(x) for x in xs] for xs in self.spec.compositions.training
        }
        needs, some = {"evaluations": evaluations}, {"evaluations": SOME}
        params: dict[str, Any] = {"entries": entries, "trained": trained}
        key = self._add("matrix", params, needs, quorum=some)
        self.plan.outputs["matrix"] = (key, "matrix.csv")
        self.plan.outputs["figure"] = (key, "matrix.png")
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
        found = self._add("findings", params, needs, quorum=some)
        self.plan.outputs["findings"] = (found, "findings.json")

    # --- helpers

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

    def _add(
        self,
        name: str,
        params: Mapping[str, Any],
        needs: Mapping[str, tuple[str, ...]] | None = None,
        *,
        quorum: Mapping[str, float] | None = None,
        about: Mapping[str, str | int | float] | None = None,
    ) -> str:
        kind = stage(name)
        record: Record = kind.params.model_validate(params)
        task = Task(name, kind.version, record, needs or {}, quorum or {}, about or {})
        return self.plan.add(task, self.point)
