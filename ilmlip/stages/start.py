"""Stage `start`: a configuration that the user gives, which runs of the models start from."""

from __future__ import annotations

from pathlib import Path

from ilmlip.chemistry.boxes import density, write
from ilmlip.chemistry.given import configuration
from ilmlip.errors import StageError
from ilmlip.record import Record, field
from ilmlip.stages.base import Inputs, Output, Resources, Stage

FRAME = "structure.extxyz"


class Params(Record):
    """Which file it is, and what it must hold."""

    sha256: str = field("SHA-256 of the file")
    composition: dict[str, int] = field("Number of each ion; only the ratios matter")
    ions: dict[str, tuple[str, ...]] = field("Elements of each ion's atoms; none of a crystal")
    bonds: dict[str, tuple[tuple[int, int], ...]] = field(
        "Bonded atoms of each ion, by their number from 0", default={}
    )
    densities: tuple[float, float] = field("Lowest and highest density", unit="g/cm³")


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Check the file of `how` and write its last frame, each ion in its data's order.

    values: its atoms and density. Raises StageError for a file that is gone, another one, or not of
    the composition.
    """
    path = Path(inputs.how.get("path", ""))
    try:
        atoms = configuration(
            path,
            params.sha256,
            params.ions,
            params.composition,
            params.densities,
            params.bonds,
        )
    except (ValueError, OSError) as error:
        raise StageError(f"{path.name} {error}") from error
    write(work / FRAME, atoms)
    return Output((FRAME,), {"n_atoms": len(atoms), "density_g_cm3": density(atoms)})


STAGE = Stage("start", 2, Params, run, Resources(memory_gb=0.5, seconds=1))
