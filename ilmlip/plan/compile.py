"""From specs to one plan. Only what some model or test needs becomes a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ilmlip.hashing import digest, identity, plain
from ilmlip.plan.active import Needs, Round, Train, collect, learn, learnt, together
from ilmlip.plan.add import SOME, About, add
from ilmlip.plan.configurations import TESTING, TRAINING
from ilmlip.plan.dynamics import dynamics
from ilmlip.plan.frames import Frames
from ilmlip.plan.graph import Plan
from ilmlip.plan.models import check_fine_tune, committees, leaving, outside_evaluations
from ilmlip.plan.paper import against_paper
from ilmlip.plan.scan import scan
from ilmlip.spec.mixtures import Composition, composition_label, order, set_label
from ilmlip.spec.model import Model
from ilmlip.spec.study import Study, shown_value
from ilmlip.spec.types import Spec

SEEN = ("train", "fit_linear", "sample", "md", "explore")
"""Stages whose tasks have a run of their own in MLflow, named after what was swept."""


def compile_study(specs: Sequence[Spec], swept: Sequence[Mapping[str, Any]] = ()) -> Plan:
    """The union of the tasks of all points of a study (at least one).

    `swept` holds what was swept to make each point; what is shown by itself in MLflow is told about
    it, for people.
    """
    plan = Plan(specs[0].name)
    fronts: dict[tuple[int, ...], Frames] = {}
    for spec in specs:
        # sections that the sweep leaves alone are one object in all points
        parts = [spec.system, spec.compositions, spec.sampling, spec.dft, spec.dataset]
        if spec.dataset.active is not None:  # whose frames the models choose
            parts.append(spec.model)
        same = tuple(map(id, parts))
        if same not in fronts:
            fronts[same] = Frames(plan, spec)
        _Models(plan, spec, fronts[same]).compile()
    scan(plan, specs, swept)
    together(plan)
    if len(swept) > 1:
        _name_swept(plan, [_about_swept(values) for values in swept])
    return plan


def plan_of(study: Study) -> Plan:
    """The one plan of all points of a study."""
    return compile_study(study.specs, [point.swept for point in study.points])


def study_key(specs: Sequence[Spec]) -> str:
    """Identity of a study: everything but where it runs, is stored and is tracked."""
    found = []
    for spec in specs:
        data = identity(spec)
        data["dft"].get("files", {}).pop("paths", None)  # their digests say what they are
        for model in data["analysis"].get("models", {}).values():
            model.pop("package")  # likewise
        data["model"].get("fine_tune", {}).pop("package", None)
        data.get("ensemble", {}).get("start", {}).pop("file", None)
        for salt in data["system"].get("salts", {}).values():  # they stand beside, no more
            salt.pop("measured", None)
            salt.pop("measured_source", None)
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


def swept_names(study: Study) -> list[str]:
    """What the points of a study differ in, named as in MLflow."""
    return list(dict.fromkeys(name for point in study.points for name in _about_swept(point.swept)))


def _about_swept(swept: Mapping[str, Any]) -> About:
    """What was swept, named as in MLflow: `model.loss.force` is loss_force."""
    return {
        key.removeprefix("model.").replace(".", "_"): value
        if isinstance(value, (str, int, float))
        else shown_value(plain(value))
        for key, value in swept.items()
        if not key.startswith("analysis")
    }


def _name_swept(plan: Plan, swept: Sequence[About]) -> None:
    """Say of each training and run of dynamics what was swept, if all points that want it agree."""
    for key, points in plan.points().items():
        task = plan.tasks[key]
        if task.stage not in SEEN or not points:
            continue
        first, *others = [swept[point] for point in points]
        same = {k: v for k, v in first.items() if all(one.get(k) == v for one in others)}
        plan.tasks[key] = replace(task, about={**same, **task.about})


class _Models:
    """Makes the tasks of one point from its datasets on."""

    def __init__(self, plan: Plan, spec: Spec, frames: Frames) -> None:
        self.plan, self.spec, self.frames = plan, spec, frames
        self.rounds: list[Round] = []

    def compile(self) -> None:
        """Everything that the point's outputs need."""
        entries: list[dict[str, Any]] = []
        evaluations: list[str] = []
        models = self._models()
        for model in models:
            model["evaluations"] = self._evaluations(model)
            for x, key in model["evaluations"].items():
                evaluations.append(key)
                entries.append({**model["entry"], "composition": composition_label(x)})
        for name, members in committees(self.spec.model, models).items():
            for x in self.spec.compositions.fractions:
                evaluations.append(self._together(name, members, x))
                entry = {"model": name, "kind": "committee", "seed": None}
                entries.append({**entry, "composition": composition_label(x)})
        for key, entry in outside_evaluations(self.plan, self.spec, self.frames):
            evaluations.append(key)
            entries.append(entry)
        self.plan.outputs.append(outputs := self._series())
        if entries:
            outputs |= self._outputs(entries, tuple(evaluations))
        outputs |= learnt(self.plan, self.spec, self.frames, self.rounds)
        outputs |= leaving(self.plan, self.spec.model, models) | self._parities(models)
        if self.spec.ensemble.kind != "none":
            about = about_study(self.spec)
            outputs |= dynamics(self.plan, self.spec, self.frames, models, about)
        if not entries or self.spec.dft.engine == "files":
            outputs |= self._reports()

    def _series(self) -> dict[str, tuple[str, str]]:
        """A figure for each kind of derived series."""
        outputs: dict[str, tuple[str, str]] = {}
        trained = {x for xs in self.spec.compositions.training for x in xs}
        for part in self.spec.dataset.derived:
            if part.kind == "frames":
                continue
            keys = [
                key
                for x in sorted(trained, key=order)
                for key in self.frames.series(x, TRAINING, part)
            ]
            found = add(
                self.plan,
                "series_report",
                {"kind": part.kind, "take": list(part.taken())},
                {"series": tuple(keys)},
                quorum={"series": SOME},
                about={"kind": part.kind},
            )
            outputs[f"series_{part.kind}"] = (found, f"series_{part.kind}.png")
        return outputs

    def _reports(self) -> dict[str, tuple[str, str]]:
        """The data sets of a study without models, and what they hold."""
        outputs: dict[str, tuple[str, str]] = {}
        if self.spec.dft.files is not None:
            everything = self.frames.imported(self.spec.dft.files)
            report = add(self.plan, "dataset_report", {}, {"dataset": (everything,)})
            outputs |= {
                "imported": (everything, "frames.extxyz"),
                "imported_report": (report, "report.md"),
                "imported_figure": (report, "dataset.png"),
            }
        sets = self.spec.compositions.training
        for fractions in sets:
            data = self.frames.dataset(fractions, TRAINING)
            report = add(self.plan, "dataset_report", {}, {"dataset": (data,)})
            which = "" if len(sets) == 1 else f"_{set_label(fractions)}"
            outputs |= {
                f"dataset{which}": (data, "train.extxyz"),
                f"dataset_report{which}": (report, "report.json"),
                f"dataset_page{which}": (report, "report.md"),
                f"dataset_figure{which}": (report, "dataset.png"),
            }
        return outputs

    def _models(self) -> list[dict[str, Any]]:
        """Every model of the study: a network a seed, and the linear one, for each training set."""
        found: list[dict[str, Any]] = []
        model = self.spec.model
        check_fine_tune(model, self.frames.elements)
        self.rounds += collect(self.plan, self.spec, self.frames, self._trainer)
        for fractions in self.spec.compositions.training:
            name = set_label(fractions)
            train, about = self._trainer(fractions)
            rounds = learn(self.plan, self.spec, self.frames, fractions, train, about)
            self.rounds += rounds
            last = rounds[-1]
            for seed, data, key in zip(model.seeds, last.data, last.members, strict=True):
                entry = {"model": name, "kind": model.architecture, "seed": seed}
                found.append({"key": key, "kind": "nequip", "entry": entry, "dataset": data})
            if model.linear:
                data = last.data[0] if last.data else self.frames.dataset(fractions, TRAINING)
                key = add(
                    self.plan,
                    "fit_linear",
                    {},
                    {"dataset": (data,)},
                    about={**about, "dataset": data, "kind": "linear"},
                )
                entry = {"model": name, "kind": "linear", "seed": None}
                found.append({"key": key, "kind": "linear", "entry": entry})
        return found

    def _trainer(self, fractions: tuple[Composition, ...]) -> tuple[Train, About]:
        """What adds trainings on some compositions, and what is told of them."""
        model, e0, device = self.spec.model, self.spec.dft.e0, self.spec.cluster.device
        how: dict[str, str] = {} if device == "cpu" else {"device": device}
        if model.fine_tune is not None:
            how["path"] = model.fine_tune.package
        isolated = e0 == "isolated" and model.seeds
        atoms = {"atoms": self.frames.atoms()} if isolated else {}
        about: About = {"training": set_label(fractions), **about_study(self.spec)}

        def train(seed: int, data: str, more: Needs) -> str:
            return add(
                self.plan,
                "train",
                {"training": model.training(seed, e0), "elements": self.frames.elements},
                {"dataset": (data,), **atoms, **more},
                about={**about, "dataset": data, "kind": model.architecture, "seed": seed},
                how=how,
            )

        return train, about

    def _together(self, name: str, members: Sequence[Mapping[str, Any]], x: Composition) -> str:
        return add(
            self.plan,
            "committee",
            {},
            {
                "evaluations": tuple(member["evaluations"][x] for member in members),
                "dataset": (self.frames.dataset((x,), TESTING),),
            },
            about={"training": name, "composition": composition_label(x)},
        )

    def _parities(self, models: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
        """A figure for each training set, of its first seed: `parity_<training>`."""
        outputs: dict[str, tuple[str, str]] = {}
        for model in models:
            entry = model["entry"]
            name = f"parity_{entry['model']}"
            if model["kind"] != "nequip" or name in outputs:
                continue
            key = add(
                self.plan,
                "parity",
                {"title": f"Trained on {entry['model']}, seed {entry['seed']}: all test sets"},
                {"evaluations": tuple(model["evaluations"].values())},
                quorum={"evaluations": SOME},
            )
            outputs[name] = (key, "parity.png")
        return outputs

    def _evaluations(self, model: Mapping[str, Any]) -> dict[Composition, str]:
        """The model's evaluation on each test set."""
        return {x: self._evaluate(model, x) for x in self.spec.compositions.fractions}

    def _evaluate(self, model: Mapping[str, Any], x: Composition) -> str:
        tests = self.frames.dataset((x,), TESTING)
        entry = {name: value for name, value in model["entry"].items() if value is not None}
        entry["training"] = entry.pop("model")
        return add(
            self.plan,
            "evaluate",
            {"kind": model["kind"]},
            {"model": (model["key"],), "dataset": (tests,)},
            about={**entry, "composition": composition_label(x), "model": model["key"]},
        )

    def _ion_energies(
        self, entries: list[dict[str, Any]], evaluations: tuple[str, ...]
    ) -> dict[str, tuple[str, str]]:
        """What an ion is worth, by each model and by the labels."""
        tested = self.spec.compositions.fractions
        key = add(
            self.plan,
            "ion_energies",
            {
                "entries": entries,
                "compositions": [composition_label(x) for x in tested],
                "differences": self.frames.differences(),
            },
            {
                "evaluations": evaluations,
                "tests": tuple(self.frames.dataset((x,), TESTING) for x in tested),
            },
            quorum={"evaluations": SOME, "tests": SOME},
        )
        return {
            "ion_energies": (key, "ion_energies.csv"),
            "ion_energies_page": (key, "ion_energies.md"),
            "ion_energies_figure": (key, "ion_energies.png"),
        }

    def _outputs(
        self, entries: list[dict[str, Any]], evaluations: tuple[str, ...]
    ) -> dict[str, tuple[str, str]]:
        """The table of errors, its figure, and the findings if they are asked for."""
        trained = {
            set_label(xs): [composition_label(x) for x in xs]
            for xs in self.spec.compositions.training
        }
        needs, some = {"evaluations": evaluations}, {"evaluations": SOME}
        salt = self.spec.compositions.second_salt
        params: dict[str, Any] = {"entries": entries, "trained": trained, "salt": salt}
        key = add(self.plan, "matrix", params, needs, quorum=some)
        outputs = {
            "matrix": (key, "matrix.csv"),
            "matrix_page": (key, "matrix.md"),
            "figure": (key, "matrix.png"),
            "errors_figure": (key, "errors.png"),
            **self._ion_energies(entries, evaluations),
        }
        return {
            **outputs,
            **self._findings(entries, evaluations),
            **self._paper(entries, evaluations, outputs["ion_energies"][0]),
        }

    def _findings(
        self, entries: list[dict[str, Any]], evaluations: tuple[str, ...]
    ) -> dict[str, tuple[str, str]]:
        """The findings if they are asked for."""
        asked = self.spec.analysis.findings
        if asked is None:
            return {}
        params = {
            **plain(asked),
            "one": set_label(asked.one),
            "two": set_label(asked.two),
            "far": composition_label(asked.far),
            "near": [composition_label(x) for x in asked.near],
            "entries": entries,
        }
        needs, some = {"evaluations": evaluations}, {"evaluations": SOME}
        found = add(self.plan, "findings", params, needs, quorum=some)
        return {"findings": (found, "findings.json")}

    def _paper(
        self, entries: list[dict[str, Any]], evaluations: tuple[str, ...], energies: str
    ) -> dict[str, tuple[str, str]]:
        """The paper's numbers beside ours, and what it states, if they are asked for."""
        params = against_paper(self.spec.analysis)
        if params is None:
            return {}
        found = add(
            self.plan,
            "paper",
            {**params, "entries": entries},
            {"evaluations": evaluations, "ion_energies": (energies,)},
            quorum={"evaluations": SOME, "ion_energies": SOME},
        )
        return {
            "paper": (found, "paper.json"),
            "paper_table": (found, "paper.csv"),
            "paper_page": (found, "paper.md"),
        }
