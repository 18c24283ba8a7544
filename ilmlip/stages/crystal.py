"""Stage `crystal`: one disordered cell of a crystal, as a trajectory of one frame."""

from __future__ import annotations

from pathlib import Path

from ilmlip.chemistry.boxes import atoms_of, write
from ilmlip.chemistry.crystal import Crystal
from ilmlip.chemistry.disorder import CrowdedError, disordered
from ilmlip.chemistry.packing import closest_contact
from ilmlip.errors import StageError
from ilmlip.record import Record, field
from ilmlip.stages.base import Inputs, Output, Resources, Stage

FRAMES = "trajectory.extxyz"


class Params(Record):
    """What the box holds, and which of its arrangements it is."""

    crystal: Crystal = field("The cell and its sites")
    counts: dict[str, int] = field("Number of each element")
    repeats: tuple[int, int, int] = field("Cells along each axis")
    seed: int = field("Seed of the disorder", ge=0)


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Arrange the box; writes trajectory.extxyz of one frame, in which each atom is an ion."""
    try:
        cell = disordered(params.crystal, params.counts, params.repeats, params.seed)
    except CrowdedError as error:
        raise StageError(f"{error} (system.crystal, seed {params.seed})") from None
    except ValueError as error:
        raise StageError(str(error)) from None
    number = len(cell.elements)
    atoms = atoms_of(cell.elements, range(number), cell.elements, cell.positions, cell.lengths)
    write(work / FRAMES, atoms)
    contact = closest_contact(cell.positions, range(number), cell.lengths)
    return Output((FRAMES,), {"closest_contact": contact, "atoms": number})


STAGE = Stage("crystal", 1, Params, run, Resources(memory_gb=0.3, seconds=0.3))
