"""One interface to every engine of labels: a configuration in; energy, forces and stress out.

An engine's module has a function `session(settings, work, forcefield)` that gives a Session: the
engine at work in a folder, one process where it can, each label starting from the last density or
wavefunction where it can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from ilmlip.errors import StageError
from ilmlip.record import Record
from ilmlip.spec.derived import Aimd, Relax
from ilmlip.spec.dft import D3, Rung

if TYPE_CHECKING:
    from ase import Atoms

    from ilmlip.chemistry.forcefield import ForceField

MODULES = {
    "opls": "lammps_label",
    "xtb": "xtb",
    "qe": "qe",
    "cp2k": "cp2k",
    "gpaw": "gpaw",
    "vasp": "vasp",
}
"""The module of each engine, by the name of its settings."""


@dataclass(frozen=True)
class Labelled:
    """Energy, forces and stress of one configuration."""

    energy: float
    """eV; the quantity whose derivatives the forces and the stress are."""
    forces: NDArray[np.float64]
    """Shape (atoms, 3), eV/Å."""
    stress: NDArray[np.float64] | None
    """Shape (6,): xx, yy, zz, yz, xz, xy in eV/Å³; positive is tension (ASE's convention)."""
    terms: Mapping[str, float] = field(default_factory=dict)
    """The energy by its terms in eV, where the engine has them."""

    def checked(self, engine: str, log: str = "") -> Labelled:
        """Itself. Raises StageError if a number is not finite."""
        parts = [np.array(self.energy), self.forces]
        parts += [] if self.stress is None else [self.stress]
        if not all(np.isfinite(part).all() for part in parts):
            raise StageError(f"{engine} gave a non-finite energy, force or stress", log=log)
        return self


@dataclass(frozen=True)
class Step:
    """One configuration of a series with its label."""

    number: int
    atoms: Atoms
    label: Labelled
    temperature: float | None = None
    """K, in dynamics."""


class NotConvergedError(StageError):
    """The self-consistency did not converge: another try with other settings may help."""


class Session:
    """An engine at work. Subclasses say how it labels; the rest has defaults."""

    def label(self, atoms: Atoms, rung: Rung | None = None) -> Labelled:
        """Label a configuration, periodic in all directions.

        `rung`: what this try changes after one that did not converge. Raises NotConvergedError,
        or StageError for whatever else went wrong; both name the log.
        """
        raise NotImplementedError

    def atom(self, element: str, edge: float, rung: Rung | None = None) -> float:
        """Energy (eV) of a single atom in its ground state, in a cubic box of `edge` Å."""
        raise NotImplementedError

    def tools(self) -> dict[str, str]:
        """Versions of what labels."""
        raise NotImplementedError

    def files(self) -> tuple[str, ...]:
        """Inputs in the work folder that are kept with the result: the same at every run."""
        return ()

    def native(
        self,
        atoms: Atoms,
        moves: Aimd | Relax,
        temperature: float,
        rung: Rung | None = None,
        earlier: Path | None = None,
    ) -> Sequence[Step] | None:
        """A series by the engine's own dynamics or relaxation; None if it is to be done for it.

        `atoms` carry momenta for dynamics. Step 0 is the frame itself. `earlier`: work folder of an
        attempt that was broken off, to go on from.
        """
        return None

    def close(self) -> None:
        """End the engine's process, and remove what it left that nobody needs."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def same_box(one: Atoms, other: Atoms) -> bool:
    """Whether a density of one is a start for the other: same atoms, same cell."""
    return bool(
        len(one) == len(other)
        and (one.numbers == other.numbers).all()
        and np.array_equal(one.cell.array, other.cell.array)
    )


def open_session(
    engine: str,
    settings: Record,
    work: Path,
    forcefield: ForceField | None = None,
    d3: D3 | None = None,
) -> Session:
    """Start an engine (a name of MODULES) in a work folder; opls needs the force field.

    `d3`: dispersion that labels include. pw.x computes it itself, so that its own dynamics have it.
    """
    module: Any = import_module(f"ilmlip.engines.{MODULES[engine]}")
    own = (d3,) if engine == "qe" else ()
    found: Session = module.session(settings, work, forcefield, *own)
    if d3 is not None and not own:
        added: Any = import_module("ilmlip.engines.dispersion")
        found = added.Dispersed(found, d3)
    return found
