"""Stage `dataset`: labelled frames become files to train, validate or test on."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ilmlip.record import Record, field
from ilmlip.stages.base import Inputs, Output, Resources, Stage


class Params(Record):
    """What the frames are for; the split matters to role `train` only."""

    role: Literal["train", "test"] = field("train: to train and validate on; test: to test on")
    validation_fraction: float = field(
        "Share of each composition's frames to validate on", ge=0, lt=1, default=0.0
    )
    seed: int = field("Seed of the split", ge=0, default=0)


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Gather the frames of role `labels`; writes train.extxyz + val.extxyz, or test.extxyz."""
    raise NotImplementedError


STAGE = Stage("dataset", 1, Params, run, Resources(cores=1, memory_gb=0.5, seconds=1))
