"""Stage `committee`: what several models of one training set say together of one test set.

The prediction is the mean over the members, and their standard deviation its spread: large where the
training frames leave open what is right. Nothing is predicted anew: the members' own evaluations are
gathered.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ilmlip.chemistry.labelled import read_frames
from ilmlip.observables.errors import energy_errors, standard_error
from ilmlip.record import Record
from ilmlip.stages.base import Inputs, Output, Resources, Stage
from ilmlip.stages.evaluate import errors_of, read_predictions, written
from ilmlip.units import MEV

Array = NDArray[np.float64]


class Params(Record):
    """Nothing but its members and the test set."""


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Gather role `evaluations` of role `dataset`; writes what an evaluation does.

    values: those of an evaluation, of the mean; `energy_spread` (meV/atom) and `force_spread`
    (meV/Å, root mean square of a component), means over frames with `_stderr`; `force_ratio`, RMSE
    over spread: one if the spread is the error; `members`. predictions.npz holds the mean of each
    array, and `energy_spread` (frames,), `forces_spread` (atoms, 3).
    """
    frames = read_frames(inputs.one("dataset").path / "test.extxyz")
    arrays = together([read_predictions(given.path) for given in inputs.all("evaluations")])
    values = _values(arrays, [len(frame) for frame in frames]) | errors_of(frames, arrays)
    values["members"] = len(inputs.all("evaluations"))
    values["force_ratio"] = values["force_rmse"] / max(values["force_spread"], 1e-12)
    return written(work, arrays, values, {})


def together(members: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The arrays of one evaluation, means over members, and the spread (n − 1) of two of them."""
    found = dict(members[0])
    for name in ("energy", "forces", "stress", "atomic_energy"):
        found[name] = np.mean([member[name] for member in members], axis=0)
    for name in ("energy", "forces"):
        found[f"{name}_spread"] = np.std([member[name] for member in members], axis=0, ddof=1)
    return found


def _values(arrays: dict[str, Any], sizes: Sequence[int]) -> dict[str, Any]:
    n_atoms = np.array(sizes)
    energy = arrays["energy_spread"] / n_atoms / MEV
    ends = np.cumsum(sizes)[:-1]
    forces = np.array(
        [np.sqrt(np.mean(part**2)) / MEV for part in np.split(arrays["forces_spread"], ends)]
    )
    return {
        **energy_errors(arrays["energy"], arrays["energy_reference"], n_atoms),
        "energy_spread": float(np.mean(energy)),
        "energy_spread_stderr": standard_error(energy),
        "force_spread": float(np.mean(forces)),
        "force_spread_stderr": standard_error(forces),
        "n_frames": len(sizes),
    }


STAGE = Stage("committee", 1, Params, run, Resources(memory_gb=0.5, seconds=1))
"""Joins the predictions of a committee's members."""
