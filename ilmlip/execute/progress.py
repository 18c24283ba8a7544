"""The progress display on stderr: stages with done/total, the time since the start, the time left.

On a terminal a bar per stage; elsewhere (a log file) one line for what has changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Task as RichTask
from rich.text import Text

from ilmlip.grammar import counted, duration
from ilmlip.plan.graph import Plan
from ilmlip.plan.task import Task

ALL = "all"
"""The row that counts the tasks of every stage."""
LINE_EVERY = 15.0
"""Shortest time (s) between two lines where there is no terminal to draw on."""
KNOWN = 0.05
"""Part of the estimated work after which the time that it took says how long the rest takes."""


class _Elapsed(TimeElapsedColumn):
    """The time since the start of the run, on the row of all tasks alone."""

    def render(self, task: RichTask) -> Text:
        return super().render(task) if task.started else Text("")


class Remaining:
    """The time that is left, from the estimates of the tasks and the time that those done took.

    `seconds`: estimate of each task that is to be done, by key; `wall`: estimate of the whole run (s),
    None if nobody knows. `clock` gives the time (s).
    """

    def __init__(
        self,
        seconds: Mapping[str, float],
        wall: float | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.seconds, self.wall, self.clock = seconds, wall, clock
        self.began, self.whole, self.done = clock(), sum(seconds.values()), 0.0

    def settled(self, key: str) -> None:
        """A task is done, or will not be."""
        self.done += self.seconds.get(key, 0.0)

    def left(self) -> float | None:
        """Seconds that are left, None if nothing can be said yet."""
        spent = self.clock() - self.began
        part = self.done / self.whole if self.whole else 1.0
        if part >= KNOWN and spent > 0:
            return spent * max(1 - part, 0.0) / part
        return None if self.wall is None else max(self.wall - spent, 0.0)

    def __str__(self) -> str:
        left = self.left()
        return "" if left is None or left < 1 else f"about {duration(left)} left"


class Display:
    """A bar per stage on a terminal; elsewhere one line for the stages that have changed."""

    def __init__(self, plan: Plan, console: Console, remaining: Remaining | None = None) -> None:
        self.console, self.study = console, plan.study
        self.remaining = remaining or Remaining({}, None)
        self.total: dict[str, int] = {}
        for task in plan:
            self.total[task.stage] = self.total.get(task.stage, 0) + 1
        self.done = dict.fromkeys(self.total, 0)
        self.bad = dict.fromkeys(self.total, 0)
        self.cached = 0
        self.changed: set[str] = set()
        """Stages that have changed since the last line."""
        self.began = self.said = time.monotonic()
        self._bars = Progress(
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("[red]{task.fields[bad]}"),
            _Elapsed(),
            TextColumn("{task.fields[left]}"),
            console=console,
            disable=not console.is_terminal,
            refresh_per_second=2,
        )
        self._rows: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        for name, total in self.total.items():
            self._rows[name] = self._bars.add_task(name, total=total, bad="", left="", start=False)
        whole = sum(self.total.values())
        self._rows[ALL] = self._bars.add_task(ALL, total=whole, bad="", left=str(self.remaining))
        # a log that is empty for minutes looks like a run that is dead
        self._print(
            f"{self.study}: {counted(whole, 'task')} in {counted(len(self.total), 'stage')}"
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()
        if self.changed:
            self._line()

    def update(self, task: Task, how: str) -> None:
        """A task is settled."""
        name = task.stage
        self.done[name] += 1
        self.bad[name] += how in ("failed", "blocked")
        self.cached += how == "cached"
        if how != "cached":
            self.remaining.settled(task.key)
            self.changed.add(name)
        bad = f"{self.bad[name]} failed" if self.bad[name] else ""
        self._bars.update(self._rows[name], completed=self.done[name], bad=bad)
        self._bars.update(
            self._rows[ALL], completed=sum(self.done.values()), left=str(self.remaining)
        )
        if self.changed and time.monotonic() - self.said > LINE_EVERY:
            self._line()

    def _line(self) -> None:
        """The stages that have changed, all together, and what is left."""
        parts = []
        for name in (name for name in self.total if name in self.changed):
            bad = f" ({self.bad[name]} failed)" if self.bad[name] else ""
            parts.append(f"{name} {self.done[name]}/{self.total[name]}{bad}")
        self.changed.clear()
        self._print(", ".join(parts))

    def _print(self, text: str) -> None:
        if self.console.is_terminal:
            return
        self.said = time.monotonic()
        minutes, seconds = divmod(int(self.said - self.began), 60)
        counts = f"{sum(self.done.values())} of {sum(self.total.values())} settled"
        parts = [text, counts, str(self.remaining)]
        line = f"{minutes:d}:{seconds:02d}  {'; '.join(part for part in parts if part)}"
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)
