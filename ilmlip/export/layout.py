"""Where each task of a plan stands in an exported study."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ilmlip.engines.labelling import MODULES
from ilmlip.hashing import canonical, digest, file_name, plain
from ilmlip.plan.graph import Plan
from ilmlip.plan.task import Task
from ilmlip.stages import dataset, series

EQUILIBRATE, SAMPLE, LABEL, DERIVE = "1-equilibrate", "2-sample", "3-label", "3b-derive"
DATASET, TRAIN, EVALUATE = "4-dataset", "5-train", "6-evaluate"
STAGES = {
    EQUILIBRATE: ("equilibrate",),
    SAMPLE: ("sample",),
    LABEL: ("label", "atom", "series"),
    DERIVE: ("series",),
    DATASET: ("dataset",),
    TRAIN: ("train", "fit_linear"),
    EVALUATE: ("evaluate",),
}
"""The steps of an exported study in their order, and the stages whose tasks each step does.

Series of frames are of step LABEL; those of a step of another series are of DERIVE.
"""
MOVES = ("aimd", "relax")
"""Kinds of series whose configurations an engine makes; those of the others are made before it runs."""
DIGITS = 6
"""Digits of a hash that tell apart what would have the same name."""


@dataclass(frozen=True)
class Series:
    """Labels of frames of one trajectory by the same settings, or the same made of each: a folder."""

    tasks: tuple[Task, ...]
    """By ascending frame."""
    settings: Mapping[str, Any]
    """The parameters of a label or a series, but for the frame and the seed."""
    trajectory: str
    """Key of the sampling."""
    steps: tuple[int, ...] = (0,)
    """Of each task the steps that labelled.extxyz holds: of dynamics and relaxations those wanted."""

    @property
    def kind(self) -> str:
        """What is made of each frame: a name of the stage's KINDS, or `frames`."""
        return next((k for k in series.KINDS if self.settings.get(k) is not None), "frames")

    @property
    def moves(self) -> bool:
        """Whether the engine itself makes the configurations."""
        return self.kind in MOVES

    @property
    def sources(self) -> list[str]:
        """Key of the series that each task starts from a step of; empty if they start from frames."""
        return [key for task in self.tasks for key in task.needs.get("series", ())]

    @property
    def frames(self) -> list[int]:
        """Numbers of the frames in the trajectory, from 0."""
        return [frame_of(task) for task in self.tasks]

    @property
    def engine(self) -> str:
        """The engine of the labels: the name of the settings that are given."""
        return next((name for name in MODULES if self.settings.get(name) is not None), "unknown")


@dataclass(frozen=True)
class Layout:
    """Folders, relative to that of the export, with "/" between their parts."""

    folders: Mapping[str, str]
    """Folder of each equilibration, sampling, single atom, dataset and model, by the task's key."""
    series: Mapping[str, Series]
    """The labels, by folder."""
    labels: Mapping[str, tuple[str, int]]
    """Folder of each label and series, by key, and its place among those of the folder, from 0."""
    models: Mapping[str, str]
    """The name of each model in the table of errors, by key."""

    def place(self, key: str, step: int) -> tuple[str, int]:
        """Folder of a label (step 0) or of a step of a series, and its number in labelled.extxyz."""
        folder, number = self.labels[key]
        steps = self.series[folder].steps
        return folder, number * len(steps) + steps.index(step)


def lay_out(plan: Plan) -> Layout:
    """Name every folder: plainly, and with digits of a hash where several want one name."""
    of = {step: [t for t in plan if t.stage in stages] for step, stages in STAGES.items()}
    models = _model_names(of[TRAIN])
    folders = {task.key: f"{TRAIN}/{_model_folder(task, models[task.key])}" for task in of[TRAIN]}
    for step in (EQUILIBRATE, SAMPLE, DATASET):
        names = distinct({task.key: _name(task) for task in of[step]})
        folders |= {key: f"{step}/{name}" for key, name in names.items()}
    atoms = {t.key: f"atom-{t.about['element']}" for t in of[LABEL] if t.stage == "atom"}
    folders |= {key: f"{LABEL}/{name}" for key, name in distinct(atoms).items()}
    by_folder: dict[str, Series] = {}
    for step, of_step in _all_series(plan).items():
        names = distinct({found.tasks[0].key: _name(found.tasks[0]) for found in of_step})
        by_folder |= {f"{step}/{names[found.tasks[0].key]}": found for found in of_step}
    labels = {
        task.key: (folder, place)
        for folder, found in by_folder.items()
        for place, task in enumerate(found.tasks)
    }
    return Layout(folders, by_folder, labels, models)


