"""Whether imported labels can be what their declared units and signs say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ilmlip.chemistry.boxes import density
from ilmlip.chemistry.connectivity import bonded
from ilmlip.engines.labelling import Labelled
from ilmlip.observables import consistency
from ilmlip.observables.consistency import Line
from ilmlip.observables.periodic import neighbours, smallest_height
from ilmlip.spec.files import Reading
from ilmlip.spec.label_units import ENERGY, FORCE, STRESS

if TYPE_CHECKING:
    from ase import Atoms

    Good = Sequence[tuple[Atoms, Labelled]]

NONMETALS = frozenset(["H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "As", "Se", "Br", "I"])
"""Elements whose bonds are counted as covalent."""
BLOCKS, LENGTH = 3, 20
"""How many stretches of successive frames are looked at, and how long each is."""
DENSITY, DENSEST = (0.15, 12.0), 25.0
"""g/cm³: usual densities of liquids and solids; osmium, the densest element, has 22.6."""
SHORTEST, SHORT, LONG = 0.65, 0.8, 1.6
"""Distance of nearest neighbors by the sum of covalent radii, the median over atoms: below SHORTEST
it is impossible, below SHORT and above LONG unusual. Molecules and salts have 0.9 to 1.2."""
STIFF, NEVER = (0.2, 2.5), (0.06, 7.0)
"""Force constants of covalent bonds by those of Badger's rule: what is usual, and beyond what is
impossible. Soft force fields have 0.3, density functional theory 0.6 to 1.2."""
MOLECULAR = 0.7
"""Share of atoms in molecules from which on these dominate changes of the stress. Where there are
fewer (PS4 in a crystal of lithium) only gross deviations are told, as unusual."""
STRONG = 10.0
"""eV/Å: an rms force far above that of any liquid or solid that is not far from equilibrium."""
SHOWN_FORCES = ("eV/Å", "Hartree/Bohr", "Ry/Bohr", "kcal/mol/Å", "kJ/mol/nm", "kJ/mol/Å")
SHOWN_STRESSES = ("eV/Å³", "GPa", "kbar", "bar", "Hartree/Bohr³", "Ry/Bohr³")
"""Units that a hint may name."""


@dataclass(frozen=True)
class Doubt:
    """What speaks against a set of labels."""

    message: str
    impossible: bool
    """Whether it cannot be right; else it is unusual."""


def doubts(good: Good, reading: Reading) -> list[Doubt]:
    """What is unusual or impossible about labelled frames in the order of their files.

    At most 60 frames are looked at, so that the time does not grow with the set.
    """
    chosen = _sample(good)
    if not chosen:
        return []
    bonds = [_covalent(atoms) for atoms, _ in chosen]
    found = [*_geometry(chosen), *_forces(chosen, bonds, reading)]
    if reading.stress_key is not None:
        found += _stress(chosen, bonds, reading)
    return found


def _sample(good: Good) -> Good:
    """Stretches of successive frames from the beginning, the middle and the end."""
    if len(good) <= BLOCKS * LENGTH:
        return good
    starts = np.linspace(0, len(good) - LENGTH, BLOCKS).astype(int)
    return [good[i] for start in starts for i in range(start, start + LENGTH)]


def _covalent(atoms: Atoms) -> NDArray[np.int64]:
    """(n, 2): the bonds between nonmetals."""
    metals = frozenset(atoms.get_chemical_symbols()) - NONMETALS
    i, j = bonded(atoms, metals)
    return np.array([i, j], np.int64).T[i < j].reshape(-1, 2)


# --- positions and cells


def _geometry(chosen: Good) -> Iterator[Doubt]:
    some = [chosen[i][0] for i in np.unique(np.linspace(0, len(chosen) - 1, 6).astype(int))]
    found = float(np.median([density(atoms) for atoms in some]))
    if not DENSITY[0] <= found <= DENSITY[1]:
        yield Doubt(
            f"the density is {found:.3g} g/cm³; liquids and solids have {DENSITY[0]:g} to "
            f"{DENSITY[1]:g}. Check dft.files.length_unit and cell_unit",
            found > DENSEST,
        )
    ratio = float(np.median(np.concatenate([_nearest(atoms) for atoms in some])))
    if not SHORT <= ratio <= LONG and np.isfinite(ratio):
        yield Doubt(
            f"atoms are {ratio:.2f} times the sum of their covalent radii from their nearest "
            f"neighbor (median); molecules and salts have 0.9 to 1.2. Check dft.files.length_unit",
            ratio < SHORTEST,
        )


def _nearest(atoms: Atoms) -> NDArray[np.float64]:
    """(n,): distance of each atom's nearest neighbor by the sum of both covalent radii."""
    from ase.data import covalent_radii

    cell = atoms.cell.array
    i, j, d = neighbours(atoms.positions, cell, min(6.0, 0.499 * smallest_height(cell)))
    radii = covalent_radii[atoms.numbers]
    found = np.full(len(atoms), np.inf)
    np.minimum.at(found, i, d / (radii[i] + radii[j]))
    return found


# --- forces


