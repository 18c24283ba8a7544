"""Stage `label`: energy, forces and stress of one frame; each frame is a task of its own."""

from __future__ import annotations

from pathlib import Path

from ilmlip.chemistry.boxes import ion_names, read_one, write
from ilmlip.chemistry.forcefield import topology
from ilmlip.engines import lammps
from ilmlip.errors import StageError
from ilmlip.record import Record, field
from ilmlip.stages.base import Inputs, Output, Resources, Stage
from ilmlip.stages.forcefield import read_forcefield


class Opls(Record):
    """Settings of labels by the force field."""

    cutoff: float = field("Cutoff of Lennard-Jones and real-space Coulomb", unit="Å", gt=0)
    kspace_accuracy: float = field("Relative accuracy of PPPM forces", gt=0)


class Params(Record):
    """Which frame, and by which engine."""

    frame: int = field("Number of the frame in the trajectory, from 0", ge=0)
    opls: Opls = field("The force field as engine")


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Label the frame; writes frame.extxyz."""
    from ase.calculators.singlepoint import SinglePointCalculator

    try:
        atoms = read_one(inputs.one("trajectory").path / "trajectory.extxyz", params.frame)
    except IndexError:
        raise StageError(f"the trajectory has no frame {params.frame}") from None
    box = topology(read_forcefield(inputs.one("forcefield")), ion_names(atoms))
    how = lammps.Interactions(params.opls.cutoff, params.opls.kspace_accuracy)
    data = lammps.data_file(box, atoms.positions, atoms.cell.lengths())
    (work / lammps.DATA).write_text(data)
    (work / lammps.INPUT).write_text(lammps.label_input(box, how))
    lammps.run(work)
    found = lammps.read_label(work)
    atoms.calc = SinglePointCalculator(
        atoms, energy=found.energy, forces=found.forces, stress=found.stress
    )
    write(work / "frame.extxyz", atoms)
    return Output(("frame.extxyz",), {"energy": found.energy, "terms": found.terms}, lammps.tools())


STAGE = Stage("label", 1, Params, run, Resources(memory_gb=0.4, seconds=0.1))
