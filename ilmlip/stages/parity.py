"""Stage `parity`: what a model predicts against the labels, over all its test sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ilmlip.record import Record, field
from ilmlip.report.parity import draw, pairs
from ilmlip.stages.base import Inputs, Output, Resources, Stage

FILE = "parity.png"


class Params(Record):
    """What stands above the figure."""

    title: str = field("The model's name and seed")


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Draw the predictions of role `evaluations`; writes FILE. values: how many numbers it shows."""
    found = []
    for given in inputs.all("evaluations"):
        with np.load(given.path / "predictions.npz", allow_pickle=False) as arrays:
            found.append({name: arrays[name] for name in arrays.files})
    panels = pairs(found)
    draw(work / FILE, panels, params.title)
    return Output((FILE,), {"shown": {panel.title: len(panel.labelled) for panel in panels}})


STAGE = Stage("parity", 1, Params, run, Resources(memory_gb=0.7, seconds=3))
