"""GFN1-xTB by tblite: energy, forces and stress of one periodic configuration."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ilmlip.errors import StageError
from ilmlip.units import BOHR, HARTREE, HARTREE_PER_K

if TYPE_CHECKING:
    from ase import Atoms

METHOD = "GFN1-xTB"
MAX_ITERATIONS = 250
"""Iterations of the self-consistent charges, after which a frame has no label."""


@dataclass(frozen=True)
class Labelled:
    """Energy, forces and stress of one configuration."""

    energy: float
    """eV; the free energy of the electrons, whose derivatives the forces and the stress are."""
    forces: NDArray[np.float64]
    """Shape (atoms, 3), eV/Å."""
    stress: NDArray[np.float64]
    """Shape (6,): xx, yy, zz, yz, xz, xy in eV/Å³; positive is tension (ASE's convention)."""


def tools() -> dict[str, str]:
    """Versions of what labels."""
    return {"tblite": version("tblite")}


def label(
    atoms: Atoms,
    accuracy: float,
    temperature: float,
    *,
    max_iterations: int = MAX_ITERATIONS,
) -> Labelled:
    """Label a neutral box, periodic in all directions; `temperature` of the electrons in K.

    Raises StageError if the charges do not converge, or if what comes out is not finite.
    """
    from tblite.exceptions import TBLiteRuntimeError, TBLiteValueError
    from tblite.interface import Calculator

    settings = {
        "verbosity": 0,
        "accuracy": accuracy,
        "temperature": temperature * HARTREE_PER_K,
        "max-iter": max_iterations,
    }
    try:
        calculator = Calculator(
            METHOD,
            atoms.numbers,
            atoms.positions / BOHR,
            charge=0.0,
            lattice=atoms.cell.array / BOHR,
            periodic=np.ones(3, dtype=bool),
        )
        for name, value in settings.items():
            calculator.set(name, value)
        found = calculator.singlepoint()
    except (TBLiteRuntimeError, TBLiteValueError) as error:
        raise StageError(f"{METHOD}: {error}") from error
    energy = float(found.get("energy")) * HARTREE
    forces = -np.asarray(found.get("gradient"), float) * (HARTREE / BOHR)
    virial = np.asarray(found.get("virial"), float) * (HARTREE / atoms.get_volume())
    stress = virial[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    if not (np.isfinite(energy) and np.isfinite(forces).all() and np.isfinite(stress).all()):
        raise StageError(f"{METHOD} gave an energy, force or stress that is no number")
    return Labelled(energy, forces, stress)
