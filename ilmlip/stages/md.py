"""Stage `md`: molecular dynamics with a trained model, by ASE or LAMMPS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ilmlip.chemistry.boxes import read
from ilmlip.engines import lammps, model_dynamics, nequip, nequip_package
from ilmlip.engines.model_dynamics import TRAJECTORY, Every
from ilmlip.engines.thermo import THERMO
from ilmlip.errors import StageError
from ilmlip.observables.series import FEWEST_BLOCKS, mean_and_error
from ilmlip.record import Record, field
from ilmlip.spec.ensemble import Engine, Guards, Run
from ilmlip.stages.base import Inputs, Output, Resources, Stage

if TYPE_CHECKING:
    from ase import Atoms

AVERAGED = ("temperature_K", "density_g_cm3", "potential_eV", "pressure_bar")
"""Columns of the table whose means are values of the result."""


class Params(Record):
    """The run, its start and what is written of it."""

    run: Run = field("The conditions")
    seed: int = field("Seed of the first velocities", ge=0)
    supercell: tuple[int, int, int] = field("How often the box is repeated", default=(1, 1, 1))
    thermo_every: int = field("Steps between lines of the table", ge=1)
    frame_every: int = field("Steps between frames that are kept", ge=1)
    guards: Guards = field("When the run ends as unstable", default=Guards())
    engine: Engine = field("What moves the atoms", default="ase", later=True)


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Run the model (`model`, or its `compiled` form) from the last frame of `structure`.

    Writes trajectory.extxyz.gz (from step 0 on) and thermo.csv. A run that was killed goes on from
    its last restart.

    values: `stable`, and if not `reason`; `steps`; of the second half of what was run (of a ladder: at
    its first pressure) `NAME` and
    `NAME_stderr` of temperature, density, potential energy and pressure, and the `drift` of what is
    conserved, meV/atom/ps.
    """
    start = start_of(inputs.one("structure").path) * params.supercell
    calculator, elements = _calculator(inputs)
    if unknown := sorted(set(start.get_chemical_symbols()) - set(elements)):
        raise StageError(
            f"the box holds {', '.join(unknown)}; the model knows {', '.join(elements)}"
        )
    restart = int(inputs.how.get("restart_every", 2000))
    ended = model_dynamics.run(
        start,
        calculator,
        params.run,
        params.seed,
        Every(params.thermo_every, params.frame_every, restart),
        params.guards,
        work,
        inputs.earlier,
        params.engine,
    )
    return Output(
        (TRAJECTORY, THERMO),
        {
            "stable": not ended.reason,
            **({"reason": ended.reason} if ended.reason else {}),
            "steps": ended.steps,
            "of_steps": round(params.run.whole() / params.run.timestep),
            "n_atoms": len(start),
            **summary(first_rung(params.run, work / THERMO), len(start)),
        },
        nequip.tools() | (lammps.tools() if params.engine == "lammps" else {}),
        {"went_on_from_step": ended.begun},
    )


def start_of(folder: Path) -> Atoms:
    """The last frame of a trajectory, or the cell of a crystal."""
    for name in ("trajectory.extxyz", "structure.extxyz"):
        if (folder / name).is_file():
            return read(folder / name)[-1]
    raise StageError(f"{folder.name} holds no configuration to start from")


def _calculator(inputs: Inputs) -> tuple[Any, tuple[str, ...]]:
    folder = inputs.one("model").path
    elements = nequip.load(folder).types
    if "compiled" not in inputs.roles:
        return nequip.calculator(folder), elements
    file = inputs.one("compiled").path / nequip_package.COMPILED
    return nequip_package.calculator(file, packaged=False), elements


def first_rung(run: Run, table: Path) -> dict[str, Any]:
    """The columns of thermo.csv; of a ladder of pressures, while it was at the first one."""
    columns = model_dynamics.read_thermo(table)
    if not run.pressures:
        return columns
    there = columns["time_fs"] <= run.span()
    return {name: values[there] for name, values in columns.items()}


def summary(columns: dict[str, Any], n_atoms: int) -> dict[str, float]:
    """Means with standard errors over the second half of a run, and the drift of what is conserved.

    The error is by blocks (`mean_and_error`); left out of a run that is too short for one.
    """
    found: dict[str, float] = {}
    last = len(columns["step"]) // 2
    for name in AVERAGED:
        values = columns[name][last:]
        found[name] = float(np.mean(values))
        if len(values) >= FEWEST_BLOCKS:
            found[f"{name}_stderr"] = mean_and_error(values)[1]
    time = columns["time_fs"]
    if len(time) > 2:
        slope = float(np.polyfit(time, columns["conserved_eV"], 1)[0])
        found["drift"] = 1e6 * slope / n_atoms  # eV/fs to meV/ps
    return found


def seconds(params: Params) -> float:
    """About fifty steps a second of two hundred atoms, on one core."""
    return 10.0 + params.run.whole() / params.run.timestep / 50 * float(np.prod(params.supercell))


STAGE = Stage(
    "md",
    1,
    Params,
    run,
    Resources(cores=1, memory_gb=2.0, seconds=120),
    seconds,
    goes_on=True,
)
