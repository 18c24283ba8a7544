"""Stage `dataset`: labelled frames become files to train, validate or test on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ilmlip.chemistry.extxyz import open_text, pieces
from ilmlip.chemistry.labelled import Frame, read_frames
from ilmlip.chemistry.twins import twins
from ilmlip.errors import StageError
from ilmlip.hashing import digest
from ilmlip.record import Record, field
from ilmlip.spec.derived import spread
from ilmlip.stages.base import Given, Inputs, Output, Resources, Stage
from ilmlip.stages.imported import FRAMES as IMPORTED
from ilmlip.stages.series import SERIES

FRAME = "frame.extxyz"
"""The file that a label leaves."""
SAME = 1e-5
"""Å: how near frames are that are one and the same; a relaxation ends in steps of 1e-4 Å."""
CHOSEN = "chosen"
"""The role of labels that rounds of learning on the fly have added."""


class Chosen(Record):
    """Which of the imported frames."""

    compositions: tuple[str, ...] = field("Compositions whose frames are taken")
    test_fraction: float = field("Share of each one's frames to test on: the last", ge=0, lt=1)
    frames: int | None = field(
        "At most so many of the others, equally spaced; null: all", ge=1, default=None
    )


class Params(Record):
    """What the frames are for; the split matters to role `train` only."""

    role: Literal["train", "test"] = field("train: to train and validate on; test: to test on")
    validation_fraction: float = field(
        "Share of each composition's frames to validate on", ge=0, lt=1, default=0.0
    )
    seed: int = field("Seed of the split", ge=0, default=0)
    take: dict[str, tuple[int, ...]] = field(
        "Steps that are taken of the series of each role", default={}, later=True
    )
    origins: dict[str, tuple[int, ...]] = field(
        "Number of the frame that each label, and each series, of a role comes from; what comes from "
        "one frame is not split",
        default={},
        later=True,
    )
    held: tuple[int, ...] = field(
        "Numbers (as in `origins`) of the frames to validate on, instead of a share at random",
        default=(),
        later=True,
    )
    imported: Chosen | None = field(
        "Which of the frames of role `imported`", default=None, later=True
    )
    last: float = field(
        "Share of each composition's frames, the last ones, that role test consists of and role "
        "train leaves out; 0: all frames are of the role",
        ge=0,
        lt=1,
        default=0.0,
        later=True,
    )

    def source(self, role: str, place: int, key: str) -> str:
        """What an input of a role comes from: a frame where `origins` says which, else itself."""
        return f"frame {self.origins[role][place]}" if role in self.origins else key


@dataclass(frozen=True)
class Member:
    """One labelled frame of the set."""

    name: str
    """Where it comes from, for messages."""
    source: str
    """The frame that it comes from, or the key of its label or series: one source is not split."""
    text: str
    """As extended XYZ."""
    frame: Frame


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Gather the frames of roles `labels` and CHOSEN, the steps to take of series, or imported frames.

    Writes train.extxyz + val.extxyz, or test.extxyz. Raises StageError, naming the label, for a
    frame without energy or forces, with a value that is not finite, or that stands in the set
    twice; when a split would be empty; and when more steps are missing than the quorum allows.
    """
    members = [
        _label(given, source)
        for given, source in zip(
            inputs.roles.get("labels", ()), _sources(params, inputs, "labels"), strict=True
        )
    ]
    members += _chosen(inputs)
    missing = [*inputs.missing.get("labels", ()), *inputs.missing.get(CHOSEN, ())]
    for role, steps in params.take.items():
        taken, gone = _taken(inputs.all(role), steps, _sources(params, inputs, role))
        wanted = len(steps) * (len(inputs.all(role)) + len(inputs.missing.get(role, ())))
        if len(taken) < float(inputs.how.get("quorum", 1.0)) * wanted:
            raise StageError(
                f"only {len(taken)} of {wanted} steps of {role} are there; missing: "
                f"{', '.join(gone[:5])}{' …' if len(gone) > 5 else ''}"
            )
        members += taken
        missing += [*inputs.missing.get(role, ()), *gone]
    if params.imported is not None:
        members += _imported(inputs.one("imported"), params.imported, params.role)
    if not members:
        raise StageError("no labelled frame is left to make a dataset of")
    frames = [member.frame for member in members]
    _refuse_twins(frames, [member.name for member in members])
    formulas = [frame.formula() for frame in frames]
    if params.last:
        late = last_of_each(formulas, params.last)
        kept = [i for i in range(len(frames)) if (i in late) == (params.role == "test")]
        members, frames = [members[i] for i in kept], [frames[i] for i in kept]
        formulas = [formulas[i] for i in kept]
    if params.role == "test":
        split = {"test": list(range(len(frames)))}
    else:
        split = split_of([member.source for member in members], formulas, params)
    for name, chosen in split.items():
        if not chosen:
            raise StageError(
                f"the {name} set is empty: {len(frames)} frames of {len(set(formulas))} "
                f"compositions, {params.validation_fraction:g} of each to validate on"
            )
        (work / f"{name}.extxyz").write_text(
            "".join(members[i].text for i in chosen), encoding="utf-8"
        )
    values = _summary(frames, formulas) | {
        "frames": {name: len(chosen) for name, chosen in split.items()},
        "compositions": {
            name: dict(sorted(Counter(formulas[i] for i in chosen).items()))
            for name, chosen in split.items()
        },
        "missing": missing,
    }
    return Output(files=tuple(f"{name}.extxyz" for name in split), values=values)


