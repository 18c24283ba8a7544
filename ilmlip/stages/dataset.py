"""Stage `dataset`: labelled frames become files to train, validate or test on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ilmlip.chemistry.labelled import Frame, read_frames
from ilmlip.errors import StageError
from ilmlip.hashing import digest
from ilmlip.record import Record, field
from ilmlip.stages.base import Inputs, Output, Resources, Stage

FRAME = "frame.extxyz"
"""The file that a label leaves."""


class Params(Record):
    """What the frames are for; the split matters to role `train` only."""

    role: Literal["train", "test"] = field("train: to train and validate on; test: to test on")
    validation_fraction: float = field(
        "Share of each composition's frames to validate on", ge=0, lt=1, default=0.0
    )
    seed: int = field("Seed of the split", ge=0, default=0)


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Gather the frames of role `labels`; writes train.extxyz + val.extxyz, or test.extxyz.

    Raises StageError, naming the label, for a frame without energy or forces, with a value that
    is not finite, or that stands in the set twice; and when a split would be empty.
    """
    labels = inputs.all("labels")
    if not labels:
        raise StageError("no labelled frame is left to make a dataset of")
    texts = [(given.path / FRAME).read_text() for given in labels]
    frames = [read_label(given.path / FRAME, given.key) for given in labels]
    _refuse_twins(frames, [given.key for given in labels])
    formulas = [frame.formula() for frame in frames]
    if params.role == "test":
        split = {"test": list(range(len(frames)))}
    else:
        split = stratified(formulas, params.validation_fraction, params.seed)
    for name, members in split.items():
        if not members:
            raise StageError(
                f"the {name} set is empty: {len(frames)} frames of {len(set(formulas))} "
                f"compositions, {params.validation_fraction:g} of each to validate on"
            )
        (work / f"{name}.extxyz").write_text("".join(texts[i] for i in members))
    values = _summary(frames, formulas) | {
        "frames": {name: len(members) for name, members in split.items()},
        "compositions": {
            name: dict(sorted(Counter(formulas[i] for i in members).items()))
            for name, members in split.items()
        },
        "missing": list(inputs.missing.get("labels", ())),
    }
    return Output(files=tuple(f"{name}.extxyz" for name in split), values=values)


def read_label(path: Path, name: str) -> Frame:
    """The labelled frame of one file. Raises StageError if a label is missing or not finite."""
    try:
        (frame,) = read_frames(path)
    except (ValueError, OSError) as error:
        raise StageError(f"label {name}: {error}") from error
    for quantity in ("positions", "energy", "forces", "stress"):
        value = getattr(frame, quantity)
        if value is not None and not np.isfinite(value).all():
            raise StageError(f"label {name}: {quantity} with a value that is not a finite number")
    return frame


def stratified(groups: list[str], fraction: float, seed: int) -> dict[str, list[int]]:
    """Indices {"train": …, "val": …}, in order: of each group the same share is held out.

    A group's frames are shuffled by the seed and the group's own name, so that what is held out
    of one composition does not depend on which others are trained on.
    """
    held: set[int] = set()
    for group in sorted(set(groups)):
        members = [i for i, g in enumerate(groups) if g == group]
        own = int(digest("ilmlip.split", [seed, group])[:16], 16)
        order = np.random.default_rng(own).permutation(len(members))
        held |= {members[i] for i in order[: round(fraction * len(members))]}
    return {
        "train": [i for i in range(len(groups)) if i not in held],
        "val": sorted(held),
    }


def _refuse_twins(frames: Sequence[Frame], names: Sequence[str]) -> None:
    """No frame may stand on both sides of a split: refuse any that is there twice."""
    seen: dict[str, str] = {}
    for frame, name in zip(frames, names, strict=True):
        geometry = [np.round(part, 6).tolist() for part in (frame.cell, frame.positions)]
        mark = digest("ilmlip.frame", [frame.symbols, geometry])
        if mark in seen:
            raise StageError(f"labels {seen[mark]} and {name} are of one and the same frame")
        seen[mark] = name


def _summary(frames: Sequence[Frame], formulas: Sequence[str]) -> dict[str, Any]:
    energies: dict[str, list[float]] = {}
    for frame, formula in zip(frames, formulas, strict=True):
        energies.setdefault(formula, []).append(frame.energy / len(frame))
    return {
        "elements": sorted({symbol for frame in frames for symbol in frame.symbols}),
        "energy_per_atom": {f: float(np.mean(e)) for f, e in sorted(energies.items())},
    }


STAGE = Stage("dataset", 1, Params, run, Resources(cores=1, memory_gb=0.5, seconds=1))
