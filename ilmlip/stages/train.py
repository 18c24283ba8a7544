"""Stage `train`: one model, one seed, trained by nequip in a process of its own."""

from __future__ import annotations

from pathlib import Path

from ilmlip.record import Record, field
from ilmlip.spec.model import Seed, Training
from ilmlip.stages.base import Inputs, Output, Resources, Stage


class Params(Record):
    """Everything that changes what is learnt."""

    training: Training = field("The model and its training")
    seed: Seed = field("Seed of the initial weights and of the order of the frames")


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Train on role `dataset`; writes model.ckpt, config.yaml, curve.csv."""
    raise NotImplementedError


STAGE = Stage("train", 1, Params, run, Resources(cores=1, memory_gb=2.5, seconds=90))
