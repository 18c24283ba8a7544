"""Labels by GFN1-xTB against their own derivatives, and against tblite's ASE calculator."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms

from ilmlip.chemistry.boxes import atoms_of
from ilmlip.chemistry.packing import pack
from ilmlip.engines import xtb
from ilmlip.errors import StageError
from ilmlip.spec.load import load

pytestmark = pytest.mark.engine

ACCURACY, TEMPERATURE = 0.01, 300.0
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@pytest.fixture(scope="module")
def salt() -> Atoms:
    """Two pairs of LiPF6, squeezed to a density near the liquid's and shaken."""
    ions = load(["quickstart"]).system.ions
    counts = {"Li": 2, "PF6": 2}
    packed = pack(counts, {name: ions[name].geometry() for name in counts}, 5.4, 3)
    elements = [atom.element for name in packed.names for atom in ions[name].atoms]
    ids = [i for i, name in enumerate(packed.names) for _ in ions[name].atoms]
    types = [name for name in packed.names for _ in ions[name].atoms]
    atoms = atoms_of(elements, ids, types, packed.positions, [packed.length] * 3)
    # ions keep their shapes, their centres move with the cell
    factor = 0.78
    for ion in range(len(packed.names)):
        own = np.array(ids) == ion
        atoms.positions[own] += (factor - 1) * atoms.positions[own].mean(axis=0)
    atoms.set_cell(factor * atoms.cell.array)
    atoms.rattle(0.05, seed=1)
    return atoms


def label(atoms: Atoms) -> xtb.Labelled:
    return xtb.label(atoms, ACCURACY, TEMPERATURE)


@pytest.fixture(scope="module")
def ours(salt: Atoms) -> xtb.Labelled:
    return label(salt)


def test_forces_are_the_negative_gradient(salt: Atoms, ours: xtb.Labelled) -> None:
    step = 2e-3  # Å
    rng = np.random.default_rng(3)
    for atom in rng.choice(len(salt), 4, replace=False):
        for axis in range(3):
            energies = []
            for sign in (1, -1):
                moved = salt.copy()
                moved.positions[atom, axis] += sign * step
                energies.append(label(moved).energy)
            slope = -(energies[0] - energies[1]) / (2 * step)
            assert ours.forces[atom, axis] == pytest.approx(slope, abs=1e-3)


def test_stress_is_the_strain_derivative(salt: Atoms, ours: xtb.Labelled) -> None:
    """Every component, with ASE's sign: positive where the box would rather shrink."""
    assert np.abs(ours.stress).max() > 1e-2  # eV/Å³; a stress that vanishes would prove nothing
    assert np.abs(ours.stress[3:]).max() > 1e-3
    size = 5e-4
    for index, (i, j) in enumerate(VOIGT):
        energies = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[i, j] += sign * size / 2
            strain[j, i] += sign * size / 2
            strained = salt.copy()
            strained.set_cell(salt.cell.array @ strain, scale_atoms=True)
            energies.append(label(strained).energy)
        slope = (energies[0] - energies[1]) / (2 * size * salt.get_volume())
        assert ours.stress[index] == pytest.approx(slope, abs=1e-4)


def test_moving_or_wrapping_everything_changes_nothing(salt: Atoms, ours: xtb.Labelled) -> None:
    moved = salt.copy()
    moved.positions += [0.37, -1.1, 2.3]
    moved.positions[5] += moved.cell.array[0] - moved.cell.array[2]
    found = label(moved)
    assert found.energy == pytest.approx(ours.energy, abs=1e-5)
    np.testing.assert_allclose(found.forces, ours.forces, atol=1e-4)
    np.testing.assert_allclose(found.stress, ours.stress, atol=1e-5)
    assert np.abs(ours.forces.sum(axis=0)).max() < 1e-4


def test_the_label_is_that_of_tblites_own_calculator(salt: Atoms, ours: xtb.Labelled) -> None:
    """Its converters of units are its own (those of ase)."""
    from tblite.ase import TBLite

    atoms = salt.copy()
    atoms.calc = TBLite(
        method="GFN1-xTB",
        accuracy=ACCURACY,
        electronic_temperature=TEMPERATURE,
        verbosity=0,
    )
    assert ours.energy == pytest.approx(atoms.get_potential_energy(), rel=1e-7)
    np.testing.assert_allclose(ours.forces, atoms.get_forces(), atol=1e-5)
    np.testing.assert_allclose(ours.stress, atoms.get_stress(), atol=1e-6)


def test_the_same_frame_has_the_same_label(salt: Atoms, ours: xtb.Labelled) -> None:
    again = label(salt)
    assert again.energy == ours.energy
    assert np.array_equal(again.forces, ours.forces)


def test_the_temperature_of_the_electrons_is_in_kelvin(salt: Atoms) -> None:
    from tblite.ase import TBLite

    atoms = salt.copy()
    atoms.calc = TBLite(
        method="GFN1-xTB", accuracy=0.1, electronic_temperature=20_000.0, verbosity=0
    )
    hot = xtb.label(salt, 0.1, 20_000.0).energy
    assert hot == pytest.approx(atoms.get_potential_energy(), rel=1e-7)
    assert hot < xtb.label(salt, 0.1, 300.0).energy - 0.1  # occupations that matter, in eV


def test_charges_that_do_not_converge_are_no_label(salt: Atoms) -> None:
    with pytest.raises(StageError, match="SCF not converged in 2 cycles"):
        xtb.label(salt, ACCURACY, TEMPERATURE, max_iterations=2)


def test_an_element_that_the_method_does_not_have() -> None:
    """The parameters end at radon."""
    with pytest.raises(StageError, match="GFN1-xTB has no U; it knows elements up to Rn"):
        xtb.label(Atoms("U", cell=[8.0] * 3, pbc=True), ACCURACY, TEMPERATURE)
