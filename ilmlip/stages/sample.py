"""Stage `sample`: dynamics of the liquid (NVT or NPT) that yields the configurations."""

from __future__ import annotations

import math
import shutil
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ilmlip.chemistry.boxes import frame, ion_names, read_one, write
from ilmlip.chemistry.forcefield import Box, topology
from ilmlip.engines import lammps, lammps_parts
from ilmlip.engines.lammps_dynamics import Clock, npt, nvt
from ilmlip.engines.thermo import COLUMNS, THERMO
from ilmlip.record import field
from ilmlip.stages.base import Inputs, Output, Resources, Size, Stage
from ilmlip.stages.costs import ATOM_STEPS, CLASSICAL
from ilmlip.stages.dynamics import Dynamics, write_thermo
from ilmlip.stages.equilibrate import END
from ilmlip.stages.forcefield import read_forcefield

PART, LONGEST = 50_000.0, 1_000_000.0
"""fs; NPT is run in parts of about the one, and NVT of the other at most: a run goes on from these."""
DUMP = "frames.dump"


class Params(Dynamics):
    """The run and its conditions."""

    duration: float = field("Length of the run", unit="fs", gt=0)
    interval: float = field("Time between kept frames", unit="fs", gt=0)
    barostat_time: float | None = field(
        "Damping time of the pressure (NPT)", unit="fs", gt=0, default=None, later=True
    )


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Sample; writes trajectory.extxyz (first frame after one interval) and thermo.csv.

    A run that was killed goes on from its last whole part.
    """
    start = inputs.one("structure").path
    box = topology(
        read_forcefield(inputs.one("forcefield")),
        ion_names(read_one(start / "structure.extxyz", 0)),
    )
    shutil.copyfile(start / END, work / lammps.DATA)
    (work / lammps.INPUT).write_text(lammps_input(params, box), encoding="utf-8")
    parts = _parts(params)
    done = lammps_parts.run(work, _settings(params, box), parts, inputs.earlier, DUMP)
    every = round(params.interval / params.timestep)
    kept = [s for s in lammps_parts.snapshots(work, DUMP) if s.step and s.step % every == 0]
    write(work / "trajectory.extxyz", [frame(box, s.values, s.lengths) for s in kept])
    rows = write_thermo(work, params.timestep, once=True)
    return Output(
        ("trajectory.extxyz", THERMO, lammps.INPUT, lammps.DATA),
        {"n_frames": len(kept), **summary(rows)},
        lammps.tools(),
        {"parts_taken_over": done},
    )


def lammps_input(params: Params, box: Box) -> str:
    """The run in LAMMPS's words, from `system.data` to DUMP."""
    return "\n".join([*_settings(params, box), *chain(*_parts(params))]) + "\n"


def _settings(params: Params, box: Box) -> list[str]:
    every = _clock(params).steps(params.interval)
    return [
        *lammps.head(box, params.interactions()),
        f"timestep {lammps.ps(params.timestep)}",
        *lammps.thermo(min(every, 100)),
        f"dump frames all custom {every} {DUMP} id xu yu zu",
        "dump_modify frames sort id format float %.12g",
    ]


def _clock(params: Params) -> Clock:
    barostat = params.barostat_time or params.thermostat_time
    return Clock(params.timestep, params.thermostat_time, barostat)


def _parts(params: Params) -> list[list[str]]:
    """The run in parts, each of a fix, its run, and its end."""
    clock, temperature = _clock(params), params.temperature
    if params.pressure is None:
        lines = nvt(clock, params.duration, temperature, math.ceil(params.duration / LONGEST))
    else:
        # parts, so that PPPM's mesh follows the box
        parts = max(4, round(params.duration / PART))
        ends = (temperature,) * 2, (params.pressure,) * 2
        lines = npt(clock, params.duration, *ends, parts)
    return [lines[i : i + 3] for i in range(0, len(lines), 3)]


def summary(rows: NDArray[np.float64]) -> dict[str, float]:
    """Means over a run of the columns that people look at."""
    means = dict(zip(COLUMNS, rows.mean(axis=0).tolist(), strict=True))
    names = ("temperature_K", "pressure_bar", "density_g_cm3", "potential_eV")
    return {name: means[name] for name in names}


def seconds(params: Params, size: Size) -> float:
    """LAMMPS does about 2,500 steps per second of a hundred atoms; linear in atoms."""
    return 1.0 + params.duration / params.timestep * size.atoms / ATOM_STEPS


STAGE = Stage(
    "sample",
    1,
    Params,
    run,
    Resources(memory_gb=0.5, seconds=30),
    seconds,
    law=CLASSICAL,
    goes_on=True,
)
