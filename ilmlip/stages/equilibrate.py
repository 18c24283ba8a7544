"""Stage `equilibrate`: from the packed box to the liquid, by the protocol of the paper's Table S1.

The protocol ends in NPT; a box of a few ions does not settle there, so that it is brought to a
stated density afterwards, in which sampling by NVT then stays; on request it keeps its volume. Ahead
of sampling by NPT it settles in NPT at the sampling's temperature and pressure instead.
"""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import model_validator

from ilmlip.chemistry.boxes import frame, ion_names, read_one, write
from ilmlip.chemistry.forcefield import Box, topology
from ilmlip.engines import lammps, lammps_parts
from ilmlip.engines.lammps_dynamics import Clock, minimise, npt, nvt, squeeze, velocities
from ilmlip.engines.thermo import THERMO
from ilmlip.record import field
from ilmlip.spec.sampling import Minimise, Npt
from ilmlip.stages.base import Inputs, Output, Resources, Size, Stage
from ilmlip.stages.costs import ATOM_STEPS, CLASSICAL
from ilmlip.stages.dynamics import Dynamics, write_thermo
from ilmlip.stages.forcefield import read_forcefield
from ilmlip.units import AMU_PER_A3

END = "equilibrated.data"


class Params(Dynamics):
    """The protocol, durations already scaled, and the density at its end."""

    stages: tuple[Minimise | Npt, ...] = field("Minimisations and NPT stretches in sequence")
    density: float | None = field(
        "Density at the end; none: what the protocol or NPT makes it",
        unit="g/cm³",
        gt=0,
        default=None,
    )
    settle: float = field(
        "NVT at that density, half of it to get there; or NPT at the pressure", unit="fs", gt=0
    )
    keep_volume: bool = field("NVT at the volume that the stages end at", default=False, later=True)
    barostat_time: float = field("Damping time of the pressure", unit="fs", gt=0)

    @model_validator(mode="after")
    def _density_or_pressure(self) -> Self:
        given = (self.density is not None, self.pressure is not None, self.keep_volume)
        if sum(given) != 1:
            raise ValueError("give a density or keep_volume, for NVT, or a pressure, for NPT")
        return self


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Equilibrate; writes structure.extxyz, equilibrated.data (with velocities) and thermo.csv.

    An equilibration that was killed goes on from its last whole stage.
    """
    start = read_one(inputs.one("structure").path / "structure.extxyz", 0)
    box = topology(read_forcefield(inputs.one("forcefield")), ion_names(start))
    data = lammps.data_file(box, start.positions, start.cell.lengths())
    (work / lammps.DATA).write_text(data, encoding="utf-8")
    (work / lammps.INPUT).write_text(lammps_input(params, box), encoding="utf-8")
    done = lammps_parts.run(
        work, _settings(params, box), protocol(params, _length(params, box)), inputs.earlier
    )
    last = lammps.read_dump(work / "end.dump")[-1]
    write(work / "structure.extxyz", frame(box, last.values, last.lengths))
    write_thermo(work, params.timestep)
    reached = float(box.masses.sum()) * AMU_PER_A3 / float(np.prod(last.lengths))
    return Output(
        ("structure.extxyz", END, THERMO, lammps.INPUT, lammps.DATA),
        {"density": reached},
        lammps.tools(),
        {"stages_taken_over": done},
    )


def lammps_input(params: Params, box: Box) -> str:
    """The whole equilibration in LAMMPS's words, from `system.data` to END."""
    parts = protocol(params, _length(params, box))
    return "\n".join([*_settings(params, box), *chain(*parts)]) + "\n"


def _settings(params: Params, box: Box) -> list[str]:
    timestep = f"timestep {lammps.ps(params.timestep)}"
    return [*lammps.head(box, params.interactions()), timestep, *lammps.thermo(100)]


def _length(params: Params, box: Box) -> float | None:
    """The edges (Å) at the stated density, if one is stated."""
    if params.density is None:
        return None
    return float((float(box.masses.sum()) * AMU_PER_A3 / params.density) ** (1 / 3))


def protocol(params: Params, length: float | None) -> list[list[str]]:
    """Each stage in LAMMPS's words, the last one ending at edges of `length` Å, or at the pressure."""
    clock = Clock(params.timestep, params.thermostat_time, params.barostat_time)
    found = []
    for i, part in enumerate(params.stages):
        lines = [f"# stage {i + 1} of {len(params.stages)}"]
        if isinstance(part, Minimise):
            lines += minimise(clock, params.seed)
            following = next((p for p in params.stages[i:] if isinstance(p, Npt)), None)
            start = following.temperature[0] if following else params.temperature
            lines += velocities(start, params.seed)
        else:
            lines += npt(clock, part.duration, part.temperature, part.pressure)
        found.append(lines)
    end = [
        f"write_data {END}",
        "write_dump all custom end.dump id xu yu zu modify sort id format float %.12g",
    ]
    return [*found, [*_settle(params, clock, length), *end]]


def _settle(params: Params, clock: Clock, length: float | None) -> list[str]:
    if length is not None:
        return [
            "# to the stated density",
            *squeeze(clock, length, params.settle / 2, params.temperature),
            *nvt(clock, params.settle, params.temperature),
        ]
    if params.keep_volume:
        return ["# at the volume reached", *nvt(clock, params.settle, params.temperature)]
    last = [part for part in params.stages if isinstance(part, Npt)][-1:]
    start = last[0].temperature[1] if last else params.temperature
    pressure = (params.pressure or 0.0,) * 2
    return [
        "# to the temperature and pressure of the sampling",
        *npt(clock, params.settle / 2, (start, params.temperature), pressure),
        *npt(clock, params.settle / 2, (params.temperature,) * 2, pressure),
    ]


def seconds(params: Params, size: Size) -> float:
    """LAMMPS does about 2,500 steps per second of a hundred atoms; linear in atoms."""
    whole = params.settle + sum(part.duration for part in params.stages if isinstance(part, Npt))
    return 2.0 + whole / params.timestep * size.atoms / ATOM_STEPS


STAGE = Stage(
    "equilibrate",
    1,
    Params,
    run,
    Resources(memory_gb=0.5, seconds=30),
    seconds,
    law=CLASSICAL,
    goes_on=True,
)
