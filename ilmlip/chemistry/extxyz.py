"""Extended XYZ, read strictly: every line of a file belongs to a frame, or the file is refused.

ASE stops at the first blank line and ignores surplus columns. Here the file is divided into frames
first, blank lines between frames are skipped, and anything else that is not a frame is an error.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ase import Atoms

OPEN: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
"""How compressed files are opened, by the end of their names."""
TENSORS = ("stress", "virial")
"""Keys that ASE takes only with nine numbers; six are common too."""
RENAMED = "tensor_of_"


class FrameError(ValueError):
    """A frame that cannot be read; the file goes on after it."""


class CutError(ValueError):
    """A last frame that is cut short."""


@dataclass(frozen=True)
class Piece:
    """The text of one frame."""

    line: int
    """Number of its first line in the file, from 1."""
    text: str


def is_extxyz(path: Path) -> bool:
    """Whether a file is extended XYZ by its name."""
    name = path.with_suffix("") if path.suffix.lower() in OPEN else path
    return name.suffix.lower() in (".xyz", ".extxyz")


def open_text(path: Path) -> io.TextIOBase:
    """A text file, plain or compressed (.gz, .bz2, .xz)."""
    opener = OPEN.get(path.suffix.lower(), open)
    opened: io.TextIOBase = opener(path, "rt", encoding="utf-8-sig", errors="replace")
    return opened


def pieces(lines: Iterable[str]) -> Iterator[Piece]:
    """Each frame of an extended XYZ file as text.

    Blank lines between frames are skipped. Raises ValueError, naming the line, where the number of
    atoms of a frame is expected and something else is found; CutError where the last frame is cut
    short.
    """
    numbered = enumerate(lines, 1)
    kept: tuple[int, str] | None = None
    while True:
        number, line = kept or next(numbered, (0, ""))
        kept = None
        if not line:
            return
        if not line.strip():
            continue
        if not re.fullmatch(r"\s*\d+\s*", line):
            raise ValueError(
                f"line {number} is {shown(line)}, where the number of atoms of a frame is expected"
            )
        body = [line]
        for at, (_, row) in enumerate(_take(numbered, int(line) + 1)):
            if at and not row.strip():
                raise ValueError(
                    f"line {number + at + 1} is blank inside a frame: it has {at - 1} of the "
                    f"{int(line)} atoms that line {number} states"
                )
            body.append(row)
        if len(body) != int(line) + 2:
            raise CutError(
                f"is cut short: from line {number} on there are {max(len(body) - 2, 0)} of "
                f"{int(line)} atoms"
            )
        for after in numbered:
            if not after[1].lstrip().startswith("VEC"):
                kept = after
                break
            body.append(after[1])
        yield Piece(number, "".join(one.rstrip("\r\n") + "\n" for one in body))


def _take(lines: Iterator[tuple[int, str]], number: int) -> Iterator[tuple[int, str]]:
    for _ in range(number):
        found = next(lines, None)
        if found is None:
            return
        yield found


def shown(text: str) -> str:
    """A line of a file, quoted and cut to what a message can hold."""
    clean = " ".join(text.split())
    return repr(clean if len(clean) <= 60 else f"{clean[:59]}…")


def frames(path: Path) -> Iterator[Atoms]:
    """Every frame of a file. Raises ValueError for what is not a frame, naming its line."""
    with open_text(path) as lines:
        for piece in pieces(lines):
            yield atoms_of(piece)


def atoms_of(piece: Piece) -> Atoms:
    """The frame that a text holds, with its labels as ASE reads them.

    Raises FrameError, naming line and column, for a value that is not a number, and for a row that has
    more or fewer columns than `Properties` states.
    """
    from ase.io.extxyz import read_xyz

    _check_rows(piece)
    try:
        atoms: Any = next(read_xyz(io.StringIO(piece.text), 0, _comment))
    except Exception as error:  # whatever ASE meets in a comment line
        said = " ".join(str(error).split()) or type(error).__name__
        raise FrameError(f"cannot be read (from line {piece.line} on): {said}") from error
    for name in TENSORS:
        if f"{RENAMED}{name}" in atoms.info:
            atoms.info[name] = atoms.info.pop(f"{RENAMED}{name}")
    return _with_stress(atoms)


def _comment(line: str) -> dict[str, Any]:
    from ase.io.extxyz import key_val_str_to_dict

    renamed = re.sub(rf"(^|\s)({'|'.join(TENSORS)})(\s*=)", rf"\1{RENAMED}\2\3", line)
    found: dict[str, Any] = key_val_str_to_dict(renamed)
    return found


def _with_stress(atoms: Atoms) -> Atoms:
    """The atoms with a stress of six or nine numbers among their results, as ASE has it."""
    import numpy as np
    from ase.calculators.singlepoint import SinglePointCalculator

    stress = atoms.info.get("stress")
    if not isinstance(stress, np.ndarray) or stress.size not in (6, 9):
        return atoms
    results = dict(atoms.calc.results) if atoms.calc is not None else {}
    del atoms.info["stress"]
    six = stress if stress.size == 6 else stress.reshape(9)[[0, 4, 8, 5, 2, 1]]
    atoms.calc = SinglePointCalculator(atoms, **results, stress=six)
    return atoms


def _columns(comment: str) -> list[tuple[str, str]]:
    """Name and type of each column; none where the comment line has no `Properties`."""
    found = re.search(r"""(?:^|\s)Properties\s*=\s*(["']?)([^\s"']+)\1""", comment)
    if found is None:
        return []
    words = found.group(2).split(":")
    columns: list[tuple[str, str]] = []
    for name, kind, number in zip(words[::3], words[1::3], words[2::3], strict=False):
        columns += [(name, kind)] * (int(number) if number.isdigit() else 0)
    return columns


def _check_rows(piece: Piece) -> None:
    lines = piece.text.split("\n")
    columns = _columns(lines[1])
    if not columns:
        return
    numeric = [i for i, (_, kind) in enumerate(columns) if kind == "R"]
    for at, row in enumerate(lines[2 : 2 + int(lines[0])]):
        words = row.split()
        where = f"line {piece.line + 2 + at}"
        if len(words) != len(columns):
            raise FrameError(
                f"has {len(words)} columns in {where}, where Properties states {len(columns)}"
            )
        for i in numeric:
            try:
                float(words[i])
            except ValueError:
                raise FrameError(
                    f"has {shown(words[i])} in {where} for {columns[i][0]!r}, which is not a number"
                ) from None
