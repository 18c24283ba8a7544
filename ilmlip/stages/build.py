"""Stage `build`: ions on the vertices of a cubic grid, in random order, at low density."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ilmlip.chemistry.boxes import atoms_of, write
from ilmlip.chemistry.ion import IonGeometry
from ilmlip.chemistry.packing import TooTightError, closest_contact, pack
from ilmlip.errors import StageError
from ilmlip.record import Record, field
from ilmlip.stages.base import Inputs, Output, Resources, Stage


class Params(Record):
    """What the box holds and how it is packed."""

    counts: dict[str, int] = field("Number of each ion")
    ions: dict[str, IonGeometry] = field("Geometry of each ion")
    spacing: float = field("Spacing of the grid", unit="Å", gt=0)
    seed: int = field("Seed of order and orientation", ge=0)


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Pack the box; writes structure.extxyz."""
    try:
        packed = pack(params.counts, params.ions, params.spacing, params.seed)
    except TooTightError as error:
        raise StageError(f"{error} (sampling.grid_spacing)") from None
    sizes = [len(params.ions[name].elements) for name in packed.names]
    ion_id = np.repeat(np.arange(len(sizes)), sizes)
    ion_type = [n for n, size in zip(packed.names, sizes, strict=True) for _ in range(size)]
    elements = [e for name in packed.names for e in params.ions[name].elements]
    lengths = [packed.length] * 3
    write(
        work / "structure.extxyz", atoms_of(elements, ion_id, ion_type, packed.positions, lengths)
    )
    contact = closest_contact(packed.positions, ion_id.tolist(), packed.length)
    return Output(("structure.extxyz",), {"length": packed.length, "closest_contact": contact})


STAGE = Stage("build", 1, Params, run, Resources(memory_gb=0.3, seconds=0.1))
