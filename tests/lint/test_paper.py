"""The rank rule against the paper's own measurement (Table S6)."""

from __future__ import annotations

import csv
import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from ilmlip.chemistry.rank import Coverage, coverage

ROOT = Path(__file__).parents[2]
TABLE = ROOT.parent / "shared" / "paper" / "tables" / "s6_energy_mae_dft_allegro.csv"
PAGE = ROOT / "docs" / "lint.md"
CHARGES = {"EMIM": 1, "Li": 1, "PF6": -1}
USELESS = 100.0
"""meV/atom: a potential whose energies are further off than that somewhere does not transfer."""


@dataclass(frozen=True)
class Line:
    """A model of the table."""

    training: str
    rank: int
    transfers: bool
    apart: bool
    worst: float
    """Largest energy MAE over the eleven compositions, meV/atom."""

    def text(self) -> str:
        verdict = "yes" if self.transfers else "no"
        apart = "Li and EMIM" if self.apart else ""
        return f"| {self.training} | {self.rank} | {verdict} | {apart} | {self.worst:g} |"


def judged(training: str) -> Coverage:
    """Lint's view of a model of the paper: twenty pairs, tested from 0.0 to 1.0."""

    def box(x: float) -> dict[str, int]:
        n = round(20 * x)
        return {"EMIM": 20 - n, "Li": n, "PF6": 20}

    rows = [box(float(x)) for x in training.split("+")]
    return coverage(rows, [box(i / 10) for i in range(11)], CHARGES)


def lines() -> list[Line]:
    with TABLE.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(line for line in stream if not line.startswith("#")))
    found = []
    for row in rows:
        name = row.pop("model")
        seen = judged(name)
        worst = max(map(float, row.values()))
        found.append(Line(name, seen.rank, not seen.outside, bool(seen.apart), worst))
    return found


def documented() -> list[tuple[str, int, bool, float]]:
    """The table in docs/lint.md: training, rank, verdict, worst error."""
    pattern = r"^\| ([\d.+]+) \| (\d) \| (yes|no) \| .*? \| ([\d.e+]+) \|$"
    rows = re.findall(pattern, PAGE.read_text(encoding="utf-8"), re.M)
    return [
        (name, int(rank), verdict == "yes", float(worst)) for name, rank, verdict, worst in rows
    ]


def test_the_verdict_is_the_measurement_in_the_page() -> None:
    rows = documented()
    assert len(rows) == 16
    for name, rank, transfers, worst in rows:
        seen = judged(name)
        assert (seen.rank, not seen.outside) == (rank, transfers)
        assert transfers == (worst < USELESS), name


@pytest.mark.skipif(not TABLE.is_file(), reason="the paper's tables (shared/) are not here")
def test_the_page_is_the_papers_table() -> None:
    found = lines()
    assert len(found) == 16
    assert {line.training for line in found if not line.transfers} == {"0.1", "0.5", "0.9"}
    for line in found:
        assert line.transfers == (line.worst < USELESS)
    text = "\n".join(line.text() for line in found)
    if os.environ.get("REWRITE"):
        print(text)
    assert text in PAGE.read_text(encoding="utf-8")
