"""The stage label: one frame's energy, forces and stress, in ASE's conventions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from classical import Classical, give
from pydantic import ValidationError

from ilmlip.chemistry.boxes import read, write
from ilmlip.engines import lammps, xtb
from ilmlip.errors import StageError
from ilmlip.spec import dft
from ilmlip.stages import label
from ilmlip.stages.base import Given
from ilmlip.stages.dataset import read_label

OPLS = dft.Opls(cutoff=10.0, kspace_accuracy=1e-6)


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


def by_xtb(sample: Given, folder: Path, frame: int, **more: object):
    """A label by GFN1-xTB: no force field is given."""
    settings = dft.Xtb(scf_accuracy=0.1, electronic_temperature=300.0)
    params = label.Params.model_validate({"frame": frame, "xtb": settings, **more})
    made = give(label.STAGE, params, folder, trajectory=sample)
    (atoms,) = read(folder / "frame.extxyz")
    return made, atoms


@pytest.mark.engine
def test_quantum_labels_of_the_same_frame(classical: Classical, tmp_path: Path) -> None:
    """The frame stands as it was, with its ions; the stress has the force field's sign."""
    _, classically = labelled(classical, tmp_path / "opls", 4)
    made, atoms = by_xtb(classical.sample, tmp_path / "xtb", 4)
    assert np.array_equal(atoms.positions, classically.positions)
    assert np.array_equal(atoms.cell.array, classically.cell.array)
    for name in ("ion_id", "ion_type"):
        assert np.array_equal(atoms.get_array(name), classically.get_array(name))
    assert made.values == {"energy": atoms.get_potential_energy()}
    direct = xtb.label(classically, 0.1, 300.0)
    assert atoms.get_potential_energy() == pytest.approx(direct.energy, abs=1e-8)
    np.testing.assert_allclose(atoms.get_forces(), direct.forces, atol=1e-7)
    np.testing.assert_allclose(atoms.get_stress(), direct.stress, atol=1e-7)
    # the same sign: a box squeezed to 85 % of its edges pushes, whoever labels it
    squeezed = classically.copy()
    squeezed.set_cell(0.85 * squeezed.cell.array, scale_atoms=True)
    folder = tmp_path / "squeezed"
    folder.mkdir()
    write(folder / "trajectory.extxyz", [squeezed])
    given = Given("sample", folder, {})
    for found in (
        labelled(classical, folder / "opls", 0, given)[1],
        by_xtb(given, folder / "xtb", 0)[1],
    ):
        assert found.get_stress()[:3].mean() < -0.05  # eV/Å³


@pytest.mark.engine
def test_labels_without_stress(classical: Classical, tmp_path: Path) -> None:
    """They differ from those with stress in nothing else, and read as any label does."""
    params = label.Params(frame=4, opls=OPLS, stress=False)
    give(
        label.STAGE,
        params,
        tmp_path / "without",
        forcefield=classical.forcefield,
        trajectory=classical.sample,
    )
    _, full = labelled(classical, tmp_path / "with", 4)
    (opls,) = read(tmp_path / "without" / "frame.extxyz")
    assert np.array_equal(opls.get_forces(), full.get_forces())
    _, quantum = by_xtb(classical.sample, tmp_path / "xtb", 4, stress=False)
    assert "stress" in full.calc.results
    for atoms, name in ((opls, "without"), (quantum, "xtb")):
        assert set(atoms.calc.results) == {"energy", "forces"}
        frame = read_label(tmp_path / name / "frame.extxyz", name)
        assert frame.energy == atoms.get_potential_energy()


def test_a_label_has_one_engine() -> None:
    settings = dft.Xtb(scf_accuracy=0.1, electronic_temperature=300.0)
    for engines in ({}, {"opls": OPLS, "xtb": settings}):
        with pytest.raises(ValidationError, match="exactly one of opls, xtb, qe"):
            label.Params.model_validate({"frame": 0, **engines})
