"""What is made of a configuration: dynamics and relaxation by given labels, scans, rattles.

Nothing here knows an engine: `label` gives energy, forces and stress of a configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ilmlip.chemistry.boxes import density
from ilmlip.engines.labelling import Labelled, Step
from ilmlip.spec.derived import Aimd, Rattle, Relax, VolumeScan

if TYPE_CHECKING:
    from ase import Atoms

SMALL = 1e-3
"""eV/Å; a relaxation ends early once no force is larger."""


def start_velocities(atoms: Atoms, temperature: float, seed: int) -> None:
    """Draw momenta from Maxwell and Boltzmann's distribution, without net momentum, at exactly T."""
    from ase.md.velocitydistribution import Stationary
    from ase.units import kB

    rng = np.random.default_rng(seed)
    masses = atoms.get_masses()[:, None]
    atoms.set_momenta(rng.normal(size=(len(atoms), 3)) * np.sqrt(masses * kB * temperature))
    Stationary(atoms)
    _rescale(atoms, temperature)


def kelvin(atoms: Atoms) -> float:
    """Temperature (K) of atoms without net momentum: 3n − 3 degrees of freedom."""
    from ase.units import kB

    return float(2 * atoms.get_kinetic_energy() / (max(3 * len(atoms) - 3, 1) * kB))


def dynamics(
    atoms: Atoms, label: Callable[[Atoms], Labelled], moves: Aimd, temperature: float
) -> Iterator[Step]:
    """Velocity Verlet in a fixed cell from the atoms' momenta; step 0 is the configuration itself.

    Velocities are rescaled to `temperature` (K) after a step that ends further off than the
    tolerance.
    """
    from ase.md.verlet import VelocityVerlet
    from ase.units import fs

    atoms = atoms.copy()
    atoms.calc = calculator = _Given(label)
    atoms.get_forces()
    yield Step(0, atoms.copy(), calculator.last, kelvin(atoms))
    mover = VelocityVerlet(atoms, timestep=moves.timestep * fs)
    for number in range(1, moves.steps + 1):
        mover.run(1)
        reached = kelvin(atoms)
        yield Step(number, atoms.copy(), calculator.last, reached)
        if abs(reached - temperature) > moves.tolerance:
            _rescale(atoms, temperature)


def relaxation(atoms: Atoms, label: Callable[[Atoms], Labelled], moves: Relax) -> Iterator[Step]:
    """BFGS in a fixed cell; step 0 is the configuration itself."""
    from ase.optimize import BFGS

    atoms = atoms.copy()
    atoms.calc = calculator = _Given(label)
    with BFGS(atoms, logfile=None) as mover:
        for number, _ in enumerate(mover.irun(fmax=SMALL, steps=moves.steps)):
            atoms.get_forces()
            yield Step(number, atoms.copy(), calculator.last)


def scanned(atoms: Atoms, scan: VolumeScan) -> list[Atoms]:
    """The configuration at each density: ions' centres scaled with the cell, ions rigid.

    Ions (array `ion_id`) must be whole, as they are in ilmlip's boxes.
    """
    ids = atoms.get_array("ion_id")
    now = density(atoms)
    found = []
    for wanted in np.linspace(*scan.ends(), scan.points):
        factor = (now / wanted) ** (1 / 3)
        made = atoms.copy()
        made.set_cell(atoms.cell.array * factor)
        for ion in np.unique(ids):
            own = ids == ion
            centre = np.average(atoms.positions[own], axis=0, weights=atoms.get_masses()[own])
            made.positions[own] += (factor - 1) * centre
        found.append(made)
    return found


def rattled(atoms: Atoms, rattle: Rattle, seed: int) -> list[Atoms]:
    """Copies with independent normal displacements."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(rattle.count):
        made = atoms.copy()
        made.positions += rng.normal(scale=rattle.amplitude, size=(len(atoms), 3))
        found.append(made)
    return found


def _rescale(atoms: Atoms, temperature: float) -> None:
    now = kelvin(atoms)
    if now > 0:
        atoms.set_momenta(atoms.get_momenta() * np.sqrt(temperature / now))


class _Given:
    """What ASE's movers take for a calculator: each configuration is labelled once."""

    def __init__(self, label: Callable[[Atoms], Labelled]) -> None:
        self._label = label
        self._at: Any = None
        self.last: Labelled

    def _labelled(self, atoms: Atoms) -> Labelled:
        if self._at is None or not np.array_equal(self._at, atoms.positions):
            self.last = self._label(atoms)
            self._at = atoms.positions.copy()
        return self.last

    def get_forces(self, atoms: Atoms) -> Any:
        """eV/Å."""
        return self._labelled(atoms).forces

    def get_potential_energy(self, atoms: Atoms, force_consistent: bool = False) -> float:
        """eV."""
        return self._labelled(atoms).energy
