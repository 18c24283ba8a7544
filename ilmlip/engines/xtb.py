"""GFN1-xTB by tblite: energy, forces and stress of one periodic configuration."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ilmlip.chemistry.elements import MULTIPLICITIES
from ilmlip.chemistry.forcefield import ForceField
from ilmlip.engines.labelling import Labelled, NotConvergedError, Session
from ilmlip.errors import StageError
from ilmlip.spec.dft import Rung, Xtb
from ilmlip.units import BOHR, HARTREE, HARTREE_PER_K

if TYPE_CHECKING:
    from ase import Atoms

METHOD = "GFN1-xTB"
LAST = 86
"""Atomic number of the last element that GFN1-xTB has (Rn; J. Chem. Theory Comput. 13, 1989 (2017))."""
MAX_ITERATIONS = 250
"""Iterations of the self-consistent charges, after which a frame has no label."""


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

    Raises NotConvergedError if tblite gives up, StageError if what comes out is not finite.
    """
    from tblite.exceptions import TBLiteRuntimeError, TBLiteValueError
    from tblite.interface import Calculator

    settings = {
        "verbosity": 0,
        "accuracy": accuracy,
        "temperature": temperature * HARTREE_PER_K,
        "max-iter": max_iterations,
    }
    beyond = sorted({s for s, z in zip(atoms.symbols, atoms.numbers, strict=True) if z > LAST})
    if beyond:
        raise StageError(f"{METHOD} has no {', '.join(beyond)}; it knows elements up to Rn")
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
        raise NotConvergedError(f"{METHOD}: {error}") from error
    energy = float(found.get("energy")) * HARTREE
    forces = -np.asarray(found.get("gradient"), float) * (HARTREE / BOHR)
    virial = np.asarray(found.get("virial"), float) * (HARTREE / atoms.get_volume())
    stress = virial[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    return Labelled(energy, forces, stress).checked(METHOD)


class XtbSession(Session):
    """tblite in this very process; the charges start anew at each label."""

    def __init__(self, settings: Xtb) -> None:
        self._settings = settings

    def label(self, atoms: Atoms, rung: Rung | None = None) -> Labelled:
        """By one single point; of a rung, `max_steps` counts."""
        most = rung.max_steps if rung and rung.max_steps else MAX_ITERATIONS
        chosen = self._settings
        return label(atoms, chosen.scf_accuracy, chosen.electronic_temperature, max_iterations=most)

    def atom(self, element: str, edge: float, rung: Rung | None = None) -> float:
        """In free space: the Hamiltonian is of atoms' orbitals, so that a box changes nothing.

        GFN1-xTB knows spin by the occupations alone.
        """
        from ase.data import atomic_numbers
        from tblite.exceptions import TBLiteRuntimeError, TBLiteValueError
        from tblite.interface import Calculator

        try:
            calculator = Calculator(
                METHOD,
                np.array([atomic_numbers[element]]),
                np.zeros((1, 3)),
                charge=0.0,
                uhf=MULTIPLICITIES[element] - 1,
            )
            calculator.set("verbosity", 0)
            calculator.set("accuracy", self._settings.scf_accuracy)
            kelvin = self._settings.electronic_temperature
            calculator.set("temperature", kelvin * HARTREE_PER_K)
            return float(calculator.singlepoint().get("energy")) * HARTREE
        except (TBLiteRuntimeError, TBLiteValueError) as error:
            raise NotConvergedError(f"{METHOD}: {error}") from error

    def tools(self) -> dict[str, str]:
        """The version of tblite."""
        return tools()


def session(settings: Xtb, work: Path, forcefield: ForceField | None) -> Session:
    """tblite at work; it needs neither folder nor force field."""
    return XtbSession(settings)


def calculator(method: str, parameters: Mapping[str, float]) -> Any:
    """tblite as a calculator of ASE, for `method` GFN1-xTB or GFN2-xTB."""
    from tblite.ase import TBLite

    chosen: dict[str, Any] = {"method": method, "verbosity": 0, **parameters}
    return TBLite(**chosen)