def step_of(task: Task) -> str | None:
    """The step that does a task; None if no step does."""
    if task.stage == "series" and task.needs.get("series"):
        return DERIVE
    return next((step for step, stages in STAGES.items() if task.stage in stages), None)


def distinct(wanted: Mapping[str, str]) -> dict[str, str]:
    """A name for each key: the wanted one, followed by the key's end if others want it too."""
    wanted = {key: file_name(name) for key, name in wanted.items()}
    shared = Counter(wanted.values())
    digits = DIGITS
    while True:
        found = {k: n if shared[n] == 1 else f"{n}-{k[-digits:]}" for k, n in wanted.items()}
        if len(set(found.values())) == len(found):
            return found
        digits += 2


def frame_of(task: Task) -> int:
    """The frame that a label is of."""
    frame: int = plain(task.params)["frame"]
    return frame


def _name(task: Task) -> str:
    about = task.about
    if task.stage == "dataset":
        return f"{about['role']}-{about['compositions']}"
    kind = f"-{about['kind']}" if task.stage == "series" else ""
    return f"{about['composition']}-{about['structure']}{kind}"


def _model_folder(task: Task, model: str) -> str:
    if task.stage == "fit_linear":
        return f"{model.removeprefix('linear:')}-linear"
    return f"{model}-seed{task.about['seed']}"


def _all_series(plan: Plan) -> dict[str, list[Series]]:
    """The labels and series of each step, those together that share a folder."""
    wanted = _wanted(plan)
    group: dict[str, bytes] = {}
    found: dict[bytes, list[Task]] = defaultdict(list)
    trajectories: dict[str, str] = {}
    for task in plan:
        if task.stage not in ("label", "series"):
            continue
        needs: dict[str, Any] = dict(task.needs)
        if "series" in needs:
            (source,) = needs["series"]
            trajectories[task.key] = trajectories[source]
            needs["series"] = group[source].decode()
        else:
            (trajectories[task.key],) = needs["trajectory"]
        mark = canonical([task.stage, needs, _settings(task)])
        group[task.key] = mark
        found[mark].append(task)
    steps: dict[str, list[Series]] = {LABEL: [], DERIVE: []}
    for tasks in found.values():
        first = tasks[0]
        own = Series(
            tuple(sorted(tasks, key=frame_of)), _settings(first), trajectories[first.key],
            _steps(tasks, wanted),
        )  # fmt: skip
        steps[step_of(first) or LABEL].append(own)
    return steps


def _settings(task: Task) -> dict[str, Any]:
    """Its parameters, but for the frame and the seed."""
    given = plain(task.params)
    return {name: value for name, value in given.items() if name not in ("frame", "seed")}


def _steps(tasks: Iterable[Task], wanted: Mapping[str, set[int]]) -> tuple[int, ...]:
    """The steps that labelled.extxyz holds of each task of a folder."""
    tasks = list(tasks)
    if tasks[0].stage == "label":
        return (0,)
    params = cast(series.Params, tasks[0].params)
    whole = range(series.labels(params))
    if params.kind() not in MOVES:
        return tuple(whole)
    of_all = set().union(*(wanted.get(task.key, set()) for task in tasks))
    return tuple(sorted(of_all)) or (whole[-1],)


def _wanted(plan: Plan) -> dict[str, set[int]]:
    """By key of a series the steps that data sets take, or that another series starts from."""
    found: dict[str, set[int]] = defaultdict(set)
    for task in plan:
        if task.stage == "dataset":
            for role, steps in cast(dataset.Params, task.params).take.items():
                for key in task.needs[role]:
                    found[key] |= set(steps)
        elif task.stage == "series" and "series" in task.needs:
            (source,) = task.needs["series"]
            found[source].add(cast(series.Params, task.params).step or 0)
    return found


def _model_names(tasks: Sequence[Task]) -> dict[str, str]:
    """Names as in matrix.csv; what differs in more than the seed gets digits of a hash."""
    variants = {task.key: _variant(task) for task in tasks}
    wanted = {}
    for task in tasks:
        prefix = "linear:" if task.stage == "fit_linear" else ""
        wanted[variants[task.key]] = f"{prefix}{task.about['training']}"
    names = distinct(wanted)
    return {key: names[variant] for key, variant in variants.items()}


def _variant(task: Task) -> str:
    """A hash of what a model is but for its seed."""
    params = plain(task.params)
    params.get("training", {}).pop("seed", None)
    return digest("ilmlip.export.model", [task.stage, params, dict(task.needs)])
