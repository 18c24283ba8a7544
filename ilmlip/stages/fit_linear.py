"""Stage `fit_linear`: the model without a network, one energy for each kind of ion."""

from __future__ import annotations

import json
from pathlib import Path

from ilmlip.record import Record
from ilmlip.stages.base import Inputs, Output, Resources, Stage


class Params(Record):
    """Nothing to choose: least squares, minimum norm."""


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Solve the energy of each ion from the frames of role `dataset`; writes `linear.json`."""
    raise NotImplementedError


STAGE = Stage("fit_linear", 1, Params, run, Resources(cores=1, memory_gb=0.5, seconds=1))
