"""Where each task of a plan stands in an exported study."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ilmlip.engines.labelling import MODULES
from ilmlip.hashing import canonical, digest, file_name, plain
from ilmlip.plan.graph import Plan
from ilmlip.plan.task import Task

EQUILIBRATE, SAMPLE, LABEL = "1-equilibrate", "2-sample", "3-label"
DATASET, TRAIN, EVALUATE = "4-dataset", "5-train", "6-evaluate"
STAGES = {
    EQUILIBRATE: ("equilibrate",),
    SAMPLE: ("sample",),
    LABEL: ("label", "atom"),
    DATASET: ("dataset",),
    TRAIN: ("train", "fit_linear"),
    EVALUATE: ("evaluate",),
}
"""The steps of an exported study in their order, and the stages whose tasks each step does."""
DIGITS = 6
"""Digits of a hash that tell apart what would have the same name."""


@dataclass(frozen=True)
class Series:
    """Labels of one trajectory by the same settings: one folder, its frames in order."""

    tasks: tuple[Task, ...]
    settings: Mapping[str, Any]
    """The parameters of a label, but for the frame."""

    @property
    def trajectory(self) -> str:
        """Key of the sampling."""
        return self.tasks[0].needs["trajectory"][0]

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
    """Folder of each label, by key, and its place among those of the folder, from 0."""
    models: Mapping[str, str]
    """The name of each model in the table of errors, by key."""


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
    labelled = [task for task in of[LABEL] if task.stage == "label"]
    all_series = {found.tasks[0].key: found for found in _series(labelled)}
    names = distinct({key: _name(found.tasks[0]) for key, found in all_series.items()})
    series = {f"{LABEL}/{names[key]}": found for key, found in all_series.items()}
    labels = {
        task.key: (folder, place)
        for folder, found in series.items()
        for place, task in enumerate(found.tasks)
    }
    return Layout(folders, series, labels, models)


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
    return f"{about['composition']}-{about['structure']}"


def _model_folder(task: Task, model: str) -> str:
    if task.stage == "fit_linear":
        return f"{model.removeprefix('linear:')}-linear"
    return f"{model}-seed{task.about['seed']}"


def _series(tasks: Iterable[Task]) -> list[Series]:
    """The labels by trajectory and settings, each series by ascending frame."""
    found: dict[tuple[bytes, bytes], list[Task]] = defaultdict(list)
    settings: dict[tuple[bytes, bytes], dict[str, Any]] = {}
    for task in tasks:
        given = {name: value for name, value in plain(task.params).items() if name != "frame"}
        mark = canonical(dict(task.needs)), canonical(given)
        settings[mark] = given
        found[mark].append(task)
    return [Series(tuple(sorted(t, key=frame_of)), settings[m]) for m, t in found.items()]


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
