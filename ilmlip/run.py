"""One study from spec to outputs: compile, run what is missing, log it, lay out what came of it."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ilmlip import track
from ilmlip.execute.driver import Driver, Outcome
from ilmlip.execute.events import Events, unsaid
from ilmlip.execute.skip import possible
from ilmlip.plan.add import About
from ilmlip.plan.compile import about_study, study_key
from ilmlip.plan.graph import Plan, states
from ilmlip.plan.task import Task
from ilmlip.report import learning_curve
from ilmlip.report.sweep import write_sweep
from ilmlip.spec.study import Study, study_data
from ilmlip.spec.types import Spec
from ilmlip.stages import stage
from ilmlip.store import Store

THERE = ("done", "cached")
PATIENCE = 60.0
"""Seconds that a run waits at its end for what is still to be logged."""


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

    @property
    def ok(self) -> bool:
        """Whether every task is there."""
        return all(how in THERE for how in self.outcome.settled.values())


def run_study(study: Study, plan: Plan) -> Ended:
    """Run what a study wants and the store does not have yet."""
    spec = study.spec
    store = Store(Path(spec.store))
    store.prepare()
    plan, skipped = possible(plan, spec.cluster, store)
    todo = [key for key, state in states(plan, store).items() if state != "cached"]
    lost = [plan.tasks[key] for key in unsaid(store.root) if key in plan.tasks and key not in todo]
    if not todo and not lost:
        outcome = Outcome(settled=dict.fromkeys(plan.tasks, "cached"))
        outputs, points = lay_out(study, plan, store, outcome)
        return Ended(plan, store, outcome, outputs, points, skipped + _catch_up(spec, store))
    events = Events(store.root)
    events.start(
        study=spec.name,
        study_key=study_key(study.specs),
        spec=study_data(study),
        params=_about(study),
        todo=[plan.tasks[key] for key in todo if plan.tasks[key].stage in track.SHOWN],
    )
    for task in lost:
        events.task(task)
    tracker = track.spawn(store.root, spec.tracking.uri) if spec.tracking.uri else None
    from rich.console import Console

    from ilmlip.execute.progress import Display

    with Display(plan, Console(stderr=True)) as display:
        outcome = _drive(spec, plan, store, events, display.update)
    outputs, points = lay_out(study, plan, store, outcome)
    ended = Ended(plan, store, outcome, outputs, points, skipped)
    events.end("done" if ended.ok else "failed", outputs)
    if tracker is not None:
        ended.messages += _await(tracker, spec, store)
    return ended


def _about(study: Study) -> About:
    """The main parameters that all points share, and how many points there are."""
    first, *others = map(about_study, study.specs)
    same = {k: v for k, v in first.items() if all(other.get(k) == v for other in others)}
    return same if not others else {**same, "points": len(study.points)}


def _drive(
    spec: Spec, plan: Plan, store: Store, events: Events, show: Callable[[Task, str], None]
) -> Outcome:
    """Run the plan, writing an event for each task that ran."""
    folder = store.root / "jobs" / events.run
    folder.mkdir(parents=True)

    def listen(task: Task, how: str) -> None:
        show(task, how)
        if how == "done":
            events.task(task)
        elif how == "failed":
            events.failed(task, driver.outcome.failures[task.key])

    def began(task: Task) -> None:
        if stage(task.stage).goes_on:  # the others are over soon
            events.began(task)

    from ilmlip.execute.jobs import submitter

    jobs = submitter(spec.cluster, store.root, folder)
    driver = Driver(plan, store, spec.cluster, jobs, folder, listen, began)
    try:
        return driver.run()
    except BaseException:
        events.end("failed", {})
        raise


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
            if outcome.settled.get(key) in THERE
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
        found["sweep"] = str(folder / "sweep.csv")
        swept = [point.swept for point in study.points]
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
        own = folders.setdefault(result, name) if result in alike else ""
        found[name] = Path(own) / Path(path).name
    return found


def _catch_up(spec: Spec, store: Store) -> list[str]:
    """Nothing to run; but an earlier run may have found MLflow away."""
    if not spec.tracking.uri or not track.pending(store.root):
        return []
    return _await(track.spawn(store.root, spec.tracking.uri), spec, store)


def _await(tracker: subprocess.Popen[bytes], spec: Spec, store: Store) -> list[str]:
    """Give the tracker some time to finish; what to tell the user if it fails or takes longer."""
    log = f"{store.root}/tracking/tracker.log"
    try:
        if tracker.wait(PATIENCE) == 0:
            return []
    except subprocess.TimeoutExpired:
        return [f"MLflow at {spec.tracking.uri} is slow; logging goes on by itself (log: {log})"]
    return [
        f"MLflow at {spec.tracking.uri} could not be reached or written; what should be logged "
        f"waits in the store and is logged by the next run (log: {log})"
    ]
