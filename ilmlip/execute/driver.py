"""Runs a plan to its end: each task once, a failure only to those that need it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ilmlip.errors import DamagedError
from ilmlip.execute import disk
from ilmlip.execute.claims import Claims
from ilmlip.execute.jobs import Job, Submitter, last_words
from ilmlip.execute.slots import Estimates, Slots, choose, needs, urgency
from ilmlip.execute.tidy import forget, sweep
from ilmlip.execute.worker import obituary, shortage
from ilmlip.plan.graph import Plan, is_current
from ilmlip.plan.task import Task
from ilmlip.spec.cluster import Cluster
from ilmlip.stages.base import Resources
from ilmlip.store import Failure, Result, Store

Settled = Literal["done", "cached", "failed", "blocked"]
POLL, SLOWEST = 0.05, 0.5
"""Seconds between looks at the running jobs: longer by and by while nothing happens."""
ELSEWHERE = 1.0
"""Seconds between looks at tasks that another driver computes."""
DEATHS = 3
"""Deaths of its worker before a task ever started that a task survives."""


@dataclass
class Outcome:
    """What became of every task of a plan, by key."""

    settled: dict[str, Settled] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    """Tasks that failed themselves; those blocked by them are in `settled` alone."""

    elsewhere: set[str] = field(default_factory=set)
    """Keys of tasks that are done and that another driver has computed meanwhile."""

    def count(self, kind: Settled) -> int:
        """How many tasks ended so."""
        return sum(1 for value in self.settled.values() if value == kind)


Listener = Callable[[Task, Settled], None]


class Driver:
    """One pass over a plan. `listen` is told of each task as it is settled, `began` as it begins."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        cluster: Cluster,
        submitter: Submitter,
        folder: Path,
        listen: Listener,
        began: Callable[[Task], None] = lambda _: None,
    ) -> None:
        self.plan, self.store, self.cluster = plan, store, cluster
        self.submitter, self.folder, self.listen = submitter, folder, listen
        self.began = began
        self.outcome = Outcome()
        self.claims = Claims(store.root)
        self.slots = Slots.of(cluster)
        self.estimates = Estimates()
        self.jobs: list[Job] = []
        self._started = 0
        self._digests: dict[str, str] = {}
        self._dependants = plan.dependants()
        self._waiting = {task.key: len(set(task.inputs())) for task in plan}
        self._ready: dict[str, list[Task]] = defaultdict(list)
        self._elsewhere: dict[str, float] = {}
        self._again: dict[str, set[str]] = {}
        """Damaged results that are made again, and which tasks wait for them."""
        self._deaths: dict[str, int] = defaultdict(int)
        self._urgency = urgency(plan.tasks, self.estimates)
        self._present = store.keys("results")

    def run(self) -> Outcome:
        """Settle every task. Interrupting ends the running jobs and leaves the store consistent."""
        # all of them first: considering one may settle it, and so make others ready
        for task in [task for task in self.plan if self._waiting[task.key] == 0]:
            self._consider(task)
        pause = POLL
        try:
            while len(self.outcome.settled) < len(self.plan) or self.jobs:
                moved = self._submit()
                moved |= self._collect()
                self._look_elsewhere()
                pause = POLL if moved else min(1.1 * pause, SLOWEST)
                if not moved:
                    time.sleep(pause)
        except BaseException:
            for job in self.jobs:
                job.handle.stop()
            raise
        there = {key for key, how in self.outcome.settled.items() if how in ("done", "cached")}
        sweep(self.store, self.claims, there)
        return self.outcome

    # --- from waiting to ready

    def _consider(self, task: Task) -> None:
        """All inputs of a task are settled: it is cached, blocked, or ready."""
        if again := [key for key in set(task.inputs()) if key in self._again]:
            self._waiting[task.key] = len(again)
            for key in again:
                self._again[key].add(task.key)
            return
        gone = {
            role: [key for key in keys if key not in self._digests]
            for role, keys in task.needs.items()
        }
        if shortage(task, {role: keys for role, keys in gone.items() if keys}):
            self._settle(task, "blocked")
            return
        result = self._result(task) if task.key in self._present else None
        if result is not None:
            self._digests[task.key] = result.digest
            self._settle(task, "cached")
            return
        self._ready[task.stage].append(task)

    def _result(self, task: Task) -> Result | None:
        """The result of a task if it is there, can be read, and was made from what is there now."""
        try:
            result = self.store.result(task.key)
        except DamagedError:
            return None  # whoever computes it sets it aside
        return result if result and is_current(result, self._digests, task) else None

    def _settle(self, task: Task, how: Settled) -> None:
        """Note a task's end and consider those that waited for it (as deep as the plan's chains)."""
        self.outcome.settled[task.key] = how
        self.listen(task, how)
        for key in self._again.pop(task.key, self._dependants[task.key]):
            self._waiting[key] -= 1
            if self._waiting[key] == 0:
                self._consider(self.plan.tasks[key])

    # --- from ready to running

    def _submit(self) -> bool:
        """Start as many jobs as fit, the most urgent stage first."""
        moved = False
        if self.jobs and self.slots.cores < 1:
            return moved
        for name in sorted(filter(self._ready.get, self._ready), key=self._stage_urgency):
            need = needs(self.cluster, name)
            while self._ready[name] and self._startable(need):
                self._start(name)
                moved = True
        return moved

    def _stage_urgency(self, name: str) -> float:
        return -max(self._urgency[t.key] for t in self._ready[name])

    def _startable(self, need: Resources) -> bool:
        """Whether a job fits; one that is larger than the machine starts when nothing else runs."""
        return self.slots.fits(need) or not self.jobs

    def _start(self, name: str) -> None:
        ready = self._ready[name]
        ready.sort(key=lambda t: (-self._urgency[t.key], next(iter(t.inputs()), ""), t.key))
        need = needs(self.cluster, name)
        free = max(1, self.slots.cores // max(need.cores, 1))
        tasks = choose(ready, free, self.estimates.seconds(name), self.cluster.pack_seconds)
        del ready[: len(tasks)]
        self._started += 1
        report = self.folder / f"{self._started:05d}-{name}.jsonl"
        report.touch()
        handle = self.submitter.submit(tasks, need, report)
        self.slots.take(need)
        self.jobs.append(Job({t.key: t for t in tasks}, need, handle, report))

    # --- from running to settled

    def _collect(self) -> bool:
        """Read what the jobs report, and pick up what a dead worker left."""
        moved = False
        for job in list(self.jobs):
            over = job.handle.ended()  # asked first: what it reported before is then all there
            for key, how in job.news():
                if how == "began":
                    self.began(self.plan.tasks[key])
                    continue
                self._ended(self.plan.tasks[key], how)
                moved = True
            if over:
                self.jobs.remove(job)
                self.slots.give(job.need)
                self._pick_up(job)
                if self.cluster.executor == "local" and len(job.ended) == len(job.tasks):
                    forget(job.report, job.handle.log(), job.ended.values())
                moved = True
        return moved

    def _ended(self, task: Task, end: str) -> None:
        if end == "busy":
            self._elsewhere[task.key] = time.monotonic()
        elif end in ("done", "there"):
            if end == "there":
                self.outcome.elsewhere.add(task.key)
            self._done(task)
        elif end == "blocked":  # an input was removed meanwhile
            self._settle(task, "blocked")
        elif end == "damaged":
            self._make_again(task)
        else:
            self._failed(task, self.store.failure(task.key))

    def _done(self, task: Task) -> None:
        result = self.store.result(task.key)
        if result is None:  # removed by hand meanwhile
            self._ready[task.stage].append(task)
            return
        self._digests[task.key] = result.digest
        self.estimates.learn(task.stage, result.seconds)
        self._settle(task, "done")

    def _make_again(self, task: Task) -> None:
        """Inputs of a task were damaged and are gone: they are made again first, then the task."""
        gone = [key for key in set(task.inputs()) if key in self._digests and self._is_gone(key)]
        for key in gone:
            del self.outcome.settled[key], self._digests[key]
            self._again[key] = set()
        self._consider(task)
        for key in gone:
            self._consider(self.plan.tasks[key])

    def _is_gone(self, key: str) -> bool:
        return not self.store.folder(key).exists()

    def _failed(self, task: Task, failure: Failure | None) -> None:
        if failure is None:
            failure = Failure(task.key, task.stage, "left no reason", "", "", time.time())
        if disk.stands_for_full(failure.reason) or disk.is_full(self.store.root):
            raise disk.full(self.store.root)  # so would every other task
        self.outcome.failures[task.key] = failure
        self._settle(task, "failed")

    def _pick_up(self, job: Job) -> None:
        """A worker is gone: the task in its hands failed, those it had not begun are ready again."""
        for key, task in job.tasks.items():
            if key in job.ended:
                continue
            self._deaths[key] += 1
            if self.claims.is_alive(key):  # its submitit died, it goes on
                self._elsewhere[key] = time.monotonic()
            elif key == job.current and self._result(task):
                self._done(task)  # it died before it could say so
            elif key == job.current or (not job.began and self._deaths[key] >= DEATHS):
                self._failed(task, self._obituary(task, job))
            else:
                self._ready[task.stage].append(task)

    def _obituary(self, task: Task, job: Job) -> Failure:
        log = job.handle.log()
        said = last_words(log)
        reason = "its worker died (killed, or out of memory)" + (f": {said}" if said else "")
        failure = Failure(task.key, task.stage, reason, "", "", time.time())
        return obituary(self.store, failure, log)

    def _look_elsewhere(self) -> None:
        """Tasks that another driver holds: settled by its result, or ours when its claim is gone."""
        now = time.monotonic()
        for key, since in list(self._elsewhere.items()):
            if now - since < ELSEWHERE:
                continue
            task = self.plan.tasks[key]
            self._elsewhere[key] = now
            if self.claims.is_alive(key):
                continue
            del self._elsewhere[key]
            self.claims.bury(key)
            if self._result(task):
                self.outcome.elsewhere.add(key)
                self._done(task)
            else:
                self._ready[task.stage].append(task)
