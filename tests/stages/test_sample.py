"""The stage sample: NVT at the temperature asked for, whole ions on continuous paths."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from classical import DENSITY, Classical, whole

from ilmlip.chemistry.boxes import ion_names, read
from ilmlip.engines import lammps
from ilmlip.stages.dynamics import COLUMNS


def test_frames_are_equally_spaced_and_the_first_is_one_interval_in(classical: Classical) -> None:
    frames = read(classical.sample.path / "trajectory.extxyz")
    assert len(frames) == classical.sample.values["n_frames"] == 20
    dumped = lammps.read_dump(classical.sample.path / "frames.dump")
    assert [snapshot.step for snapshot in dumped[1:]] == list(range(100, 2001, 100))
    np.testing.assert_allclose(frames[0].positions, dumped[1].values, atol=1e-7)


def test_ions_are_whole_and_paths_continuous(classical: Classical) -> None:
    path = classical.sample.path / "trajectory.extxyz"
    whole(path, classical.ions)
    frames = read(path)
    for before, after in pairwise(frames):
        assert ion_names(before) == ion_names(after)
        assert np.array_equal(before.cell.array, after.cell.array)
        assert np.abs(after.positions - before.positions).max() < 4.0  # Å in 100 fs; no jumps


def test_temperature_and_density(classical: Classical) -> None:
    values = classical.sample.values
    assert values["density_g_cm3"] == pytest.approx(DENSITY, rel=1e-6)
    assert 200 < values["temperature_K"] < 400  # sixty atoms, 2 ps


def test_thermo_covers_the_run(classical: Classical) -> None:
    with (classical.sample.path / "thermo.csv").open(newline="") as lines:
        header, *rows = csv.reader(lines)
    assert tuple(header) == COLUMNS
    assert [int(row[0]) for row in rows] == list(range(0, 2001, 100))
    table = np.array(rows, dtype=float)
    np.testing.assert_allclose(table[:, 1], table[:, 0])  # 1 fs a step
    np.testing.assert_allclose(table[:, 5] + table[:, 6], table[:, 7], rtol=1e-6)


def test_the_same_parameters_give_the_same_bytes(classical: Classical, tmp_path: Path) -> None:
    again = classical.sampled(tmp_path / "again")
    for name in ("trajectory.extxyz", "thermo.csv", lammps.INPUT):
        assert (again.path / name).read_bytes() == (classical.sample.path / name).read_bytes()


def test_the_inputs_name_no_place(classical: Classical) -> None:
    for folder in (classical.equilibrate.path, classical.sample.path):
        for name in (lammps.INPUT, lammps.DATA):
            assert str(classical.folder) not in (folder / name).read_text(encoding="utf-8")
