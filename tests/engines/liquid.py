"""The liquid boxes that the tests of the force field share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms

from ilmlip.chemistry.boxes import frame
from ilmlip.chemistry.forcefield import Box, scaled_forcefield, topology
from ilmlip.chemistry.packing import pack
from ilmlip.engines import lammps
from ilmlip.engines.lammps_dynamics import Clock, minimise, nvt, squeeze, velocities
from ilmlip.spec.types import System

PAIRS, CUTOFF = 20, 8.0
"""Twenty pairs: edges of more than twice the cutoff, so that OpenMM's minimum image holds."""


@dataclass(frozen=True)
class Liquid:
    system: System
    box: Box
    atoms: Atoms


def shaken(
    system: System, counts: Mapping[str, int], edge: float, work: Path, spacing: float = 10.5
) -> Liquid:
    """A cube of `edge` Å that holds these ions: packed, squeezed and shaken a little."""
    packed = pack(counts, {name: system.ions[name].geometry() for name in counts}, spacing, 7)
    box = topology(scaled_forcefield(system.ions, system.charge_scale), packed.names)
    edges = [packed.length] * 3
    (work / lammps.DATA).write_text(
        lammps.data_file(box, packed.positions, edges), encoding="utf-8"
    )
    clock = Clock(1.0, 100.0, 1000.0)
    lines = [
        *lammps.head(box, lammps.Interactions(CUTOFF, 1e-4)),
        "timestep 0.001",
        *lammps.thermo(100),
        *minimise(clock, 11),
        *velocities(300.0, 11),
        *squeeze(clock, edge, 4000.0, 400.0),
        *nvt(clock, 1000.0, 300.0),
        "write_dump all custom end.dump id xu yu zu modify sort id format float %.8f",
    ]
    (work / lammps.INPUT).write_text("\n".join(lines) + "\n", encoding="utf-8")
    lammps.run(work)
    last = lammps.read_dump(work / "end.dump")[-1]
    return Liquid(system, box, frame(box, np.round(last.values, 8), last.lengths))
