"""Stage `package`: a trained model as one file that nequip opens without ilmlip."""

from __future__ import annotations

from pathlib import Path

from ilmlip.record import Record
from ilmlip.stages.base import Inputs, Output, Resources, Stage


class Params(Record):
    """Nothing to choose."""


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Package role `model`, trained on role `dataset`; writes model.nequip.zip.

    values: `elements` of the model.
    """
    from ilmlip.engines import nequip, nequip_package

    model = inputs.one("model")
    path = nequip_package.package(model.path, inputs.one("dataset").path, work)
    values = {"elements": list(model.values["elements"])}
    return Output((path.name,), values, tools=nequip.tools())


STAGE = Stage("package", 1, Params, run, Resources(cores=1, memory_gb=1.5, seconds=10))
