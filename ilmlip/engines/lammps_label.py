"""Labels by the force field itself: LAMMPS evaluates one configuration after the other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ilmlip.chemistry.boxes import ion_names
from ilmlip.chemistry.forcefield import ForceField, topology
from ilmlip.engines import lammps
from ilmlip.engines.labelling import Labelled, Session
from ilmlip.errors import StageError
from ilmlip.spec.dft import Opls, Rung

if TYPE_CHECKING:
    from ase import Atoms


class LammpsSession(Session):
    """LAMMPS, a run for each label."""

    def __init__(self, settings: Opls, work: Path, forcefield: ForceField) -> None:
        self._how = lammps.Interactions(settings.cutoff, settings.kspace_accuracy)
        self._work, self._forcefield = work, forcefield

    def label(self, atoms: Atoms, rung: Rung | None = None) -> Labelled:
        """By a run of zero steps; nothing is iterated, so a rung changes nothing."""
        box = topology(self._forcefield, ion_names(atoms))
        data = lammps.data_file(box, atoms.positions, atoms.cell.lengths())
        (self._work / lammps.DATA).write_text(data, encoding="utf-8")
        (self._work / lammps.INPUT).write_text(lammps.label_input(box, self._how), encoding="utf-8")
        lammps.run(self._work)
        return lammps.read_label(self._work)

    def atom(self, element: str, edge: float, rung: Rung | None = None) -> float:
        """Always raises StageError: a force field gives no energy to a single atom."""
        raise StageError(f"a force field gives no energy to a single atom of {element}")

    def tools(self) -> dict[str, str]:
        """The version of LAMMPS."""
        return lammps.tools()


def session(settings: Opls, work: Path, forcefield: ForceField | None) -> Session:
    """LAMMPS at work in a folder."""
    if forcefield is None:
        raise StageError("labels by the force field need the force field")
    return LammpsSession(settings, work, forcefield)
