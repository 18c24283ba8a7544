"""The progress display on stderr: each stage with done/total, and the time since the start."""

from __future__ import annotations

import time
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

from ilmlip.plan.graph import Plan
from ilmlip.plan.task import Task

ALL = "all"
"""The row that counts the tasks of every stage."""
LINE_EVERY = 15.0
"""Seconds between lines where there is no terminal to draw on."""


class _Elapsed(TimeElapsedColumn):
    """The time since the start of the run, on the row of all tasks alone."""

    def render(self, task: RichTask) -> Text:
        return super().render(task) if task.started else Text("")


class Display:
    """A bar a stage on a terminal; elsewhere (a log file) a line now and then."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self.console = console
        self.total: dict[str, int] = {}
        for task in plan:
            self.total[task.stage] = self.total.get(task.stage, 0) + 1
        self.done = dict.fromkeys(self.total, 0)
        self.bad = dict.fromkeys(self.total, 0)
        self.began = self.said = time.monotonic()
        self._bars = Progress(
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("[red]{task.fields[bad]}"),
            _Elapsed(),
            console=console,
            disable=not console.is_terminal,
            refresh_per_second=2,
        )
        self._rows: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        for name, total in self.total.items():
            self._rows[name] = self._bars.add_task(name, total=total, bad="", start=False)
        self._rows[ALL] = self._bars.add_task(ALL, total=sum(self.total.values()), bad="")
        if not self.console.is_terminal:
            self._line()  # a log that is empty for minutes looks like a run that is dead
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()
        if not self.console.is_terminal:
            self._line()

    def update(self, task: Task, how: str) -> None:
        """A task is settled."""
        name = task.stage
        self.done[name] += 1
        self.bad[name] += how in ("failed", "blocked")
        bad = f"{self.bad[name]} failed" if self.bad[name] else ""
        self._bars.update(self._rows[name], completed=self.done[name], bad=bad)
        self._bars.update(self._rows[ALL], completed=sum(self.done.values()))
        if not self.console.is_terminal and time.monotonic() - self.said > LINE_EVERY:
            self._line()

    def _line(self) -> None:
        self.said = time.monotonic()
        parts = []
        for name, total in self.total.items():
            bad = f" ({self.bad[name]} failed)" if self.bad[name] else ""
            parts.append(f"{name} {self.done[name]}/{total}{bad}")
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        self.console.print(f"{minutes:d}:{seconds:02d}  " + "  ".join(parts), highlight=False)
