"""Boxes as files: nothing is lost on the way, and a changed file is read again."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ilmlip.chemistry.boxes import atoms_of, frame, ion_names, read, read_one, write
from ilmlip.chemistry.forcefield import scaled_forcefield, topology
from ilmlip.chemistry.ion import load_ion
from ilmlip.spec.shipped import shipped

NAMES = ["Li", "PF6", "Li", "PF6"]


def box():
    ions = {n: load_ion(shipped("conf") / "ion" / f"{n.lower()}.yaml") for n in ("Li", "PF6")}
    return topology(scaled_forcefield(ions, 0.8), NAMES)


def test_a_frame_survives_its_file(tmp_path: Path) -> None:
    positions = np.random.default_rng(1).uniform(-20, 40, (16, 3))
    atoms = frame(box(), positions, [11.25, 11.25, 11.25])
    write(tmp_path / "box.extxyz", [atoms, atoms])
    again = read(tmp_path / "box.extxyz")
    assert len(again) == 2
    for found in again:
        np.testing.assert_allclose(found.positions, positions, atol=1e-8)  # not wrapped
        assert np.array_equal(found.cell.array, atoms.cell.array)
        assert found.get_chemical_symbols() == atoms.get_chemical_symbols()
        assert np.array_equal(found.get_array("ion_id"), atoms.get_array("ion_id"))
        assert ion_names(found) == NAMES


def test_one_frame_of_many(tmp_path: Path) -> None:
    path = tmp_path / "box.extxyz"
    frames = [atoms_of(["Li"], [0], ["Li"], np.full((1, 3), i), [9] * 3) for i in range(3)]
    write(path, frames)
    assert read_one(path, 2).positions[0, 0] == 2
    read_one(path, 2).positions[:] = 7  # a copy: the next reader sees the file's
    assert read_one(path, 2).positions[0, 0] == 2
    with pytest.raises(IndexError):
        read_one(path, 3)
    write(path, frames[::-1])
    os.utime(path, (1, 1))
    assert read_one(path, 2).positions[0, 0] == 0
