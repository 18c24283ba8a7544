"""The stage label: one frame's energy, forces and stress, in ASE's conventions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from classical import Classical, give

from ilmlip.chemistry.boxes import read, write
from ilmlip.engines import lammps
from ilmlip.errors import StageError
from ilmlip.stages import label
from ilmlip.stages.base import Given

OPLS = label.Opls(cutoff=10.0, kspace_accuracy=1e-6)


def labelled(classical: Classical, folder: Path, frame: int, trajectory: Given | None = None):
    made = give(
        label.STAGE,
        label.Params(frame=frame, opls=OPLS),
        folder,
        forcefield=classical.forcefield,
        trajectory=trajectory or classical.sample,
    )
    (atoms,) = read(folder / "frame.extxyz")
    return made, atoms


def test_the_frame_is_that_of_the_trajectory(classical: Classical, tmp_path: Path) -> None:
    made, atoms = labelled(classical, tmp_path / "label", 4)
    source = read(classical.sample.path / "trajectory.extxyz")[4]
    assert np.array_equal(atoms.positions, source.positions)
    assert np.array_equal(atoms.cell.array, source.cell.array)
    for name in ("ion_id", "ion_type"):
        assert np.array_equal(atoms.get_array(name), source.get_array(name))
    assert atoms.get_potential_energy() == made.values["energy"]
    assert set(made.values["terms"]) == set(lammps.TERMS)
    assert sum(made.values["terms"].values()) == pytest.approx(made.values["energy"], abs=1e-8)


def test_forces_and_stress_are_derivatives_of_the_energy(
    classical: Classical, tmp_path: Path
) -> None:
    """By central differences, through the stage and its files as any user would."""
    _, atoms = labelled(classical, tmp_path / "label", 0)
    step, strain = 1e-3, 5e-4
    moved = []
    for i, sign in enumerate((1, -1)):
        shifted, strained = atoms.copy(), atoms.copy()
        shifted.positions[3, 0] += sign * step
        strained.set_cell(atoms.cell.array * (1 + sign * strain), scale_atoms=True)
        folder = tmp_path / f"moved{i}"
        folder.mkdir()
        write(folder / "trajectory.extxyz", [shifted, strained])
        given = Given("sample", folder, {})
        moved.append(
            [labelled(classical, folder / str(n), n, given)[0].values["energy"] for n in (0, 1)]
        )
    (up, larger), (down, smaller) = moved
    assert atoms.get_forces()[3, 0] == pytest.approx(-(up - down) / (2 * step), abs=3e-3)
    slope = (larger - smaller) / (2 * strain * atoms.get_volume())
    trace = float(atoms.get_stress()[:3].sum())
    assert trace == pytest.approx(slope, rel=5e-3, abs=5e-5)


def test_wrapping_an_atom_changes_nothing(classical: Classical, tmp_path: Path) -> None:
    _, atoms = labelled(classical, tmp_path / "label", 2)
    other = atoms.copy()
    other.positions[0] += atoms.cell.array[0]
    folder = tmp_path / "wrapped"
    folder.mkdir()
    write(folder / "trajectory.extxyz", [other])
    _, again = labelled(classical, tmp_path / "again", 0, Given("sample", folder, {}))
    assert again.get_potential_energy() == pytest.approx(atoms.get_potential_energy(), abs=1e-6)
    np.testing.assert_allclose(again.get_forces(), atoms.get_forces(), atol=1e-6)


def test_a_frame_past_the_end(classical: Classical, tmp_path: Path) -> None:
    with pytest.raises(StageError, match="no frame 20"):
        labelled(classical, tmp_path / "label", 20)
