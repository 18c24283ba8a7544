"""Frames labelled in one run of LAMMPS get the numbers that each gets alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from liquid import CUTOFF, Liquid

from ilmlip.engines import lammps, lammps_series
from ilmlip.units import BAR

pytestmark = pytest.mark.engine


def test_a_series_gives_the_numbers_of_single_frames(liquid: Liquid, tmp_path: Path) -> None:
    how = lammps.Interactions(CUTOFF, 1e-5)
    rng = np.random.default_rng(3)
    alone = []
    for i, scale in enumerate((1.0, 1.01)):  # another box: PPPM must be set up anew
        positions = scale * liquid.atoms.positions + 0.01 * rng.normal(
            size=liquid.atoms.positions.shape
        )
        data = lammps.data_file(liquid.box, positions, scale * liquid.atoms.cell.lengths())
        (tmp_path / f"frame-{i}.data").write_text(data, encoding="utf-8")
        single = tmp_path / str(i)
        single.mkdir()
        (single / lammps.DATA).write_text(data, encoding="utf-8")
        (single / lammps.INPUT).write_text(lammps.label_input(liquid.box, how), encoding="utf-8")
        lammps.run(single)
        alone.append(lammps.read_label(single))
    (tmp_path / lammps.INPUT).write_text(
        lammps_series.label_input(liquid.box, how, 2), encoding="utf-8"
    )
    lammps.run(tmp_path)
    rows = np.loadtxt(tmp_path / lammps_series.LABELS)
    assert rows[:, 0].tolist() == [0, 1]
    for i, (row, expected) in enumerate(zip(rows, alone, strict=True)):
        xx, yy, zz, xy, xz, yz = row[2:]
        assert row[1] == expected.energy
        assert (-BAR * np.array([xx, yy, zz, yz, xz, xy]) == expected.stress).all()
        (forces,) = lammps.read_dump(tmp_path / f"forces-{i}.dump")
        assert (forces.values == expected.forces).all()
