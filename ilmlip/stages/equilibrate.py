"""Stage `equilibrate`: from the packed box to the liquid, by the protocol of the paper's Table S1.

The protocol ends in NPT; a box of a few ions does not settle there, so it is brought to a stated
density afterwards, in which the sampling (NVT) then stays.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ilmlip.chemistry.boxes import frame, ion_names, read_one, write
from ilmlip.chemistry.forcefield import Box, topology
from ilmlip.engines import lammps
from ilmlip.engines.lammps_dynamics import Clock, minimise, npt, nvt, squeeze, velocities
from ilmlip.record import field
from ilmlip.spec.types import Minimise, Npt
from ilmlip.stages.base import Inputs, Output, Resources, Stage
from ilmlip.stages.dynamics import Dynamics, write_thermo
from ilmlip.stages.forcefield import read_forcefield
from ilmlip.units import AMU_PER_A3

END = "equilibrated.data"


class Params(Dynamics):
    """The protocol, durations already scaled, and the density at its end."""

    stages: tuple[Minimise | Npt, ...] = field("Minimisations and NPT stretches in sequence")
    density: float = field("Density at the end", unit="g/cm³", gt=0)
    settle: float = field("NVT at that density; half of it to get there", unit="fs", gt=0)
    barostat_time: float = field("Damping time of the pressure", unit="fs", gt=0)


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Equilibrate; writes structure.extxyz, equilibrated.data (with velocities) and thermo.csv."""
    start = read_one(inputs.one("structure").path / "structure.extxyz", 0)
    box = topology(read_forcefield(inputs.one("forcefield")), ion_names(start))
    data = lammps.data_file(box, start.positions, start.cell.lengths())
    (work / lammps.DATA).write_text(data)
    (work / lammps.INPUT).write_text(lammps_input(params, box))
    lammps.run(work)
    last = lammps.read_dump(work / "end.dump")[-1]
    write(work / "structure.extxyz", frame(box, last.values, last.lengths))
    write_thermo(work, params.timestep)
    reached = float(box.masses.sum()) * AMU_PER_A3 / float(np.prod(last.lengths))
    return Output(
        ("structure.extxyz", END, "thermo.csv", lammps.INPUT, lammps.DATA),
        {"density": reached},
        lammps.tools(),
    )


def lammps_input(params: Params, box: Box) -> str:
    """The whole equilibration in LAMMPS's words, from `system.data` to END."""
    how = lammps.Interactions(params.cutoff, params.kspace_accuracy)
    length = (float(box.masses.sum()) * AMU_PER_A3 / params.density) ** (1 / 3)
    return "\n".join([*lammps.head(box, how), *protocol(params, length)]) + "\n"


def protocol(params: Params, length: float) -> list[str]:
    """The stages in LAMMPS's words, ending at edges of `length` Å."""
    clock = Clock(params.timestep, params.thermostat_time, params.barostat_time)
    lines = [f"timestep {lammps.ps(params.timestep)}", *lammps.thermo(100)]
    for i, part in enumerate(params.stages):
        lines.append(f"# stage {i + 1} of {len(params.stages)}")
        if isinstance(part, Minimise):
            lines += minimise(clock, params.seed)
            following = next((p for p in params.stages[i:] if isinstance(p, Npt)), None)
            start = following.temperature[0] if following else params.temperature
            lines += velocities(start, params.seed)
        else:
            lines += npt(clock, part.duration, part.temperature, part.pressure)
    return [
        *lines,
        "# to the stated density",
        *squeeze(clock, length, params.settle / 2, params.temperature),
        *nvt(clock, params.settle, params.temperature),
        f"write_data {END}",
        "write_dump all custom end.dump id xu yu zu modify sort id format float %.12g",
    ]


def seconds(params: Params) -> float:
    """LAMMPS does about 2,500 steps a second of a hundred atoms."""
    whole = params.settle + sum(part.duration for part in params.stages if isinstance(part, Npt))
    return 2.0 + whole / params.timestep / 2500


STAGE = Stage("equilibrate", 1, Params, run, Resources(memory_gb=0.5, seconds=30), seconds)
