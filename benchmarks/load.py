"""Many tasks that do nothing through the local executor: throughput, memory, the store's size."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Used, answer, measure, number, python
from benchmarks.report import Table

ALONE = 100
"""Jobs of one task each that raw submitit runs: as many as the tasks would take an hour."""


@dataclass(frozen=True)
class Size:
    """What a folder holds."""

    files: int
    bytes: int

    @classmethod
    def of(cls, folder: Path) -> Size:
        """Everything below a folder."""
        sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
        return cls(len(sizes), sum(sizes))


def main(quick: bool) -> Table:
    """A tenth of the tasks, and all of them; then raw submitit in as many jobs, and a job each."""
    most = 200 if quick else 10_000
    rows = []
    for count in (most // 10, most):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            command = python("benchmarks.drive", "probes", folder / "store", count)
            used, held = measure(command, folder), _held(folder)
            jobs = _jobs(folder / "store")
            size = Size.of(folder / "store")
            rows.append(_row(f"ilmlip, {count:,} tasks", jobs, count, used, size, held))
            again, held = measure(command, folder), _held(folder)
            rows.append(_row("the same again, all cached", 0, count, again, size, held))
    for count, packs in ((most, jobs), (ALONE // (10 if quick else 1), 0)):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            words = [count, packs] if packs else [count]
            used = measure(python("benchmarks.bare", folder, *words), folder)
            what = f"raw submitit, {count:,} functions" + ("" if packs else ", a job each")
            rows.append(_row(what, packs or count, count, used, Size.of(folder)))
    return Table(
        "load",
        ("submitit", "pydantic"),
        (
            "",
            "jobs",
            "tasks/s",
            "CPU, ms a task",
            "driver's peak, MiB",
            "first, last task",
            "files",
            "MB",
        ),
        rows,
    )


def _jobs(root: Path) -> int:
    """How many jobs the workers reported from."""
    reports = [path.read_text(encoding="utf-8") for path in (root / "jobs").glob("*/*.jsonl")]
    return sum(text.count('"began"') for text in reports)


def _held(folder: Path) -> str:
    """MiB that the driver held when the first and when the last task was settled."""
    held = answer(folder)
    return f"{number(held['first'])}, {number(held['last'])}"


def _row(
    what: str, jobs: int, count: int, used: Used, size: Size, held: str = ""
) -> tuple[str, ...]:
    return (
        what,
        str(jobs),
        number(count / used.wall),
        number(1000 * used.cpu / count),
        number(used.peak),
        held,
        f"{size.files:,}",
        number(size.bytes / 1e6),
    )
