"""Limits of Slurm's jobs that cannot work are refused with the arithmetic."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import ilmlip

from ilmlip.lint.cluster import limits
from ilmlip.spec.load import load

SLURM = ("quickstart", "cluster=slurm")
NOTICE, LEAST = "cluster.slurm.notice", "cluster.slurm.least_minutes"


@pytest.mark.parametrize(
    ("words", "places"),
    [
        ((), []),
        ((f"{LEAST}=2",), [(LEAST, "error")]),  # 120 - 90 - 60 = -30 s
        ((f"{LEAST}=3",), [(LEAST, "warning")]),  # 30 s
        ((f"{LEAST}=4",), []),
        ((f"{LEAST}=2", f"{NOTICE}=60"), [(LEAST, "error")]),  # 0 s
        ((f"{LEAST}=2", f"{NOTICE}=45"), [(LEAST, "warning")]),  # 15 s
        ((f"{NOTICE}=600",), [(LEAST, "error")]),
        (("cluster.slurm.longest_minutes=2",), [("cluster.slurm.longest_minutes", "error")]),
        (("cluster.stages.train={minutes: 2}",), [("cluster.stages.train.minutes", "error")]),
        (("cluster.stages.label={ranks: 8}",), [("cluster.stages.label.ranks", "error")]),
        (
            ("cluster.stages.label={cores: 10, ranks: 4}",),
            [("cluster.stages.label.ranks", "warning")],
        ),
        (("cluster.stages.label={cores: 32, ranks: 8}",), []),
        ((f"{LEAST}=2", "cluster=local"), []),
    ],
)
def test_limits(words: tuple[str, ...], places: list[tuple[str, str]]) -> None:
    found = list(limits(load([*SLURM, *words])))
    assert [(one.where, one.severity) for one in found] == places
    assert {one.code for one in found} <= {"slurm-limits"}


def test_a_run_is_refused_with_the_arithmetic(tmp_path: Path) -> None:
    """Before anything asks for Slurm."""
    answer = ilmlip("run", *SLURM, "scale=smoke", f"{LEAST}=2", cwd=tmp_path)
    assert answer.code == 2 and "120 - 90 - 60 = -30 s" in answer.err
    assert "at least 4 min" in answer.err and not (tmp_path / "store").exists()
