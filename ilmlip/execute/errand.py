"""What a job of Slurm's does: its pack of tasks in a process of its own, watched to the end.

The watching process outlives the one that works: a task that takes it down (out of memory, killed) is
kept as failed, and the rest of the pack goes on. Near the time limit the work is broken off; stages
that can go on are requeued, others get a new job with more time.
"""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ilmlip.errors import IlmlipError
from ilmlip.execute.submission import ends_in, said_in
from ilmlip.execute.worker import DOUBT, obituary, work
from ilmlip.grammar import counted
from ilmlip.stages import stage
from ilmlip.store import Failure, Store, stage_of

DEATHS = 3
"""Deaths of the working process before a task began that a pack survives."""
BUSY, LONGEST_BUSY = 2.0, 30.0
"""Seconds between looks at tasks that another process computes."""
EARLY = 75.0
"""Seconds by which Slurm may tell of a time limit too early."""

Next = Literal["requeue", "more time", "nothing"]


class TasksFailedError(IlmlipError):
    """Some tasks of a job failed, or were not run for want of others: the job ends as failed."""


@dataclass
class Errand:
    """A pack of tasks as a job does it."""

    root: Path
    packed: Sequence[Mapping[str, Any]]
    report: Path
    cores: int
    minutes: int
    """The job's time limit."""
    longest: int
    """The longest time limit, minutes, that a task is given."""
    notice: float
    """Seconds before the limit at which the job is told of it."""
    requeues: int
    """How often it may be requeued at its limit."""
    began: float = field(default=0.0, compare=False)
    worker: Any = field(default=None, compare=False)

    def run(self) -> None:
        """Do all tasks that have not ended. Raises TasksFailedError if any is not there then."""
        self.began = time.monotonic()
        deaths, pause = 0, BUSY
        while left := self.left():
            before = self._starts()
            self.worker = multiprocessing.get_context("fork").Process(
                target=self._work, args=[left]
            )
            self.worker.start()
            self.worker.join()
            if len(self._starts()) == len(before):
                deaths += 1
                if deaths >= DEATHS:
                    raise TasksFailedError(
                        f"the worker died {counted(deaths, 'time')} before it began"
                    )
            elif (current := self._in_hand()) is not None:
                time.sleep(DOUBT)  # if the job itself is being killed, this process goes as well
                self._bury(current, self.worker.exitcode)
            elif left == self.left():  # others compute what is left
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_BUSY)
        bad = {
            key: end for key, end in ends_in(self.report).items() if end not in ("done", "there")
        }
        if bad:
            raise TasksFailedError(
                f"{len(bad)} of {counted(len(self.packed), 'task', 'is')} not there: "
                + ", ".join(f"{key} ({end})" for key, end in bad.items())
            )

    def left(self) -> list[Mapping[str, Any]]:
        """The tasks that have not ended."""
        ends = ends_in(self.report)
        return [data for data in self.packed if data["key"] not in ends]

    def broken_off(self) -> Next:
        """End the work near the time limit, or before the job gives way; says what comes next.

        Whatever the task, a job of more time comes before a job that comes back with the same: one
        that is too short to reach a checkpoint would come back for ever. With the longest time
        there is, a task that can go on is requeued, and another one fails.
        """
        self._kill()
        if time.monotonic() - self.began < 60 * self.minutes - self.notice - EARLY:
            return "requeue"  # preempted
        current = self._in_hand()
        if current is not None and self.minutes >= self.longest:
            if stage(stage_of(current)).goes_on and self.requeues > 0:
                self.requeues -= 1
                return "requeue"
            if stage(stage_of(current)).goes_on or self._starts()[-1] == [current]:
                self._fail(current, self._too_long(current))  # it had all of the job's time
        return "more time" if self.left() else "nothing"

    def _too_long(self, key: str) -> str:
        if stage(stage_of(key)).goes_on:
            return (
                f"took longer than {self.minutes} minutes each time, as often as a job is requeued; "
                "raise cluster.slurm.requeues or its time limit; the next run continues from there"
            )
        return (
            f"took longer than {self.minutes} minutes, the longest time limit; raise "
            "cluster.slurm.longest_minutes"
        )

    def _work(self, packed: Sequence[Mapping[str, Any]]) -> None:
        if sys.platform == "linux":  # gone when the watching process is, however that ends
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        signal.signal(signal.SIGUSR2, signal.SIG_DFL)
        signal.signal(signal.SIGCONT, signal.SIG_DFL)
        # what Slurm sends to all before it takes the node away; the engines inherit that
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        work(self.root, packed, self.report, self.cores)

    def _kill(self) -> None:
        if self.worker is not None and self.worker.is_alive():
            self.worker.kill()
            self.worker.join()

    def _starts(self) -> list[list[str]]:
        """The tasks that each worker started, worker by worker."""
        found: list[list[str]] = []
        for said in said_in(self.report):
            if "began" in said:
                found.append([])
            elif "start" in said:
                found[-1].append(said["start"])
        return found

    def _in_hand(self) -> str | None:
        """The task that the last worker started and did not end."""
        current = None
        for said in said_in(self.report):
            if "start" in said:
                current = said["start"]
            elif "end" in said:
                current = None
        return current

    def _bury(self, key: str, code: int | None) -> None:
        killed = code is not None and code < 0
        how = f"by {signal.Signals(-code).name}" if killed and code else f"status {code}"
        self._fail(key, f"its worker died ({how}; killed, or out of memory)")

    def _fail(self, key: str, reason: str) -> None:
        failure = Failure(key, stage_of(key), reason, "", "", time.time())
        obituary(Store(self.root), failure)
        with self.report.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"end": key, "state": "failed"}) + "\n")
