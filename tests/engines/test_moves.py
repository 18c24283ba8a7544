"""Dynamics, relaxation, scans and rattles, with labels by tight binding and by springs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.units import kB

from ilmlip.chemistry.boxes import read_one
from ilmlip.engines import moves
from ilmlip.engines.labelling import Labelled, open_session
from ilmlip.spec.derived import Aimd, Rattle, Relax, VolumeScan
from ilmlip.spec.dft import Xtb

FRAME = Path(__file__).parents[1] / "data" / "lipf6.extxyz"
PLACES = np.array([[1.0, 1, 1], [3, 1, 1], [1, 3, 1], [1, 1, 3]])
STIFF = 5.0  # eV/Å²


def springs(atoms: Atoms) -> Labelled:
    """Each atom bound to a place by a spring."""
    away = atoms.positions - PLACES
    return Labelled(0.5 * STIFF * float((away**2).sum()), -STIFF * away, None)


@pytest.fixture
def bound() -> Atoms:
    return Atoms("C4", positions=PLACES, cell=[6.0] * 3, pbc=True)


def test_velocities_have_exactly_the_temperature(bound: Atoms) -> None:
    moves.start_velocities(bound, 350.0, seed=3)
    assert moves.kelvin(bound) == pytest.approx(350.0, rel=1e-12)
    assert abs(bound.get_momenta().sum(axis=0)).max() < 1e-12
    other = bound.copy()
    moves.start_velocities(other, 350.0, seed=3)
    assert (other.get_momenta() == bound.get_momenta()).all()


def test_dynamics_conserve_energy_and_follow_the_springs(bound: Atoms) -> None:
    """Without rescaling; a period is 2π sqrt(m/k)."""
    moves.start_velocities(bound, 300.0, seed=1)
    free = Aimd(steps=200, timestep=0.5, tolerance=1e9)
    steps = list(moves.dynamics(bound, springs, free, 300.0))
    assert [step.number for step in steps] == list(range(201))
    assert np.array_equal(steps[0].atoms.positions, PLACES)
    total = [step.label.energy + step.atoms.get_kinetic_energy() for step in steps]
    assert np.ptp(total) < 2e-3 * total[0]
    # all atoms start at their places: the potential energy is zero again after half a period
    from ase.units import fs

    half = np.pi * np.sqrt(12.011 / STIFF) / fs
    potential = np.array([step.label.energy for step in steps])
    again = 10 + int(potential[10:].argmin())
    assert again * 0.5 == pytest.approx(half, abs=0.6)


def test_velocities_are_rescaled_beyond_the_tolerance(bound: Atoms) -> None:
    moves.start_velocities(bound, 300.0, seed=1)
    lowest = {}
    for tolerance in (10.0, 1e9):
        steps = moves.dynamics(bound, springs, Aimd(steps=30, tolerance=tolerance), 300.0)
        lowest[tolerance] = min(step.temperature or 0.0 for step in steps)
    # on the way up the springs a free run loses nearly all of it, a rescaled one what a step takes
    assert lowest[1e9] < 30 and lowest[10.0] > 200


def test_relaxation_goes_down_and_ends(bound: Atoms) -> None:
    bound.rattle(0.1, seed=2)
    steps = list(moves.relaxation(bound, springs, Relax(steps=30)))
    energies = [step.label.energy for step in steps]
    assert energies[-1] < 1e-6 < energies[0] and len(steps) < 31
    assert len(list(moves.relaxation(bound, springs, Relax(steps=2)))) == 3


def test_a_scan_keeps_molecules_rigid() -> None:
    frame = read_one(FRAME, 0)
    found = moves.scanned(frame, VolumeScan(densities=(0.4, 1.2), points=5))
    u = 1.66053906660
    densities = [a.get_masses().sum() * u / a.get_volume() for a in found]
    assert densities == pytest.approx([0.4, 0.6, 0.8, 1.0, 1.2])
    own = frame.get_array("ion_id") == 0
    for atoms in found:
        factor = atoms.cell[0, 0] / frame.cell[0, 0]
        shape = atoms.positions[own] - atoms.positions[own].mean(axis=0)
        assert np.allclose(shape, frame.positions[own] - frame.positions[own].mean(axis=0))
        for ion in (0, 1):
            mine = frame.get_array("ion_id") == ion
            mass = frame.get_masses()[mine]
            before = np.average(frame.positions[mine], axis=0, weights=mass)
            after = np.average(atoms.positions[mine], axis=0, weights=mass)
            assert np.allclose(after, factor * before)


def test_rattles_differ_and_repeat() -> None:
    frame = read_one(FRAME, 0)
    made = moves.rattled(frame, Rattle(amplitude=0.1, count=200), seed=4)
    moved = np.array([atoms.positions - frame.positions for atoms in made])
    assert moved.std() == pytest.approx(0.1, rel=0.03) and abs(moved.mean()) < 0.005
    again = moves.rattled(frame, Rattle(amplitude=0.1, count=200), seed=4)
    assert np.array_equal(again[7].positions, made[7].positions)


def test_energy_of_tight_binding_dynamics_is_conserved(tmp_path: Path) -> None:
    frame = read_one(FRAME, 0)
    moves.start_velocities(frame, 300.0, seed=1)
    settings = Xtb(scf_accuracy=0.01, electronic_temperature=300.0)
    with open_session("xtb", settings, tmp_path) as session:
        free = Aimd(steps=20, timestep=0.5, tolerance=1e9)
        steps = list(moves.dynamics(frame, session.label, free, 300.0))
        cold = session.label(steps[7].atoms)
    assert cold.energy == steps[7].label.energy
    assert np.array_equal(cold.forces, steps[7].label.forces)
    total = np.array([s.label.energy + s.atoms.get_kinetic_energy() for s in steps])
    assert np.ptp(total) / len(frame) < 0.0005  # eV an atom, in 10 fs
    assert kB * 300 > 0.02
