"""Stage `choose`: the frames of a round's run that are labelled next, and whether rounds end."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ilmlip.chemistry.boxes import write
from ilmlip.engines.model_dynamics import TRAJECTORY, read_trajectory
from ilmlip.observables.selection import at_random, by_spread, evenly, fingerprint
from ilmlip.record import Record, field
from ilmlip.spec.active import Choose
from ilmlip.stages.base import Inputs, Output, Resources, Stage
from ilmlip.stages.explore import read_spread

if TYPE_CHECKING:
    from ase import Atoms

FRAMES, CHOSEN = "trajectory.extxyz", "chosen.csv"


class Params(Record):
    """How many frames, and how they are chosen."""

    choose: Choose = field("How frames are chosen")
    frames: int = field("Frames that are chosen at most; 0: none", ge=0)
    check: int = field("Frames to find the error with, equally spaced", ge=0, default=0)
    apart: float = field("Smallest time between chosen frames", unit="fs", ge=0, default=0.0)
    stop: float | None = field("No more rounds below this spread", unit="meV/Å", default=None)
    highest: float | None = field("Frames above it are not chosen", unit="meV/Å", default=None)
    seed: int = field("Seed of `random`", ge=0)


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Choose among the frames of role `explored`, the first one left out.

    Writes FRAMES, the chosen ones and then those to check, with `time_fs`, `spread` (meV/Å),
    `model_energy` (eV) and `model_forces` (eV/Å), and CHOSEN. values: `chosen` and `checked`, how many;
    `stopped`, whether there are no more rounds; a round after that has no run, and writes nothing.
    """
    explored = inputs.one("explored")
    if not explored.values["ran"]:
        return Output((), {"chosen": 0, "checked": 0, "stopped": True})
    frames = list(read_trajectory(explored.path / TRAJECTORY))[1:]
    times, spread = read_spread(explored.path)
    stopped = params.stop is not None and float(spread.max()) < params.stop
    chosen = [] if stopped or not params.frames else chosen_of(params, frames, spread, times)
    checked = [i - 1 for i in evenly(len(frames), params.check)] if params.check else []
    write(work / FRAMES, [_kept(frames[i], float(spread[i])) for i in (*chosen, *checked)])
    with (work / CHOSEN).open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["time_fs", "spread_meV_A", "chosen", "checked"])
        for i in sorted({*chosen, *checked}):
            shown = [f"{times[i]:g}", f"{spread[i]:.6g}"]
            writer.writerow([*shown, int(i in chosen), int(i in checked)])
    values = {"chosen": len(chosen), "checked": len(checked), "stopped": stopped}
    return Output((FRAMES, CHOSEN), values)


def chosen_of(
    params: Params, frames: Sequence[Atoms], spread: NDArray[np.float64], times: NDArray[np.float64]
) -> list[int]:
    """The numbers of the frames to label, in the order of time."""
    if params.choose == "even":
        return [i - 1 for i in evenly(len(frames), params.frames)]
    limit = np.inf if params.highest is None else params.highest
    able = np.flatnonzero(spread <= limit).tolist()
    if params.choose == "random":
        found = at_random(times[able], params.frames, params.apart, params.seed)
    else:
        looks = [_look(frames[i]) for i in able]
        points = np.array(looks).reshape(len(able), -1)
        found = by_spread(spread[able], points, times[able], params.frames, params.apart)
    return sorted(able[i] for i in found)


def _look(atoms: Atoms) -> NDArray[np.float64]:
    return fingerprint(atoms.get_chemical_symbols(), atoms.positions, atoms.cell.array)


def _kept(atoms: Atoms, spread: float) -> Any:
    """A frame without results, which a label will give; the model's stand under other names."""
    kept: Any = atoms.copy()
    kept.info |= {"spread": spread, "model_energy": float(atoms.get_potential_energy())}
    kept.arrays["model_forces"] = atoms.get_forces()
    kept.calc = None
    return kept


STAGE = Stage("choose", 1, Params, run, Resources(memory_gb=0.7, seconds=3))
"""Chooses frames of a run to label."""
