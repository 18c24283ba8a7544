"""Cost of a task that does nothing: ilmlip's driver against raw submitit."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import Used, measure, number, python, spread
from benchmarks.report import Table

AIM = 10.0
"""ms of processor time a task."""
MS = 1000.0


def main(quick: bool) -> Table:
    """Interleave first run, second run and raw submitit."""
    tasks, jobs, repeats = (20, 2, 1) if quick else (200, 10, 3)
    first: list[Used] = []
    again: list[Used] = []
    raw: list[Used] = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            command = python("benchmarks.drive", "probes", folder / "store", tasks)
            first.append(measure(command, folder))
            again.append(measure(command, folder))
            raw.append(measure(python("benchmarks.bare", folder, jobs), folder))
    return Table(
        "overhead",
        ("submitit", "pydantic"),
        ("a task that does nothing", "CPU, ms", "wall, ms", "CPU, of raw submitit", "aim"),
        [
            _row(f"ilmlip, {tasks} tasks, new store", first, tasks, raw, jobs, f"{AIM:g} ms"),
            _row(f"ilmlip, the same {tasks} again, all cached", again, tasks, raw, jobs, ""),
            _row(f"raw submitit, {jobs} jobs, two at a time", raw, jobs, raw, jobs, ""),
        ],
    )


def _row(
    name: str, used: Sequence[Used], tasks: int, raw: Sequence[Used], jobs: int, aim: str
) -> tuple[str, ...]:
    parts = [u.cpu / tasks / (r.cpu / jobs) for u, r in zip(used, raw, strict=True)]
    cpu = spread([MS * u.cpu / tasks for u in used], number)
    wall = spread([MS * u.wall / tasks for u in used], number)
    return name, cpu, wall, spread(parts, lambda x: f"{x:.4f}"), aim
