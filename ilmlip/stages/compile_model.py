"""Stage `compile_model`: a trained model as machine code for ASE (AOTInductor)."""

from __future__ import annotations

from pathlib import Path

from ilmlip.record import Record
from ilmlip.stages.base import Inputs, Output, Resources, Stage


class Params(Record):
    """Nothing to choose: for this machine's processor."""


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Compile role `model`, trained on role `dataset`; writes model.nequip.pt2.

    values: `elements` of the model. The file runs on processors that know what this one knows.
    """
    from ilmlip.engines import nequip, nequip_package

    model = inputs.one("model")
    path = nequip_package.compiled(model.path, inputs.one("dataset").path, work)
    values = {"elements": list(model.values["elements"])}
    return Output((path.name,), values, tools=nequip.tools())


STAGE = Stage("compile_model", 1, Params, run, Resources(cores=1, memory_gb=2.5, seconds=60))