def _chosen(inputs: Inputs) -> list[Member]:
    """Of role CHOSEN; a round of learning on the fly may have chosen fewer than it may."""
    found = []
    for given in inputs.roles.get(CHOSEN, ()):
        if "steps" in given.values:
            found += _taken([given], given.values["steps"], [given.key])[0]
        elif given.values["there"]:
            found.append(_label(given, given.key))
    return found


def _sources(params: Params, inputs: Inputs, role: str) -> list[str]:
    """What each input of a role comes from."""
    if role not in inputs.roles:
        return []
    return [params.source(role, place, one.key) for place, one in inputs.placed(role)]


def _label(given: Given, source: str) -> Member:
    path = given.path / FRAME
    return Member(given.key, source, path.read_text(encoding="utf-8"), read_label(path, given.key))


def _taken(
    series: Sequence[Given], steps: Sequence[int], sources: Sequence[str]
) -> tuple[list[Member], list[str]]:
    """The steps to take of each series, and the names of those that are not there."""
    found, gone = [], []
    for given, source in zip(series, sources, strict=True):
        texts = split_frames(given.path / SERIES)
        frames = read_labels(given.path / SERIES, given.key)
        there = {int(number): i for i, number in enumerate(given.values["steps"])}
        for step in steps:
            name = f"{given.key} step {step}"
            if step in there:
                i = there[step]
                found.append(Member(name, source, texts[i], frames[i]))
            else:
                gone.append(name)
    return found, gone


def _imported(given: Given, chosen: Chosen, role: str) -> list[Member]:
    """Frames of some compositions: the last of each to test on, of the others as many as asked."""
    path = given.path / IMPORTED
    texts, frames = split_frames(path), read_labels(path, given.key)
    found = []
    for label in chosen.compositions:
        there = [int(i) for i in given.values["frames"].get(label, ())]
        held = round(chosen.test_fraction * len(there))
        first = len(there) - held
        mine = there[first:] if role == "test" else there[:first]
        if not mine:
            raise StageError(
                f"composition {label} has {len(there)} imported frames, and none to {role} "
                f"{'on' if role == 'test' else 'with'} (dft.files.test_fraction="
                f"{chosen.test_fraction:g})"
            )
        for i in (mine[n] for n in spread(len(mine), chosen.frames)):
            name = f"{given.key} frame {i}"
            found.append(Member(name, name, texts[i], frames[i]))
    return found


def split_of(
    sources: Sequence[str], formulas: Sequence[str], params: Params
) -> dict[str, list[int]]:
    """Indices of frames to train and to validate on; those of one source stay together.

    `sources`, `formulas`: of each frame what it comes from, and what it is made of. What `params.held`
    names is validated on; of the others a share at random, if there is no such.
    """
    if params.held:
        held = {f"frame {number}" for number in params.held}
        return {
            "train": [i for i, source in enumerate(sources) if source not in held],
            "val": [i for i, source in enumerate(sources) if source in held],
        }
    of = dict(zip(sources, formulas, strict=True))
    chosen = stratified(list(of.values()), params.validation_fraction, params.seed)
    distinct = list(of)
    side = {distinct[i]: name for name, indices in chosen.items() for i in indices}
    return {name: [i for i, s in enumerate(sources) if side[s] == name] for name in chosen}


def read_label(path: Path, name: str) -> Frame:
    """The labelled frame of one file. Raises StageError if a label is missing or not finite."""
    frames = read_labels(path, name)
    if len(frames) != 1:
        raise StageError(f"label {name}: {len(frames)} frames instead of one")
    return frames[0]


def read_labels(path: Path, name: str) -> list[Frame]:
    """The labelled frames of a file. Raises StageError if a label is missing or not finite."""
    try:
        frames = read_frames(path)
    except (ValueError, OSError) as error:
        raise StageError(f"label {name}: {error}") from error
    for frame in frames:
        for quantity in ("positions", "energy", "forces", "stress"):
            value = getattr(frame, quantity)
            if value is not None and not np.isfinite(value).all():
                raise StageError(
                    f"label {name}: {quantity} with a value that is not a finite number"
                )
    return frames


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


def last_of_each(groups: Sequence[str], fraction: float) -> set[int]:
    """Indices of the last `fraction` of each group's members, in the order in which they stand."""
    found: set[int] = set()
    for group in set(groups):
        members = [i for i, g in enumerate(groups) if g == group]
        found |= set(members[len(members) - round(fraction * len(members)) :])
    return found


def split_frames(path: Path) -> list[str]:
    """The frames of an extended XYZ file, each as its own text."""
    with open_text(path) as lines:
        return [piece.text for piece in pieces(lines)]


def _refuse_twins(frames: Sequence[Frame], names: Sequence[str]) -> None:
    """No configuration may stand on both sides of a split: refuse any that is there twice."""
    found = twins(
        [frame.symbols for frame in frames],
        [frame.cell for frame in frames],
        [frame.positions for frame in frames],
        SAME,
    )
    for repeated, first in found.items():
        raise StageError(
            f"labels {names[first]} and {names[repeated]} are of one and the same frame"
        )


def _summary(frames: Sequence[Frame], formulas: Sequence[str]) -> dict[str, Any]:
    energies: dict[str, list[float]] = {}
    for frame, formula in zip(frames, formulas, strict=True):
        energies.setdefault(formula, []).append(frame.energy / len(frame))
    return {
        "elements": sorted({symbol for frame in frames for symbol in frame.symbols}),
        "energy_per_atom": {f: float(np.mean(e)) for f, e in sorted(energies.items())},
    }


STAGE = Stage("dataset", 1, Params, run, Resources(cores=1, memory_gb=0.5, seconds=1))
