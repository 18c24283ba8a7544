"""A stage without physics: waits, writes, fails or dies as told.

It measures what a task costs beyond its work (benchmarks/) and tests the execution on this
machine; no spec compiles into it.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Literal

from ilmlip.errors import StageError
from ilmlip.record import Record, field
from ilmlip.stages.base import Inputs, Output, Resources, Stage


class Params(Record):
    """What to do."""

    name: str = field("Distinguishes one probe from another")
    act: Literal["write", "fail", "raise", "die"] = field(
        "write a result, fail with a reason, raise an unforeseen error, or kill the worker",
        default="write",
    )
    only_if: str = field("Act so only while this file exists; else write", default="")
    wait: float = field("Time to wait first", unit="s", ge=0, default=0.0)


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Do as told; the result is the name and the names of all inputs."""
    time.sleep(params.wait)
    if not params.only_if or Path(params.only_if).exists():
        _misbehave(params, work)
    below = [given.values["name"] for role in inputs.roles for given in inputs.all(role)]
    (work / "name.txt").write_text(f"{params.name}\n", encoding="utf-8")
    return Output(("name.txt",), {"name": params.name, "inputs": below})


def _misbehave(params: Params, work: Path) -> None:
    if params.act == "fail":
        (work / "probe.log").write_text("ERROR: told to fail\n", encoding="utf-8")
        raise StageError("told to fail", command="probe --fail", log="probe.log")
    if params.act == "raise":
        raise ZeroDivisionError("told to raise")
    if params.act == "die":
        os.kill(os.getpid(), signal.SIGKILL)


STAGE = Stage("probe", 1, Params, run, Resources(memory_gb=0.1, seconds=0.01))
