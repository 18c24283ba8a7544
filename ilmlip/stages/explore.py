"""Stage `explore`: a round's run of a committee's first model, and where the committee disagrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ilmlip.chemistry.labelled import Frame, frame_of
from ilmlip.engines import nequip
from ilmlip.engines.model_dynamics import TRAJECTORY, read_trajectory
from ilmlip.errors import StageError
from ilmlip.observables.selection import force_spread
from ilmlip.stages import md
from ilmlip.stages.base import Inputs, Output, Resources, Size, Stage
from ilmlip.stages.costs import DYNAMICS
from ilmlip.units import MEV

SPREAD = "spread.csv"


class Params(md.Params):
    """A run as that of stage `md`."""


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Run the first of role `model`, and ask all of them for forces on its frames.

    `structure` as in stage `md`. `before`, if there is one, is what the round before chose: once that
    has stopped, nothing is done. Writes the run's files and SPREAD: of each kept frame but the first
    the largest spread of the force on an atom.

    values: `ran`; if it did, those of stage `md`, and `largest_spread`, `mean_spread` (meV/Å).
    """
    if any(given.values["stopped"] for given in inputs.roles.get("before", ())):
        return Output((), {"ran": False})
    models = inputs.all("model")
    first = replace(inputs, roles={**inputs.roles, "model": models[:1]})
    made = md.run(params, first, work)
    read = list(read_trajectory(work / TRAJECTORY))[1:]
    if not read:
        raise StageError("the run has no frame but its start; keep frames more often")
    frames = [frame_of(atoms, f"frame {i} of the run") for i, atoms in enumerate(read, 1)]
    spread = spreads(frames, [given.path for given in models])
    lines = [f"{a.info['time_fs']:.10g},{s:.8g}\n" for a, s in zip(read, spread, strict=True)]
    (work / SPREAD).write_text("time_fs,spread_meV_A\n" + "".join(lines), encoding="utf-8")
    found = {"largest_spread": float(spread.max()), "mean_spread": float(spread.mean())}
    values = {**made.values, **found, "ran": True}
    return Output((*made.files, SPREAD), values, made.tools, made.notes)


def spreads(frames: Sequence[Frame], models: Sequence[Path]) -> NDArray[np.float64]:
    """The largest spread on an atom of each frame, (frames,), meV/Å; 0 for a single model."""
    found = [[p.forces for p in nequip.load(model).predict(frames)] for model in models]
    return np.array([force_spread(of).max() / MEV for of in zip(*found, strict=True)])


def read_spread(folder: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times (fs) and spreads (meV/Å) of SPREAD, both (frames,)."""
    rows = np.loadtxt(folder / SPREAD, delimiter=",", skiprows=1, ndmin=2)
    return rows[:, 0], rows[:, 1]


def seconds(params: Params, size: Size) -> float:
    """As a run."""
    return md.seconds(params, size)


STAGE = Stage(
    "explore",
    1,
    Params,
    run,
    Resources(cores=1, memory_gb=2.0, seconds=120),
    seconds,
    law=DYNAMICS,
    goes_on=True,
)
"""Runs a model, and finds where its committee disagrees."""
