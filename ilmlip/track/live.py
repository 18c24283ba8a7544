"""The curves of dynamics that are still running: read from their work folders as they grow."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from ilmlip.store import Store
from ilmlip.track.curves import MD, is_kept, row_points
from ilmlip.track.mlflow_log import Log

THERMO = "thermo.csv"
EVERY = 2.0
"""Seconds between looks at the tables of running tasks."""


@dataclass
class _Table:
    """How far a table was read."""

    path: Path
    position: int = 0
    names: list[str] = field(default_factory=list)
    rows: int = 0


class Live:
    """Logs new rows of running tasks' tables; what it misses, the result brings."""

    def __init__(self, store: Store, log: Log) -> None:
        self.store, self.log = store, log
        self._tables: dict[str, _Table] = {}
        self._looked = 0.0

    def look(self, running: dict[str, str]) -> None:
        """Log what has come since the last look; `running`: MLflow run of each task, by key."""
        if not running or time.monotonic() - self._looked < EVERY:
            return
        self._looked = time.monotonic()
        for key, child in running.items():
            table = self._table(key)
            if table is not None and (points := _new(table)):
                there = self.log.steps(child, points[-1][1])
                self.log.points(child, [p for p in points if p[0] not in there])

    def _table(self, key: str) -> _Table | None:
        """The table of the newest attempt at a task."""
        found = sorted(
            (self.store.root / "work").glob(f"{key}.*/{THERMO}"), key=lambda p: p.stat().st_mtime
        )
        if not found:
            return None
        known = self._tables.get(key)
        if known is None or known.path != found[-1]:
            known = self._tables[key] = _Table(found[-1])
        return known


def _new(table: _Table) -> list[tuple[int, str, float]]:
    """Points of the rows that came since, whole lines only."""
    try:
        with table.path.open("rb") as lines:
            lines.seek(table.position)
            text = lines.read()
    except FileNotFoundError:  # the task has just ended
        return []
    whole = text[: text.rfind(b"\n") + 1]
    table.position += len(whole)
    found = []
    for line in whole.decode().splitlines():
        if not table.names:
            table.names = line.split(",")
            continue
        if is_kept(table.rows):
            found += row_points(dict(zip(table.names, line.split(","), strict=False)), MD)
        table.rows += 1
    return found
