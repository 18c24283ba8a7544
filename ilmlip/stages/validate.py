"""Stage `validate`: errors of models in their own dynamics, beside those in testing.

Frames of a run are labelled by the study's reference and predicted by the model, as a test set is.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from ilmlip.record import Record, field
from ilmlip.report.validation import FIGURE, PAGE, TABLE, Validated, draw, page, ratios
from ilmlip.stages.base import Given, Inputs, Output, Resources, Stage
from ilmlip.stages.evaluate import read_predictions
from ilmlip.stages.matrix import unit_of
from ilmlip.stages.md_report import Described
from ilmlip.units import MEV

QUANTITIES = ("energy_mae", "force_mae", "stress_mae")


class Params(Record):
    """The runs, in the order of all roles."""

    runs: tuple[Described, ...] = field("What each run is of")


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Compare roles `evaluation` (frames of each run), `testing` (the same model and composition).

    Role `dataset` holds the labelled frames with their times. Writes TABLE, PAGE, FIGURE. values: the
    median over runs of the error in dynamics over that in testing (`energy_ratio`, `force_ratio`; the
    energy's without its mean shift, too: `energy_about_mean_ratio`).
    """
    given = [dict(inputs.placed(role)) for role in _ROLES]
    found = [
        _validated(params.runs[i], *(of[i] for of in given))
        for i in range(len(params.runs))
        if all(i in of for of in given)
    ]
    with (work / TABLE).open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*Described.model_fields, "quantity", "in_dynamics", "in_testing", "unit"])
        for one in found:
            for quantity, (ours, testing) in one.errors.items():
                about = ["" if v is None else v for v in one.about.values()]
                numbers = [f"{ours:.6g}", f"{testing:.6g}", unit_of(quantity)]
                writer.writerow([*about, quantity, *numbers])
    lacking = len(params.runs) - len(found)
    (work / PAGE).write_text(page(found, lacking), encoding="utf-8")
    figures = (FIGURE,) if draw(work / FIGURE, found) else ()
    return Output((TABLE, PAGE, *figures), {"runs": len(found), **ratios(found)})


_ROLES = ("evaluation", "testing", "dataset")


def _validated(run: Described, dynamics: Given, testing: Given, labelled: Given) -> Validated:
    times = read_times(labelled.path / "test.extxyz")
    arrays = read_predictions(dynamics.path)
    error = _per_atom(arrays)
    errors = {
        name: (dynamics.values[name], testing.values[name])
        for name in dynamics.values
        if name.startswith(QUANTITIES) and "stderr" not in name and name in testing.values
    }
    away = _per_atom(read_predictions(testing.path))
    errors["energy_mae_about_mean"] = (_about_mean(error), _about_mean(away))
    order = np.argsort(times)
    return Validated(
        run.name(),
        run.model_dump(),
        errors,
        times[order],
        (arrays["energy_reference"] / arrays["n_atoms"])[order],
        error[order],
    )


def _per_atom(arrays: dict[str, Any]) -> Any:
    """Model less reference, eV/atom."""
    return (arrays["energy"] - arrays["energy_reference"]) / arrays["n_atoms"]


def _about_mean(error: Any) -> float:
    """MAE of the energy, meV/atom, when its mean shift is taken off."""
    return float(np.mean(np.abs(error - error.mean()))) / MEV


def read_times(path: Path) -> Any:
    """The time of each frame, fs."""
    from ase.io import read

    return np.array([frame.info["time_fs"] for frame in read(path, index=":", format="extxyz")])


STAGE = Stage("validate", 2, Params, run, Resources(memory_gb=0.7, seconds=4))
