"""Stage `md`: molecular dynamics with a trained model, by ASE or LAMMPS."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ilmlip.chemistry.boxes import read
from ilmlip.engines import lammps, model_dynamics, nequip, nequip_package
from ilmlip.engines.model_dynamics import TRAJECTORY, WALL_TIME, Every
from ilmlip.engines.thermo import THERMO
from ilmlip.errors import StageError
from ilmlip.observables.series import FEWEST_BLOCKS, cautious_mean
from ilmlip.record import Record, field
from ilmlip.spec.ensemble import Engine, Guards, Run
from ilmlip.stages.base import Inputs, Output, Resources, Size, Stage
from ilmlip.stages.costs import DYNAMICS, PER_ATOM

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

    values: `stable`, and if not `reason`; `steps`; of the times that `counts` `NAME` and
    `NAME_stderr` of temperature, density, potential energy and pressure, and the `drift` of what is
    conserved, meV/atom/ps. No means of a run that became unstable before those times ended.
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
    values: dict[str, Any] = {
        "stable": not ended.reason,
        **({"reason": ended.reason} if ended.reason else {}),
        "steps": ended.steps,
        "of_steps": round(params.run.whole() / params.run.timestep),
        "n_atoms": len(start),
    }
    if not became_unstable(params.run, values):
        values |= summary(params.run, work / THERMO)
        if params.engine == "ase" or params.run.kind != "npt":  # LAMMPS's wanders in npt
            values |= drift(first_rung(params.run, work / THERMO), len(start))
    return Output(
        (TRAJECTORY, THERMO),
        values,
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


def counts(run: Run, times: Any, end: float) -> NDArray[np.bool_]:
    """Which times (fs) of a run that lasted until `end` its averages are taken over.

    The last half; of a ladder the time at its first pressure after it settled there.
    """
    half = run.timestep / 2
    time = np.asarray(times, float)
    if run.pressures:
        return np.asarray((time > run.settle + half) & (time < run.span() + half))
    return np.asarray(time >= end / 2 - half)


def is_broken(values: Mapping[str, Any]) -> bool:
    """Whether a run (`values` of its result) became unstable; one that its wall time ended did not."""
    return not (values.get("stable", True) or str(values.get("reason", "")).startswith(WALL_TIME))


def became_unstable(run: Run, values: Mapping[str, Any]) -> str:
    """When and why a run (the `values` of its result) broke before what `counts` ended, or empty."""
    if not is_broken(values):
        return ""
    time = float(values["steps"]) * run.timestep
    if run.pressures and time >= run.span() - run.timestep / 2:
        return ""
    return f"the run became unstable at {time / 1000:g} ps: {values.get('reason', '')}"


def summary(run: Run, table: Path) -> dict[str, float]:
    """Means with standard errors (`cautious_mean`) of what `counts` in thermo.csv.

    Empty where that is too short for an error.
    """
    columns = model_dynamics.read_thermo(table)
    time = columns["time_fs"]
    there = counts(run, time, float(time[-1]))
    found: dict[str, float] = {}
    if there.sum() < FEWEST_BLOCKS:
        return found
    for name in AVERAGED:
        found[name], found[f"{name}_stderr"] = cautious_mean(columns[name][there])
    return found


def drift(columns: dict[str, Any], n_atoms: int) -> dict[str, float]:
    """Slope of what the equations of motion conserve, meV/atom/ps."""
    time = columns["time_fs"]
    if len(time) <= 2:
        return {}
    slope = float(np.polyfit(time, columns["conserved_eV"], 1)[0])
    return {"drift": 1e6 * slope / n_atoms}  # eV/fs to meV/ps


def seconds(params: Params, size: Size) -> float:
    """Linear in atoms and steps: 0.3 ms per atom of a small model that is not compiled."""
    return 10.0 + params.run.whole() / params.run.timestep * size.atoms * size.weight * PER_ATOM


STAGE = Stage(
    "md",
    2,
    Params,
    run,
    Resources(cores=1, memory_gb=2.0, seconds=120),
    seconds,
    law=DYNAMICS,
    goes_on=True,
)
