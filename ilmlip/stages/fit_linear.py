"""Stage `fit_linear`: the model without a network, one energy for each kind of ion."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ilmlip.chemistry.labelled import read_frames
from ilmlip.observables.shifts import count, least_squares
from ilmlip.record import Record
from ilmlip.stages.base import Inputs, Output, Resources, Stage


class Params(Record):
    """Nothing to choose: least squares, minimum norm."""


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Solve the energy of each ion from the frames of role `dataset`; writes `linear.json`.

    The file holds {"energies": {ion: eV}, "rank", "rms": eV per frame, "frames"}. An ion that no
    frame has is left out: the solution of smallest norm has it at zero.
    """
    frames = read_frames(inputs.one("dataset").path / "train.extxyz")
    ions = [frame.ions() for frame in frames]
    kinds = sorted({ion for found in ions for ion in found})
    energies = np.array([frame.energy for frame in frames])
    solved = least_squares(count(ions, kinds), energies, kinds)
    values = {
        "energies": solved.energies,
        "rank": solved.rank,
        "rms": solved.rms,
        "frames": len(frames),
    }
    (work / "linear.json").write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    return Output(files=("linear.json",), values=values)


STAGE = Stage("fit_linear", 1, Params, run, Resources(cores=1, memory_gb=0.5, seconds=1))
