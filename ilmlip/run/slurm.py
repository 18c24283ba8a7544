"""A study as jobs of Slurm's: submitted as a whole, followed if one likes, ended by one of them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ilmlip.errors import StoreError
from ilmlip.execute import slurm
from ilmlip.execute.batch import arrays, wanted
from ilmlip.execute.claims import Claims
from ilmlip.execute.driver import Outcome
from ilmlip.execute.events import Events
from ilmlip.execute.relay import mention, relay
from ilmlip.execute.slurm_jobs import SlurmJobs, compact
from ilmlip.execute.submission import (
    Queued,
    Record,
    Run,
    done_in,
    in_queue,
    open_runs,
    queued,
)
from ilmlip.execute.tidy import sweep
from ilmlip.execute.unsaid import untold
from ilmlip.execute.worker import shortage
from ilmlip.grammar import counted
from ilmlip.plan.compile import study_key
from ilmlip.plan.cost import task_seconds
from ilmlip.plan.graph import Plan, State, states
from ilmlip.plan.task import Task
from ilmlip.run.follow import follow
from ilmlip.run.outputs import Ended, lay_out
from ilmlip.run.tracking import begin, broken_off, caught_up, logged, not_for_jobs, tracker_of
from ilmlip.spec.study import Study
from ilmlip.store import Store
from ilmlip.track import SHOWN

FRESH = 120.0
"""Seconds that a run may be without jobs in the queue: it is being submitted."""
IN_VAIN = 3
"""Submissions in a row that do nothing, after which a run ends: its jobs die at once."""
CLOSING_PATIENCE = 1800.0
"""Seconds that the last job of a run waits for MLflow."""


def run_on_slurm(study: Study, plan: Plan, store: Store, *, detach: bool) -> Ended:
    """Submit what is missing and not in the queue; follow it to its end unless `detach`."""
    before = states(plan, store)
    queue = in_queue(store.root) if open_runs(store.root) else {}
    end_lost(store, queue)
    missing = [key for key, state in before.items() if state != "cached"]
    check_cluster(store, missing)
    missed = untold(plan, store, set(before) - set(missing), SHOWN)
    if not missing:
        outcome = Outcome(settled=dict.fromkeys(plan.tasks, "cached"))
        outputs, points = lay_out(study, plan, store, outcome)
        if missed:
            begin(study, store, missed).end("done", outputs)
        return Ended(plan, store, outcome, outputs, points, caught_up(study.spec, store))
    held = queued(store.root, queue)
    mine = [one.run for key in missing if (one := held.tasks.get(key))]
    same = next((run for run in mine if run.study_key == study_key(study.specs)), None)
    if same is not None and all(key in held.tasks for key in missing):
        run = same
    else:
        run = submit(study, plan, store, missed)
    unheard = not_for_jobs(study.spec)
    if detach:
        ended = _detached(plan, store, before, run)
        ended.messages += unheard
        return ended
    tracker = tracker_of(study.spec, store)
    said = follow(plan, store, run, before)
    outcome = settled(plan, store, before, run)
    outputs, points = lay_out(study, plan, store, outcome)
    ended = Ended(plan, store, outcome, outputs, points, [*unheard, *said])
    ended.messages += logged(tracker, study.spec, store)
    return ended


def submit(study: Study, plan: Plan, store: Store, missed: list[Task]) -> Run:
    """Begin a run: its events, its first jobs, and the one that ends it."""
    if lacks := slurm.lacks():
        raise slurm.SlurmError(f"cluster=slurm: {lacks}")
    slurm.check_place(os.environ)
    cluster = slurm.cluster_name()
    events = begin(study, store, missed, detached=True)
    run = Run(
        store.root / "jobs" / events.run,
        study.spec.name,
        study_key(study.specs),
        study.spec.tracking.uri,
        time.time(),
        cluster,
    )
    run.write()
    try:
        _submit(Closing(study, plan, store.root, run))
    except BaseException as error:
        with contextlib.suppress(slurm.SlurmError):
            slurm.cancel(record.id for record in run.records())
        run.close("failed")
        events.end(broken_off(error), {})
        raise
    return run


@dataclass(frozen=True)
class Closing:
    """What the last job of a run does: submit what is left, or lay out what came of it.

    Left is what found no room in the queue, and what was lost with its job (a node that died, say).
    What failed is left to the next `ilmlip run`.
    """

    study: Study
    plan: Plan
    root: Path
    run: Run
    before: int | None = None
    """How many tasks were to be done at the last submission."""
    in_vain: int = 0
    """How many submissions in a row have done none of them."""

    def __call__(self) -> None:
        """Do it."""
        store = Store(self.root)
        events = Events.reopen(store.root, self.run.name)
        events.watch()
        relay(store, self.run)
        left = to_do(self.plan, store, in_queue(store.root), self.run)
        in_vain = 0 if self.before is None or len(left) < self.before else self.in_vain + 1
        if left and in_vain < IN_VAIN:
            _submit(replace(self, before=len(left), in_vain=in_vain))
            events.leave()
            return
        found = states(self.plan, store)
        outcome = settled(self.plan, store, found, self.run)
        outputs, _ = lay_out(self.study, self.plan, store, outcome)
        there = {key for key, state in found.items() if state == "cached"}
        done = len(there) == len(found)
        sweep(store, Claims(store.root), there)
        status = "done" if done else "failed"
        events.end(status, outputs)
        tracker = tracker_of(self.study.spec, store)
        self.run.close(status, outputs=outputs)
        if done:
            compact(self.run)
        logged(tracker, self.study.spec, store, CLOSING_PATIENCE)


def _submit(closing: Closing) -> None:
    """Submit what is to be done, as far as there is room, and the closing job behind it."""
    plan, run, cluster = closing.plan, closing.run, closing.study.spec.cluster
    store = Store(closing.root)
    queue = in_queue(store.root)
    held = queued(store.root, queue)
    missing = to_do(plan, store, queue, run)
    tasks = wanted(plan, missing)
    mention(run, tasks)
    own = sum(one.mine for one in queue.values())
    room = cluster.slurm.max_queued - own - 1
    if room < 1 and tasks:
        raise slurm.SlurmError(
            f"cluster=slurm: {own} jobs are in the queue, and cluster.slurm.max_queued is "
            f"{cluster.slurm.max_queued}: wait, or raise it if the cluster takes more"
        )
    elsewhere = {key: one.job for key, one in held.tasks.items()}
    jobs = SlurmJobs(store.root, run, cluster)
    made = list(
        jobs.submit(arrays(tasks, elsewhere, task_seconds(plan, tasks, store), cluster, room))
    )
    others = dict.fromkeys(job for key, job in elsewhere.items() if key in plan.tasks)
    last = replace(closing, before=len(missing) if closing.before is None else closing.before)
    jobs.closing(last, after=[*ends(made), *others])


def ends(made: Sequence[Record]) -> list[str]:
    """The arrays that no other array waits for as a whole."""
    waited = {wait.partition(":")[2] for record in made for wait in record.waits}
    return [
        record.id
        for record in made
        if record.id not in waited and any(one.id not in waited for one in record.elements)
    ]


def to_do(plan: Plan, store: Store, queue: Mapping[str, slurm.Waiting], run: Run) -> list[str]:
    """Keys that no job in the queue holds, and that have not failed in a run, nor wait for such."""
    found = states(plan, store)
    held = queued(store.root, queue).tasks
    outcome = settled(plan, store, found, run)
    return [key for key in plan.tasks if key not in outcome.settled and key not in held]


def settled(plan: Plan, store: Store, before: Mapping[str, State], run: Run) -> Outcome:
    """What became of the tasks in a run: done or cached (`before`), failed, blocked by those.

    What is in none of these is not in the outcome: it waits, or was never run.
    """
    outcome, now = Outcome(), done_in(run)
    for key, state in states(plan, store).items():
        task = plan.tasks[key]
        gone = {
            role: [k for k in keys if outcome.settled.get(k) in ("failed", "blocked")]
            for role, keys in task.needs.items()
        }
        if state == "cached":
            old = before[key] == "cached" and key not in now
            outcome.settled[key] = "cached" if old else "done"
            if not old and key not in now:
                outcome.elsewhere.add(key)
        elif (failure := store.failure(key)) is not None and failure.time >= run.started:
            outcome.settled[key] = "failed"
            outcome.failures[key] = failure
        elif shortage(task, {role: keys for role, keys in gone.items() if keys}):
            outcome.settled[key] = "blocked"
    return outcome


def _detached(plan: Plan, store: Store, before: Mapping[str, State], run: Run) -> Ended:
    held = queued(store.root, in_queue(store.root))
    outcome = settled(plan, store, before, run)
    mine = {key: one.job for key, one in held.tasks.items() if key in plan.tasks}
    ended = Ended(plan, store, outcome, queued=mine)
    jobs = sum(len(record.elements) for record in run.records())
    ended.messages.append(
        f"run {run.name}: {counted(jobs, 'Slurm job', 'does')} the rest; see `ilmlip status`, "
        "`ilmlip logs`, `ilmlip cancel`"
    )
    return ended


def check_cluster(store: Store, missing: Sequence[str]) -> None:
    """Refuse to submit what a job on another cluster may hold: this one's queue does not say."""
    wanted = set(missing)
    for run in elsewhere(store):
        keys = {key for record in run.records() for one in record.elements for key in one.tasks}
        if wanted & (keys - done_in(run)):
            raise slurm.SlurmError(
                f"cluster=slurm: run {run.name} was submitted to the cluster {run.cluster}, and here "
                f"{slurm.cluster_name()} answers (SLURM_CONF); run again where {run.cluster} answers, "
                "or end that run there: ilmlip cancel"
            )


def elsewhere(store: Store) -> list[Run]:
    """Open runs of a store that another cluster has than the one that answers here."""
    found = [run for run in open_runs(store.root) if run.cluster]
    return [run for run in found if run.cluster != slurm.cluster_name()]


def end_lost(store: Store, queue: Mapping[str, slurm.Waiting]) -> list[Run]:
    """End runs of which no job is left in the queue and none ended them; they are returned."""
    held: Queued = queued(store.root, queue)
    lost, away = [], {run.name for run in elsewhere(store)}
    for run in open_runs(store.root):
        if run.name in held.jobs or run.name in away or time.time() - run.started < FRESH:
            continue
        with contextlib.suppress(StoreError):
            relay(store, run)
            Events.reopen(store.root, run.name).end("failed", {})
        run.close("lost")
        lost.append(run)
    return lost
