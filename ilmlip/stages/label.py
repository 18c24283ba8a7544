"""Stage `label`: energy, forces and stress of one frame; each frame is a task of its own."""

from __future__ import annotations

import time
from pathlib import Path

from ilmlip.chemistry.boxes import labelled, write
from ilmlip.record import field
from ilmlip.stages.base import Inputs, Output, Resources, Size, Stage
from ilmlip.stages.labelling import Labelling, frame_of, ladder, tried


class Params(Labelling):
    """Which frame, and by which engine."""

    frame: int = field("Number of the frame in the trajectory, from 0", ge=0)


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Label a frame of role `trajectory`; writes frame.extxyz. opls needs role `forcefield` too."""
    atoms = frame_of(inputs, params.frame)
    began = time.monotonic()
    with params.open(inputs, work) as session:
        found, tries = tried(lambda rung: session.label(atoms, rung), ladder(inputs))
        kept, tools = session.files(), session.tools()
    write(work / "frame.extxyz", labelled(atoms, params.quantities(found)))
    values = {"energy": found.energy, **({"terms": dict(found.terms)} if found.terms else {})}
    notes = {"tries": tries, "engine_seconds": time.monotonic() - began}
    return Output(("frame.extxyz", *kept), values, tools, notes)


def seconds(params: Params, size: Size) -> float:
    """Of a box of so many atoms."""
    return params.seconds(size.atoms)


STAGE = Stage("label", 1, Params, run, Resources(memory_gb=0.4, seconds=0.1), seconds, lambda _: 1)
