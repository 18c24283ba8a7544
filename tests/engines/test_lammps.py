"""Our LAMMPS input against an independent implementation, and against itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from liquid import CUTOFF, Liquid
from openmm_reference import Reference

from ilmlip.chemistry.forcefield import exact_sum
from ilmlip.engines import lammps
from ilmlip.engines.lammps_dynamics import Clock, nve, nvt, velocities
from ilmlip.errors import StageError
from ilmlip.spec.shipped import shipped

pytestmark = pytest.mark.engine

HOW = lammps.Interactions(CUTOFF, 1e-6)
RELATIVE = 1e-3
"""What the term-by-term comparison must hold to."""


def labelled(liquid: Liquid, work: Path, positions=None, lengths=None) -> lammps.Labelled:
    atoms = liquid.atoms
    positions = atoms.positions if positions is None else positions
    lengths = atoms.cell.lengths() if lengths is None else lengths
    work.mkdir(exist_ok=True)
    (work / lammps.DATA).write_text(
        lammps.data_file(liquid.box, positions, lengths), encoding="utf-8"
    )
    (work / lammps.INPUT).write_text(lammps.label_input(liquid.box, HOW), encoding="utf-8")
    lammps.run(work)
    return lammps.read_label(work)


@pytest.fixture(scope="module")
def ours(liquid: Liquid, tmp_path_factory: pytest.TempPathFactory) -> lammps.Labelled:
    return labelled(liquid, Path(tmp_path_factory.mktemp("label")))


@pytest.fixture(scope="module")
def reference(liquid: Liquid) -> Reference:
    files = {"EMIM": "emim", "Li": "li", "PF6": "pf6"}
    paths = {name: shipped("conf") / "ion" / f"{file}.yaml" for name, file in files.items()}
    return Reference(paths, liquid.box.names, liquid.system.charge_scale, CUTOFF)


@pytest.mark.parametrize("term", lammps.TERMS)
def test_each_term_agrees_with_openmm(
    term: str, liquid: Liquid, ours: lammps.Labelled, reference: Reference
) -> None:
    theirs = reference.terms(liquid.atoms.positions, liquid.atoms.cell.array)
    assert abs(theirs[term]) > 0.1  # eV; a term that vanishes would prove nothing
    assert ours.terms[term] == pytest.approx(theirs[term], rel=RELATIVE)


def test_energy_and_forces_agree_with_openmm(
    liquid: Liquid, ours: lammps.Labelled, reference: Reference
) -> None:
    positions, cell = liquid.atoms.positions, liquid.atoms.cell.array
    assert ours.energy == pytest.approx(sum(ours.terms.values()), abs=1e-9)
    assert ours.energy == pytest.approx(reference.energy(positions, cell), rel=RELATIVE)
    theirs = reference.forces(positions, cell)
    scale = np.sqrt((theirs**2).mean())
    assert np.abs(ours.forces - theirs).max() < RELATIVE * scale


def test_stress_is_the_strain_derivative_of_openmms_energy(
    liquid: Liquid, ours: lammps.Labelled, reference: Reference
) -> None:
    theirs = reference.stress(liquid.atoms.positions, liquid.atoms.cell.array)
    assert np.abs(theirs).max() > 1e-3  # eV/Å³
    assert np.abs(ours.stress - theirs).max() < 2e-3 * np.abs(theirs).max()


def test_stress_is_the_strain_derivative_of_our_energy(
    liquid: Liquid, ours: lammps.Labelled, tmp_path: Path
) -> None:
    strain, positions, lengths = 2e-4, liquid.atoms.positions, liquid.atoms.cell.lengths()
    volume = float(np.prod(lengths))
    for axis in range(3):
        energies = []
        for sign in (1, -1):
            factor = np.ones(3)
            factor[axis] += sign * strain
            found = labelled(
                liquid, tmp_path / f"{axis}{sign}", positions * factor, lengths * factor
            )
            energies.append(found.energy)
        slope = (energies[0] - energies[1]) / (2 * strain * volume)
        assert ours.stress[axis] == pytest.approx(slope, abs=2e-3 * np.abs(ours.stress).max())


def test_forces_are_the_negative_gradient(
    liquid: Liquid, ours: lammps.Labelled, tmp_path: Path
) -> None:
    step = 1e-3  # Å
    rng = np.random.default_rng(3)
    for atom in rng.choice(len(liquid.atoms), 3, replace=False):
        moved = []
        for sign in (1, -1):
            positions = liquid.atoms.positions.copy()
            positions[atom, 1] += sign * step
            moved.append(labelled(liquid, tmp_path / f"{atom}{sign}", positions).energy)
        slope = -(moved[0] - moved[1]) / (2 * step)
        assert ours.forces[atom, 1] == pytest.approx(slope, abs=2e-3)


def test_forces_sum_to_zero(ours: lammps.Labelled) -> None:
    assert np.abs(ours.forces.sum(axis=0)).max() < 5e-3  # eV/Å: PPPM's own error over 375 atoms


def test_the_box_is_neutral_to_the_last_digit(liquid: Liquid) -> None:
    assert exact_sum(liquid.box.charges.tolist()) == 0


def test_a_small_box_agrees_with_its_replica(liquid: Liquid, tmp_path: Path, system) -> None:
    """Energy per atom of a box smaller than the cutoff equals that of its 2×2×2 replica."""
    from ilmlip.chemistry.forcefield import scaled_forcefield, topology
    from ilmlip.chemistry.packing import pack

    counts = {"Li": 2, "PF6": 2}
    packed = pack(counts, {n: system.ions[n].geometry() for n in counts}, 5.4, 3)
    forcefield = scaled_forcefield(system.ions, system.charge_scale)
    energies = []
    for n in (1, 2):
        shifts = [
            np.array([x, y, z]) * packed.length
            for x in range(n) for y in range(n) for z in range(n)
        ]  # fmt: skip
        box = topology(forcefield, list(packed.names) * len(shifts))
        positions = np.concatenate([packed.positions + shift for shift in shifts])
        work = tmp_path / str(n)
        work.mkdir()
        (work / lammps.DATA).write_text(
            lammps.data_file(box, positions, [n * packed.length] * 3), encoding="utf-8"
        )
        (work / lammps.INPUT).write_text(
            lammps.label_input(box, lammps.Interactions(10.0, 1e-7)), encoding="utf-8"
        )
        lammps.run(work)
        energies.append(lammps.read_label(work).energy / len(shifts))
    assert packed.length < 2 * 10.0
    assert energies[0] == pytest.approx(energies[1], abs=2e-4)


def test_nve_conserves_energy(liquid: Liquid, tmp_path: Path) -> None:
    """5 ps at the sampler's time step: the drift stays below 0.05 meV/atom/ps."""
    atoms = liquid.atoms
    (tmp_path / lammps.DATA).write_text(
        lammps.data_file(liquid.box, atoms.positions, atoms.cell.lengths()), encoding="utf-8"
    )
    clock = Clock(1.0, 100.0, 1000.0)
    lines = [
        *lammps.head(liquid.box, lammps.Interactions(CUTOFF, 1e-4)),
        "timestep 0.001",
        *velocities(300.0, 5),
        *nvt(clock, 1000.0, 300.0),
        "reset_timestep 0",
        *lammps.thermo(10),
        *nve(clock, 5000.0),
    ]
    (tmp_path / lammps.INPUT).write_text("\n".join(lines) + "\n", encoding="utf-8")
    lammps.run(tmp_path)
    rows = lammps.read_thermo(tmp_path / lammps.LOG)
    run = rows[np.flatnonzero(rows[:, 0] == 0)[-1] :]
    drift = np.polyfit(run[:, 0] / 1000, run[:, 6] / len(atoms), 1)[0]
    assert len(run) > 400
    assert abs(drift) < 5e-5  # eV/atom/ps
    assert 200 < run[:, 1].mean() < 400


def test_a_failing_run_says_why(liquid: Liquid, tmp_path: Path) -> None:
    (tmp_path / lammps.INPUT).write_text(
        "units metal\natom_style full\npair_style nonsense\n", encoding="utf-8"
    )
    with pytest.raises(StageError) as error:
        lammps.run(tmp_path)
    assert "Unrecognized pair style 'nonsense'" in error.value.reason
    assert error.value.command.startswith("lmp -in in.lammps")
    assert (tmp_path / error.value.log).exists()