def _forces(chosen: Good, bonds: Sequence[NDArray[np.int64]], reading: Reading) -> Iterator[Doubt]:
    cells = [atoms.cell.array for atoms, _ in chosen]
    positions = [atoms.positions for atoms, _ in chosen]
    forces = [label.forces for _, label in chosen]
    symbols = [tuple(atoms.get_chemical_symbols()) for atoms, _ in chosen]
    here = _force_unit(reading)
    spring = consistency.stiffness(cells, positions, forces, symbols, bonds)
    if spring.points >= 10 and abs(spring.correlation) >= 0.7:
        yield from _spring(spring, here)
    rms = float(np.sqrt(np.mean([np.mean(f**2) for f in forces])))
    if rms > STRONG:
        yield Doubt(
            f"the forces have an rms of {rms:.3g} eV/Å; liquids and solids have 0.1 to 3. Check "
            "dft.files.energy_unit and forces_unit",
            False,
        )
    energies = [label.energy for _, label in chosen]
    gained = consistency.work(cells, positions, forces, energies, symbols)
    if gained.points >= 4 and abs(gained.correlation) >= 0.9:
        yield from _work(gained, reading, here)


def _force_unit(reading: Reading) -> float:
    """eV/Å in the declared unit of forces."""
    return FORCE[reading.forces_unit or f"{reading.energy_unit}/{reading.length_unit}"]


def _spring(spring: Line, here: float) -> Iterator[Doubt]:
    if spring.slope < 0:
        yield Doubt(
            "the forces push stretched bonds further apart: dft.files.forces_key holds gradients, the "
            "opposite of forces",
            spring.correlation < -0.9,
        )
    elif not STIFF[0] <= spring.slope <= STIFF[1]:
        fits = [u for u in SHOWN_FORCES if 0.2 <= spring.slope * FORCE[u] / here <= 1.5]
        yield Doubt(
            f"the forces make covalent bonds {spring.slope:.3g} times as stiff as they are (Badger's "
            f"rule). {_like(fits)}Check dft.files.energy_unit and forces_unit",
            not NEVER[0] <= spring.slope <= NEVER[1],
        )


def _like(units: Sequence[str]) -> str:
    return f"The numbers look like {' or '.join(units)}. " if units else ""


def _work(gained: Line, reading: Reading, here: float) -> Iterator[Doubt]:
    if 0.5 <= gained.slope <= 1.4:
        return
    forces = [u for u in SHOWN_FORCES if abs(gained.slope * here / FORCE[u] - 1) < 0.2]
    current = ENERGY[reading.energy_unit]
    energies = [u for u in ENERGY if abs(current / gained.slope / ENERGY[u] - 1) < 0.2]
    fits = [f"forces_unit={u}" for u in forces] + [
        f"energy_unit={u} with forces_unit={reading.forces_unit or 'the present one'}"
        for u in energies
    ]
    hint = f"It would fit with dft.files.{', or '.join(fits)}. " if fits else ""
    yield Doubt(
        f"energies change by {gained.slope:.3g} times the work of the forces from frame to frame; it "
        f"must be 1. {hint}Check dft.files.energy_unit, forces_unit and forces_key",
        abs(gained.correlation) > 0.95 and not 0.2 <= gained.slope <= 1.6,
    )


# --- stress


def _stress(chosen: Good, bonds: Sequence[NDArray[np.int64]], reading: Reading) -> Iterator[Doubt]:
    found = consistency.virial(
        [atoms.cell.array for atoms, _ in chosen],
        [atoms.positions for atoms, _ in chosen],
        [label.forces for _, label in chosen],
        [label.stress for _, label in chosen if label.stress is not None],
        bonds,
        [atoms.get_chemical_formula() for atoms, _ in chosen],
    )
    shares = [len(np.unique(b)) / len(atoms) for b, (atoms, _) in zip(bonds, chosen, strict=True)]
    molecular = bool(np.mean(shares) >= MOLECULAR)
    needed, least, usual = (18, 0.8, (0.55, 1.8)) if molecular else (90, 0.5, (0.2, 5.0))
    strength = abs(found.correlation)
    if found.points < needed or strength < least or usual[0] <= found.slope <= usual[1]:
        return
    hints = []
    if found.slope < 0:
        other = "tension" if reading.stress_sign == "compression" else "compression"
        hints.append(f"stress_sign={other}")
    units: Mapping[str, float] = STRESS if reading.stress_is == "stress" else ENERGY
    name = "stress_unit" if reading.stress_is == "stress" else "virial_unit"
    present = reading.stress_unit
    if reading.stress_is == "virial":
        present = reading.virial_unit or reading.energy_unit
    for unit in SHOWN_STRESSES if reading.stress_is == "stress" else ENERGY:
        fit = units[present] / abs(found.slope) / units[unit]
        if unit != present and abs(np.log(fit)) < np.log(1.15 if molecular else 1.8):
            hints.append(f"{name}={unit}")
    hint = f"It would fit with dft.files.{' and '.join(hints)}. " if hints else ""
    yield Doubt(
        f"the stress changes by {found.slope:.3g} times what the forces inside molecules give; it must "
        f"be about 1. {hint}Check dft.files.stress_sign, stress_is and stress_unit",
        molecular and strength > 0.9 and not 0.4 <= found.slope <= 2.5,
    )
