"""Stage `label`: energy, forces and stress of one frame; each frame is a task of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import model_validator

from ilmlip.chemistry.boxes import ion_names, read_one, write
from ilmlip.chemistry.forcefield import topology
from ilmlip.engines import lammps, xtb
from ilmlip.errors import StageError
from ilmlip.record import Record, field
from ilmlip.stages.base import Inputs, Output, Resources, Stage
from ilmlip.stages.forcefield import read_forcefield

if TYPE_CHECKING:
    from ase import Atoms


class Opls(Record):
    """Settings of labels by the force field."""

    cutoff: float = field("Cutoff of Lennard-Jones and real-space Coulomb", unit="Å", gt=0)
    kspace_accuracy: float = field("Relative accuracy of PPPM forces", gt=0)


class Xtb(Record):
    """Settings of labels by GFN1-xTB."""

    scf_accuracy: float = field("Accuracy of the self-consistent charges", gt=0)
    electronic_temperature: float = field("Temperature of the occupations", unit="K", gt=0)


class Params(Record):
    """Which frame, and by which engine."""

    frame: int = field("Number of the frame in the trajectory, from 0", ge=0)
    opls: Opls | None = field("The force field as engine", default=None)
    xtb: Xtb | None = field("GFN1-xTB as engine", default=None, later=True)
    stress: bool = field("Whether the label carries the stress", default=True, later=True)

    @model_validator(mode="after")
    def _one_engine(self) -> Self:
        if (self.opls is None) == (self.xtb is None):
            raise ValueError("give exactly one of opls and xtb")
        return self


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Label a frame of role `trajectory`; writes frame.extxyz. opls needs role `forcefield` too."""
    from ase.calculators.singlepoint import SinglePointCalculator

    try:
        atoms = read_one(inputs.one("trajectory").path / "trajectory.extxyz", params.frame)
    except IndexError:
        raise StageError(f"the trajectory has no frame {params.frame}") from None
    found: lammps.Labelled | xtb.Labelled
    values: dict[str, Any] = {}
    if params.xtb is not None:
        found = xtb.label(atoms, params.xtb.scf_accuracy, params.xtb.electronic_temperature)
        tools = xtb.tools()
    elif params.opls is not None:
        found = _opls(params.opls, atoms, inputs, work)
        values["terms"] = found.terms
        tools = lammps.tools()
    quantities = {"energy": found.energy, "forces": found.forces}
    if params.stress:
        quantities["stress"] = found.stress
    atoms.calc = SinglePointCalculator(atoms, **quantities)
    write(work / "frame.extxyz", atoms)
    return Output(("frame.extxyz",), {"energy": found.energy, **values}, tools)


def _opls(settings: Opls, atoms: Atoms, inputs: Inputs, work: Path) -> lammps.Labelled:
    """The label by the force field: LAMMPS in the work folder."""
    box = topology(read_forcefield(inputs.one("forcefield")), ion_names(atoms))
    how = lammps.Interactions(settings.cutoff, settings.kspace_accuracy)
    data = lammps.data_file(box, atoms.positions, atoms.cell.lengths())
    (work / lammps.DATA).write_text(data)
    (work / lammps.INPUT).write_text(lammps.label_input(box, how))
    lammps.run(work)
    return lammps.read_label(work)


def seconds(params: Params) -> float:
    """Of a box of a hundred atoms: LAMMPS is quick, tight binding is not."""
    return 4.0 if params.xtb is not None else 0.1


STAGE = Stage("label", 1, Params, run, Resources(memory_gb=0.4, seconds=0.1), seconds)
