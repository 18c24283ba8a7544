"""Stage `md_frames`: frames of a model's own run, equally spaced in time, to be labelled."""

from __future__ import annotations

from pathlib import Path

from ilmlip.chemistry.boxes import write
from ilmlip.engines.model_dynamics import TRAJECTORY, read_trajectory
from ilmlip.errors import StageError
from ilmlip.observables.selection import evenly
from ilmlip.record import Record, field
from ilmlip.stages.base import Inputs, Output, Resources, Stage
from ilmlip.stages.md import is_broken

FRAMES = "trajectory.extxyz"


class Params(Record):
    """How many, and when."""

    count: int = field("Frames", ge=1)
    between: tuple[float, float] | None = field(
        "Times that frames are taken from, the first excluded: of a ladder those that count at its "
        "first pressure; none: the whole run",
        unit="fs",
        default=None,
        later=True,
    )


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Take `count` frames of role `md`, without the first; writes trajectory.extxyz.

    They carry `time_fs`, and of the model `model_energy` (eV) alone. A run that a guard ended
    may have fewer: then all of them, without the one at which it broke: no liquid's, its error would
    be most of any mean. Raises StageError if there is none but the first.
    """
    one = inputs.one("md")
    frames = list(read_trajectory(one.path / TRAJECTORY))
    if is_broken(one.values) and len(frames) > 2:
        frames = frames[:-1]
    if params.between is not None:
        begin, end = params.between
        inside = [f for f in frames[1:] if begin < f.info["time_fs"] <= end]
        frames = [frames[0], *inside]
    last = len(frames) - 1
    if last < 1:
        raise StageError("the run has no frame but its start; keep frames more often")
    chosen = evenly(last, params.count)
    taken = []
    for i in chosen:
        atoms = frames[i]
        atoms.info["model_energy"] = float(atoms.get_potential_energy())
        atoms.calc = None
        taken.append(atoms)
    write(work / FRAMES, taken)
    return Output((FRAMES,), {"n_frames": len(taken)})


STAGE = Stage("md_frames", 2, Params, run, Resources(memory_gb=0.7, seconds=2))
