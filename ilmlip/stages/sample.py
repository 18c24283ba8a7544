"""Stage `sample`: dynamics of the liquid (NVT or NPT) that yields the configurations."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ilmlip.chemistry.boxes import frame, ion_names, read_one, write
from ilmlip.chemistry.forcefield import Box, topology
from ilmlip.engines import lammps
from ilmlip.engines.lammps_dynamics import Clock, npt, nvt
from ilmlip.engines.thermo import COLUMNS, THERMO
from ilmlip.record import field
from ilmlip.stages.base import Inputs, Output, Resources, Stage
from ilmlip.stages.dynamics import Dynamics, write_thermo
from ilmlip.stages.equilibrate import END
from ilmlip.stages.forcefield import read_forcefield

PART = 50_000.0
"""fs; NPT is run in parts of about this length."""


class Params(Dynamics):
    """The run and its conditions."""

    duration: float = field("Length of the run", unit="fs", gt=0)
    interval: float = field("Time between kept frames", unit="fs", gt=0)
    barostat_time: float | None = field(
        "Damping time of the pressure (NPT)", unit="fs", gt=0, default=None, later=True
    )


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Sample; writes trajectory.extxyz (first frame after one interval) and thermo.csv."""
    start = inputs.one("structure").path
    box = topology(
        read_forcefield(inputs.one("forcefield")),
        ion_names(read_one(start / "structure.extxyz", 0)),
    )
    shutil.copyfile(start / END, work / lammps.DATA)
    (work / lammps.INPUT).write_text(lammps_input(params, box))
    lammps.run(work)
    every = round(params.interval / params.timestep)
    kept = [s for s in lammps.read_dump(work / "frames.dump") if s.step and s.step % every == 0]
    write(work / "trajectory.extxyz", [frame(box, s.values, s.lengths) for s in kept])
    rows = write_thermo(work, params.timestep, once=True)
    return Output(
        ("trajectory.extxyz", THERMO, lammps.INPUT, lammps.DATA),
        {"n_frames": len(kept), **summary(rows)},
        lammps.tools(),
    )


def lammps_input(params: Params, box: Box) -> str:
    """The run in LAMMPS's words, from `system.data` to `frames.dump`."""
    barostat = params.barostat_time or params.thermostat_time
    clock = Clock(params.timestep, params.thermostat_time, barostat)
    every = clock.steps(params.interval)
    lines = [
        *lammps.head(box, params.interactions()),
        f"timestep {lammps.ps(params.timestep)}",
        *lammps.thermo(min(every, 100)),
        f"dump frames all custom {every} frames.dump id xu yu zu",
        "dump_modify frames sort id format float %.12g",
        *_run(params, clock),
    ]
    return "\n".join(lines) + "\n"


def _run(params: Params, clock: Clock) -> list[str]:
    temperature = params.temperature
    if params.pressure is None:
        return nvt(clock, params.duration, temperature)
    # parts, so that PPPM's mesh follows the box
    parts = max(4, round(params.duration / PART))
    ends = (temperature,) * 2, (params.pressure,) * 2
    return npt(clock, params.duration, *ends, parts)


def summary(rows: NDArray[np.float64]) -> dict[str, float]:
    """Means over a run of the columns that people look at."""
    means = dict(zip(COLUMNS, rows.mean(axis=0).tolist(), strict=True))
    names = ("temperature_K", "pressure_bar", "density_g_cm3", "potential_eV")
    return {name: means[name] for name in names}


def seconds(params: Params) -> float:
    """LAMMPS does about 2,500 steps a second of a hundred atoms."""
    return 1.0 + params.duration / params.timestep / 2500


STAGE = Stage("sample", 1, Params, run, Resources(memory_gb=0.5, seconds=30), seconds)
