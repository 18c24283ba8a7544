"""Follows a run that Slurm does: progress on stderr, events for MLflow, until its last job ends."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rich.console import Console

from ilmlip.execute import slurm
from ilmlip.execute.events import Events
from ilmlip.execute.progress import Display, Remaining
from ilmlip.execute.refusals import never_begins, remedy
from ilmlip.execute.relay import relay
from ilmlip.execute.submission import Queued, Run, ends_in, in_queue, queued
from ilmlip.plan.cost import task_seconds
from ilmlip.plan.graph import Plan, State
from ilmlip.store import Store

POLL, SLOWEST = 1.0, 10.0
"""Seconds between looks at the reports: longer by and by while nothing happens."""
ASK = 15.0
"""Seconds between questions to Slurm."""
MISSES = 3
"""Questions in a row to which Slurm knew no job of the run, after which it is lost."""


def follow(plan: Plan, store: Store, run: Run, before: Mapping[str, State]) -> list[str]:
    """Wait for the end of a run; returns what to tell the user.

    Raises KeyboardInterrupt, with a word on the jobs, which go on.
    """
    events = Events.reopen(store.root, run.name)
    events.watch()
    try:
        left = [plan.tasks[key] for key, state in before.items() if state != "cached"]
        remaining = Remaining(task_seconds(plan, left, store), None)
        with Display(plan, Console(stderr=True), remaining) as display:
            for key, state in before.items():
                if state == "cached":
                    display.update(plan.tasks[key], "cached")
            there = {key for key, state in before.items() if state == "cached"}
            return _Follower(plan, store, run, display, there).wait()
    except KeyboardInterrupt:
        events.leave()
        raise KeyboardInterrupt(
            f"the jobs of run {run.name} continue; see `ilmlip status`, or end them: `ilmlip cancel`"
        ) from None


class _Follower:
    def __init__(
        self, plan: Plan, store: Store, run: Run, display: Display, shown: set[str]
    ) -> None:
        self.plan, self.store, self.run, self.display = plan, store, run, display
        self.shown = shown
        self.asked = time.monotonic()
        self.misses = 0
        self.said: list[str] = []

    def wait(self) -> list[str]:
        """Until the run has ended, or is lost."""
        pause = POLL
        while self.run.closed() is None:
            relay(self.store, self.run)
            pause = POLL if self._news() else min(1.2 * pause, SLOWEST)
            if time.monotonic() - self.asked > ASK and not self._is_there():
                return [
                    *self.said,
                    f"run {self.run.name}: none of its jobs is in the queue any more, and none has "
                    "ended it; run again to continue from what is done",
                ]
            time.sleep(pause)
        self._news()
        closed = self.run.closed() or {}
        if closed.get("status") == "cancelled":
            self.said.append(f"run {self.run.name} was cancelled")
        return self.said

    def _news(self) -> bool:
        """Show the tasks that have ended since the last look."""
        fresh = False
        for report in self.run.folder.glob("*.jsonl"):
            for key, how in ends_in(report).items():
                if key in self.plan.tasks and key not in self.shown:
                    self.shown.add(key)
                    self.display.update(self.plan.tasks[key], how)
                    fresh = True
        return fresh

    def _stuck(self, found: Queued) -> None:
        """Tell at once of jobs that will not begin by themselves."""
        for held in found.tasks.values():
            if held.run.name != self.run.name or not never_begins(held.reason):
                continue
            text = f"jobs of {held.record.stage} will not begin ({held.reason}); "
            text += f"end the run (ilmlip cancel), {remedy(held.reason, held.record.stage)}"
            if text not in self.said:
                self.said.append(text)
                self.display.console.print(f"ilmlip: {text}", highlight=False)

    def _is_there(self) -> bool:
        """Whether Slurm still has jobs of the run."""
        self.asked = time.monotonic()
        try:
            found = queued(self.store.root, in_queue(self.store.root))
            there = self.run.name in found.jobs
            self._stuck(found)
        except slurm.SlurmError as error:
            if str(error) not in self.said:
                self.said.append(str(error))
            return True
        self.misses = 0 if there else self.misses + 1
        return self.misses < MISSES
