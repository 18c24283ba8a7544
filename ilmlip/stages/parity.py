"""Stage `parity`: what a model predicts against the labels, over all its test sets."""

from __future__ import annotations

from pathlib import Path

from ilmlip.record import Record, field
from ilmlip.report.parity import draw, pairs
from ilmlip.stages.base import Inputs, Output, Resources, Stage
from ilmlip.stages.evaluate import read_predictions

FILE = "parity.png"


class Params(Record):
    """What stands above the figure."""

    title: str = field("The model's name and seed")


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Draw the predictions of role `evaluations`; writes FILE. values: how many numbers it shows."""
    panels = pairs([read_predictions(given.path) for given in inputs.all("evaluations")])
    draw(work / FILE, panels, params.title)
    return Output((FILE,), {"shown": {panel.title: len(panel.labelled) for panel in panels}})


STAGE = Stage("parity", 1, Params, run, Resources(memory_gb=0.7, seconds=3))
