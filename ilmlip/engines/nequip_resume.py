"""A training that was broken off goes on: from its last checkpoint, to the same number of steps.

nequip takes whatever a checkpoint holds and compares it with nothing. So each work folder has a note
of what its training is made of (config, frames, versions), and only a checkpoint beside the very same
note is gone on from. nequip keeps the state of the shuffling too, so that the end is the same.

nequip also runs what a checkpoint says. What it is given here has been read as
tensors and plain values, and written anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from ilmlip.engines.nequip_config import CONFIG, CURVE_FOLDER, TRAIN_FILE, VAL_FILE
from ilmlip.engines.nequip_weights import CHECKPOINT
from ilmlip.hashing import digest, file_digest

NOTE = "made_of.txt"
BEGIN = "begin.ckpt"
"""The checkpoint that a training goes on from; its own checkpoints are CHECKPOINT."""
_METRICS = "metrics.csv"


def note(work: Path, versions: dict[str, str]) -> None:
    """Write what the training in `work` is made of."""
    there = [name for name in (CONFIG, TRAIN_FILE, VAL_FILE) if (work / name).is_file()]
    files = {name: file_digest(work / name) for name in there}
    (work / NOTE).write_text(
        digest("ilmlip.training", {"files": files, "tools": versions}) + "\n", encoding="utf-8"
    )


def take_over(earlier: Path, work: Path) -> int | None:
    """Take checkpoint and curve of an earlier attempt into `work`, where `note` has been written.

    Returns the step to go on from, or None if the earlier one is of something else, or left nothing.
    """
    if _text(earlier / NOTE) != _text(work / NOTE):
        return None
    for name in (CHECKPOINT, BEGIN):  # its own checkpoints are newer than what it began with
        step = _rewritten(earlier / name, work / BEGIN)
        if step is not None:
            for i, part in enumerate(curve_parts(earlier)):
                shutil.copyfile(part, work / f"curve_{i}.csv")
            return step
    return None


def finish(work: Path) -> None:
    """Where all steps had been done already, what the training began with is what it ends with."""
    if not (work / CHECKPOINT).is_file() and (work / BEGIN).is_file():
        (work / BEGIN).rename(work / CHECKPOINT)


def forget(work: Path) -> None:
    """Leave nothing to go on from: the weights are spoilt."""
    for name in (CHECKPOINT, BEGIN, NOTE):
        (work / name).unlink(missing_ok=True)


def curve_parts(work: Path) -> Sequence[Path]:
    """nequip's logs of the training, the earliest first: one for each time that it went on."""
    parts = sorted(work.glob("curve_*.csv"), key=lambda p: int(p.stem.removeprefix("curve_")))
    last = work / CURVE_FOLDER / _METRICS
    return [*parts, last] if last.is_file() else parts


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _rewritten(path: Path, to: Path) -> int | None:
    """Copy a checkpoint as one from between two epochs; its step. None if it is none, and no copy.

    It was written when an epoch's steps were done and its end was not noted. Lightning would go on in
    that epoch, do none of its steps, and thereby shuffle once too often.
    """
    import torch

    if not path.is_file():
        return None
    try:
        whole = torch.load(path, map_location="cpu", weights_only=True)
        if not whole["optimizer_states"]:
            return None  # stripped: a finished model
        fit = whole["loops"]["fit_loop"]
        for count in ("total", "current"):
            fit["epoch_progress"][count]["completed"] = fit["epoch_progress"][count]["processed"]
        batches = fit["epoch_loop.batch_progress"]
        batches["current"] = dict.fromkeys(batches["current"], 0)
        batches["is_last_batch"] = False
        fit["epoch_loop.state_dict"]["_batches_that_stepped"] -= 1  # is raised when it goes on
        torch.save(whole, to)
        return int(whole["global_step"])
    except Exception:  # half a file, or no checkpoint: torch has many ways to say so
        return None
