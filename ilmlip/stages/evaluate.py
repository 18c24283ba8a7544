"""Stage `evaluate`: one model's errors on one test set."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ilmlip.record import Record, field
from ilmlip.stages.base import Inputs, Output, Resources, Stage


class Params(Record):
    """Which kind of model it is."""

    kind: Literal["nequip", "linear"] = field("nequip: a checkpoint; linear: energies per ion")


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Predict every frame of role `dataset` by role `model`; writes predictions.npz, errors.json."""
    raise NotImplementedError


STAGE = Stage("evaluate", 1, Params, run, Resources(cores=1, memory_gb=2.0, seconds=2))
