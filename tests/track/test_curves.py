"""Curves of results: every metric against its step, thinned when long, with its end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ilmlip.store import Result
from ilmlip.track.curves import POINTS, is_kept, sample_curve, training_curve


def result(folder: Path) -> Result:
    return Result("train-k1-0", "train", 1, folder, {}, {}, {}, {}, {}, {}, "")


def test_a_training_curve_may_have_gaps(tmp_path: Path) -> None:
    (tmp_path / "curve.csv").write_text(
        "step,train_loss,val_loss\n1.0,2.5,\n2.0,,nan\n3,1,0.5\n", encoding="utf-8"
    )
    found = training_curve(result(tmp_path))
    assert [point[:2] for point in found] == [
        (1, "train_loss"), (2, "val_loss"), (3, "train_loss"), (3, "val_loss"),
    ]  # fmt: skip
    assert found[0][2] == 2.5 and found[1][2] != found[1][2]


def test_an_md_curve_has_short_names_and_only_those(tmp_path: Path) -> None:
    (tmp_path / "thermo.csv").write_text(
        "step,time_fs,temperature_K,kinetic_eV\n0,0,290,1\n", encoding="utf-8"
    )
    assert sample_curve(result(tmp_path)) == [(0, "temperature", 290.0)]


def test_no_file_no_curve(tmp_path: Path) -> None:
    assert training_curve(result(tmp_path)) == sample_curve(result(tmp_path)) == []


@pytest.mark.parametrize("n", [1, POINTS - 1, POINTS, POINTS + 1, 2 * POINTS, 7 * POINTS + 3])
def test_a_long_curve_is_thinned_and_keeps_its_end(tmp_path: Path, n: int) -> None:
    lines = [f"{i},{i / 2}" for i in range(1, n + 1)]
    (tmp_path / "curve.csv").write_text("\n".join(["step,loss", *lines]) + "\n", encoding="utf-8")
    found = training_curve(result(tmp_path))
    steps = [step for step, _, _ in found]
    assert steps[-1] == n and found[-1][2] == n / 2
    assert steps[: min(n, POINTS)] == list(range(1, min(n, POINTS) + 1))
    assert len(set(steps)) == len(steps) <= 2.6 * POINTS
    assert max(np.diff(steps), default=1) <= 1 + 2 * n // POINTS


def test_a_row_is_kept_or_not_whatever_comes_after_it() -> None:
    kept = [i for i in range(10 * POINTS) if is_kept(i)]
    assert len(kept) == POINTS + 3 * POINTS // 2 + sum(
        is_kept(i) for i in range(8 * POINTS, 10 * POINTS)
    )
    assert all(is_kept(2 * i) for i in kept)
