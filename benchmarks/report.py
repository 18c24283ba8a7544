"""A benchmark's table, and its place in README.md between two marker comments."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from ilmlip.report.dataset import markdown

README = Path(__file__).with_name("README.md")


@dataclass(frozen=True)
class Table:
    """What one benchmark found."""

    name: str
    packages: tuple[str, ...]
    """Those whose versions matter here."""
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    others: Mapping[str, str] = field(default_factory=dict)
    """Versions of packages that are in an environment of their own."""
    page: Path = README
    """Where it stands."""

    def text(self) -> str:
        """The table in Markdown under a line that says when, where and with what."""
        return f"{self._circumstances()}\n\n{markdown(self.columns, self.rows).rstrip()}"

    def _circumstances(self) -> str:
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        cores = len(os.sched_getaffinity(0))
        load = os.getloadavg()[0]
        versions = {name: version(name) for name in self.packages} | dict(self.others)
        shown = ", ".join(f"{name} {number}" for name, number in versions.items())
        return (
            f"{today}; {cores} cores, {processor()}; load {load:.1f} at the end; "
            f"Python {platform.python_version()}, {shown}"
        )


def insert(table: Table) -> None:
    """Replace what stands between the table's markers. Raises ValueError if they are not there."""
    text = table.page.read_text(encoding="utf-8")
    begin, end = f"<!-- {table.name} -->", f"<!-- /{table.name} -->"
    head, middle, rest = text.partition(begin)
    _, last, tail = rest.partition(end)
    if not (middle and last):
        raise ValueError(f"{table.page.name} has no markers {begin} and {end}")
    table.page.write_text(f"{head}{begin}\n{table.text()}\n{end}{tail}", encoding="utf-8")


def processor() -> str:
    """The kind of this machine's processor."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
