"""What a person looks at in the end: copies of a study's outputs, and the table of its points."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ilmlip.execute.driver import Outcome
from ilmlip.hashing import file_name
from ilmlip.plan.graph import Plan
from ilmlip.report import learning_curve
from ilmlip.report.sweep import write_sweep
from ilmlip.spec.study import Study
from ilmlip.store import Store

THERE = ("done", "cached")


@dataclass
class Ended:
    """What `ilmlip run` has to tell."""

    plan: Plan
    store: Store
    outcome: Outcome
    outputs: dict[str, str] = field(default_factory=dict)
    """Paths of what the user looks at: "matrix", "figure", "findings", or "sweep"."""
    points: list[dict[str, str]] = field(default_factory=list)
    """Likewise of each point."""
    messages: list[str] = field(default_factory=list)
    queued: dict[str, str] = field(default_factory=dict)
    """The job of each task that is still in Slurm's queue, by key."""

    @property
    def ok(self) -> bool:
        """Whether every task is there."""
        return all(how in THERE for how in self.outcome.settled.values())


def lay_out(
    study: Study, plan: Plan, store: Store, outcome: Outcome
) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Put a study's outputs into `<store>/studies/<study>/`, where a person finds them.

    Returns their paths, and those of each point: a study of one point has copies of its files, one
    of several has the table of all its points, whose files stay where they are.
    """
    folder = store.root / "studies" / plan.study
    points = [
        {
            name: str(store.folder(key) / file)
            for name, (key, file) in outputs.items()
            if outcome.settled.get(key) in THERE and (store.folder(key) / file).is_file()
        }
        for outputs in plan.outputs
    ]
    found: dict[str, str] = {}
    if any(points):
        folder.mkdir(parents=True, exist_ok=True)
    if len(points) == 1:
        for name, place in _places(points[0]).items():
            found[name] = str(folder / place)
            (folder / place).parent.mkdir(exist_ok=True)
            shutil.copyfile(points[0][name], found[name])
    elif any(points):
        matrices = [Path(point["matrix"]) if "matrix" in point else None for point in points]
        swept = [point.swept for point in study.points]
        if any(matrices):  # else a sweep of data sets: it has no errors to tabulate
            found["sweep"] = str(folder / "sweep.csv")
            write_sweep(Path(found["sweep"]), swept, matrices)
        if learning_curve.FIELD in study.swept() and any(matrices):
            found["learning_curve"] = str(folder / "learning_curve.png")
            learning_curve.draw(Path(found["learning_curve"]), swept, matrices)
        joint = [name for name in points[0] if name.startswith("active_all")]
        if study.spec.analysis.scan is not None:
            joint += [name for name in ("paper", "paper_table", "paper_page") if name in points[0]]
        for name in joint:
            found[name] = str(folder / Path(points[0][name]).name)
            shutil.copyfile(points[0][name], found[name])
    return found, points


def _places(outputs: Mapping[str, str]) -> dict[str, Path]:
    """Where each output lies in the study's folder: its file's name.

    Where two results have files of one name, each has a folder, named as the first of its outputs.
    """
    times = Counter(Path(path).name for path in outputs.values())
    alike = {str(Path(path).parent) for path in outputs.values() if times[Path(path).name] > 1}
    folders: dict[str, str] = {}
    found = {}
    for name, path in outputs.items():
        result = str(Path(path).parent)
        own = folders.setdefault(result, file_name(name)) if result in alike else ""
        found[name] = Path(own) / Path(path).name
    return found
