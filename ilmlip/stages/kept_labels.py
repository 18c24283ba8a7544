"""Labels of a series, each kept as soon as it is there: a series that was killed goes on from them.

    <work>/labels/000012.json    the configuration, its label, and what labelled it

A series that goes on moves the atoms again from its start, which costs nothing beside labels, and
takes each label whose configuration it meets again. So nothing of the state of dynamics or of a
relaxation has to be kept, and nothing can be mixed in that does not belong there.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ilmlip.engines.attempts import attempts
from ilmlip.engines.labelling import Labelled
from ilmlip.errors import IlmlipError
from ilmlip.hashing import digest

if TYPE_CHECKING:
    from ase import Atoms

FOLDER = "labels"
SAME = 1e-8
"""Å; the same configuration. Other processors round otherwise, and frames are written to 1e-8 Å."""


class OtherEngineError(IlmlipError):
    """The engine is not of the version that made the labels which the series began with."""


@dataclass(frozen=True)
class Kept:
    """A label with what belongs to it."""

    label: Labelled
    tries: list[dict[str, Any]]
    """How the tries before it failed, and what was changed."""
    tools: Mapping[str, str]
    """Versions of what labelled."""
    files: Mapping[str, str]
    """Text of the engine's inputs by name, which a result holds."""


class KeptLabels:
    """The labels in a work folder, numbered by the order in which they are asked for."""

    def __init__(self, work: Path, made_of: str) -> None:
        """`made_of`: a digest of the parameters; labels of others are not taken."""
        self.work, self._folder, self._made_of = work, work / FOLDER, made_of
        self.earlier: Path | None = None
        """The work folder of the last attempt, until the first label is asked for."""
        self.taken = 0
        """How many labels of an earlier attempt were taken."""
        self.last: Kept | None = None
        """What was read or written last."""

    def take_over(self, earlier: Path | None) -> None:
        """Take the labels of the last attempt that left some, by one rename."""
        self.earlier = earlier
        for folder in attempts(earlier):
            if (folder / FOLDER).is_dir():
                (folder / FOLDER).rename(self._folder)
                break

    def forget(self) -> None:
        """Begin anew."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self.taken, self.last = 0, None

    def read(self, number: int, atoms: Atoms) -> Kept | None:
        """The label of that number, if it is whole and of these very atoms; puts its files back."""
        if self.earlier is not None:
            shutil.rmtree(self.earlier, ignore_errors=True)  # it may hold a large density
            self.earlier = None
        found = self._entry(number)
        if found is None or not _same(found, atoms):
            return None
        label = found["label"]
        stress = label["stress"]
        label |= {
            "forces": np.array(label["forces"], float).reshape(-1, 3),
            "stress": None if stress is None else np.array(stress, float),
        }
        kept = Kept(Labelled(**label), found["tries"], found["tools"], found["files"])
        for name, text in kept.files.items():
            (self.work / name).write_text(text, encoding="utf-8")
        self.taken, self.last = self.taken + 1, kept
        return kept

    def write(self, number: int, atoms: Atoms, kept: Kept) -> None:
        """Keep a label, whole or not at all.

        Raises OtherEngineError if labels were taken that the engine made in another version.
        """
        if self.taken and self.last is not None and self.last.tools != kept.tools:
            raise OtherEngineError(f"labelled by {self.last.tools}, and now by {kept.tools}")
        self.last = kept
        entry = {
            "made_of": self._made_of,
            "numbers": atoms.numbers.tolist(),
            "positions": atoms.positions.tolist(),
            "cell": atoms.cell.array.tolist(),
            **asdict(kept),
        }
        label = kept.label
        stress = None if label.stress is None else label.stress.tolist()
        entry["label"] |= {
            "forces": label.forces.tolist(),
            "stress": stress,
            "terms": dict(label.terms),
        }
        self._folder.mkdir(exist_ok=True)
        part = self._folder / "part"
        with part.open("w", encoding="utf-8") as out:
            json.dump({"digest": digest("ilmlip.kept_label", entry), "entry": entry}, out)
            out.flush()
            os.fsync(out.fileno())
        part.replace(self._path(number))

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06d}.json"

    def _entry(self, number: int) -> dict[str, Any] | None:
        """What a file holds; None if it is not there, damaged, or of other parameters."""
        try:
            found = json.loads(self._path(number).read_bytes())
            entry: dict[str, Any] = found["entry"]
            whole = found["digest"] == digest("ilmlip.kept_label", entry)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return entry if whole and entry["made_of"] == self._made_of else None


def _same(entry: Mapping[str, Any], atoms: Atoms) -> bool:
    """Whether an entry is of these atoms in this cell."""
    return bool(
        entry["numbers"] == atoms.numbers.tolist()
        and np.abs(np.array(entry["cell"]) - atoms.cell.array).max() <= SAME
        and np.abs(np.array(entry["positions"]) - atoms.positions).max(initial=0.0) <= SAME
    )
