"""Fixtures of the force field's tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from liquid import CUTOFF, PAIRS, Liquid

from ilmlip.chemistry.boxes import frame
from ilmlip.chemistry.forcefield import scaled_forcefield, topology
from ilmlip.chemistry.packing import pack
from ilmlip.engines import lammps
from ilmlip.engines.lammps_dynamics import Clock, minimise, nvt, squeeze, velocities
from ilmlip.spec.load import load
from ilmlip.spec.types import System


@pytest.fixture(scope="session")
def system() -> System:
    return load(["quickstart"]).system


@pytest.fixture(scope="session")
def liquid(system: System, tmp_path_factory: pytest.TempPathFactory) -> Liquid:
    """Li[PF6] in [EMIM][PF6] at x = 0.4, packed, squeezed and shaken a little."""
    work = Path(tmp_path_factory.mktemp("liquid"))
    counts = {"EMIM": 12, "Li": 8, "PF6": PAIRS}
    packed = pack(counts, {name: system.ions[name].geometry() for name in counts}, 10.5, 7)
    box = topology(scaled_forcefield(system.ions, system.charge_scale), packed.names)
    edges = [packed.length] * 3
    (work / lammps.DATA).write_text(lammps.data_file(box, packed.positions, edges))
    clock = Clock(1.0, 100.0, 1000.0)
    lines = [
        *lammps.head(box, lammps.Interactions(CUTOFF, 1e-4)),
        "timestep 0.001",
        *lammps.thermo(100),
        *minimise(clock, 11),
        *velocities(300.0, 11),
        *squeeze(clock, 16.6, 4000.0, 400.0),
        *nvt(clock, 1000.0, 300.0),
        "write_dump all custom end.dump id xu yu zu modify sort id format float %.8f",
    ]
    (work / lammps.INPUT).write_text("\n".join(lines) + "\n")
    lammps.run(work)
    last = lammps.read_dump(work / "end.dump")[-1]
    return Liquid(system, box, frame(box, np.round(last.values, 8), last.lengths))
