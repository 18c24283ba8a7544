"""One study from spec to outputs: compile, run what is missing, log it, lay out what came of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ilmlip.execute.disk import explained
from ilmlip.execute.driver import Driver, Outcome
from ilmlip.execute.events import Events
from ilmlip.execute.forecast import forecast
from ilmlip.execute.skip import possible
from ilmlip.execute.unsaid import untold
from ilmlip.plan.graph import Plan, states
from ilmlip.plan.task import Task
from ilmlip.run.outputs import Ended, lay_out
from ilmlip.run.tracking import begin, broken_off, caught_up, logged, tracker_of
from ilmlip.spec.study import Study
from ilmlip.spec.types import Spec
from ilmlip.stages import stage
from ilmlip.store import Store
from ilmlip.track import SHOWN


def run_study(study: Study, plan: Plan, *, detach: bool = False) -> Ended:
    """Run what a study wants and the store does not have yet.

    `detach`: where Slurm does the work, end once it is submitted. Raises StoreError when the store's
    disk is full or cannot be written.
    """
    store = Store(Path(study.spec.store))
    store.prepare()
    with explained(store.root):
        if study.spec.cluster.executor == "slurm":
            from ilmlip.run.slurm import run_on_slurm

            return run_on_slurm(study, plan, store, detach=detach)
        return _run(study, plan, store)


def _run(study: Study, plan: Plan, store: Store) -> Ended:
    spec = study.spec
    plan, skipped = possible(plan, spec.cluster, store)
    cached = {key for key, state in states(plan, store).items() if state == "cached"}
    missed = untold(plan, store, cached, SHOWN)
    if len(cached) == len(plan):
        outcome = Outcome(settled=dict.fromkeys(plan.tasks, "cached"))
        outputs, points = lay_out(study, plan, store, outcome)
        if missed:
            begin(study, store, missed).end("done", outputs)
        return Ended(plan, store, outcome, outputs, points, skipped + caught_up(spec, store))
    events = begin(study, store, missed)
    tracker = tracker_of(spec, store)
    from rich.console import Console

    from ilmlip.execute.progress import Display, Remaining

    spent = forecast(plan, states(plan, store), store, spec.cluster)
    remaining = Remaining(spent.task_seconds, spent.wall_seconds)
    with Display(plan, Console(stderr=True), remaining) as display:
        outcome = _drive(spec, plan, store, events, display.update)
    outputs, points = lay_out(study, plan, store, outcome)
    ended = Ended(plan, store, outcome, outputs, points, skipped)
    events.end("done" if ended.ok else "failed", outputs)
    ended.messages += logged(tracker, spec, store)
    return ended


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
    except BaseException as error:
        events.end(broken_off(error), {})
        raise
