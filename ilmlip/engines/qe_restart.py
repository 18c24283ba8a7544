"""Dynamics and relaxations of pw.x that were killed go on, by pw.x's own restart.

pw.x writes its positions, velocities and Hessian after each step into its scratch folder, and does not
say that they belong together. So the steps that its output holds whole are kept, and what pw.x goes
on with must follow from the last of them: a restart between two writes is found out, and not taken.

From one run to the next pw.x's own numbers differ by its convergence, since the last density is
extrapolated from several steps in a run that was not broken off.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ilmlip.engines.attempts import attempts
from ilmlip.engines.labelling import Step
from ilmlip.errors import StageError
from ilmlip.hashing import digest

NOTE, BEFORE = "made_of.txt", "before-{:03d}.out"
STATES = {"md": "pwscf.md", "relax": "pwscf.bfgs"}
"""What pw.x writes when it moves the atoms, by calculation."""
POSITIONS = re.compile(
    r"^ATOMIC_POSITIONS \(angstrom\)\n((?:[A-Z][a-z]?(?: +-?\d+\.\d+){3}.*\n)+)\n", re.M
)
SAME_FORCES = 1e-3
"""eV/Å; forces of the same configuration, computed twice, differ by less."""
ENERGY = 2e-3
"""eV; what the work of the forces may be off, beside half of it."""

Read = Callable[[Path], list[Step]]


def take_over(
    earlier: Path | None,
    work: Path,
    text: str,
    calculation: str,
    log: str,
    scratch: str,
    read: Read,
) -> list[Step]:
    """The whole steps of an attempt with the very same input, its scratch folder moved here.

    Empty if there are none. `text`: the input of a run from the start. Whatever else the attempts
    left is removed.
    """
    (work / NOTE).write_text(digest("ilmlip.pw_input", text), encoding="utf-8")
    found: list[Step] = []
    for folder in attempts(earlier):
        found = _taken(folder, work, STATES[calculation], log, scratch, read)
        if found:
            break
        forget(work)
    if earlier is not None:
        shutil.rmtree(earlier, ignore_errors=True)
    return found


def forget(work: Path) -> None:
    """Begin anew: what was done before is no part of the run any more."""
    for part in _parts(work):
        part.unlink()


def _parts(work: Path) -> list[Path]:
    return sorted(work.glob(BEFORE.replace("{:03d}", "*")))


def _taken(folder: Path, work: Path, state: str, log: str, scratch: str, read: Read) -> list[Step]:
    try:
        if (folder / NOTE).read_text(encoding="utf-8") != (work / NOTE).read_text(encoding="utf-8"):
            return []
        parts = [p.read_text(encoding="utf-8") for p in _parts(folder)]
        if (folder / log).is_file():
            parts.append(_whole((folder / log).read_text(errors="replace", encoding="utf-8")))
        for number, part in enumerate(part for part in parts if part):
            (work / BEFORE.format(number)).write_text(part, encoding="utf-8")
        steps = joined(work, read)
        if state == STATES["md"]:
            done = int((folder / scratch / state).read_text(encoding="utf-8").split(maxsplit=2)[1])
            if done != len(steps):
                return []  # it was killed between the file and the output
        elif not (folder / scratch / state).is_file():
            return []
        if steps:
            (folder / scratch).rename(work / scratch)  # last: with it, all is there
    except (OSError, ValueError, IndexError, StageError):
        return []
    return steps


def _whole(log: str) -> str:
    """An output up to the last positions that a step was moved to."""
    found = list(POSITIONS.finditer(log))
    return log[: found[-1].end()] if found else ""


def joined(work: Path, read: Read, last: Path | None = None) -> list[Step]:
    """The steps of all parts, numbered through; `last`: the output that is no part yet.

    Each part but the first shows its input's positions as those of its first step, though it
    began from where the part before it had moved to.
    """
    steps: list[Step] = []
    moved: np.ndarray | None = None
    paths = [*_parts(work), *([last] if last else [])]
    for path in paths:
        own = read(path)
        if own and moved is not None:
            atoms = own[0].atoms.copy()
            atoms.positions = moved
            own[0] = replace(own[0], atoms=atoms)
            if not follows(steps[-1], own[0]):
                raise StageError("pw.x did not restart from its last step", log=path.name)
        steps += [replace(step, number=len(steps) + i) for i, step in enumerate(own)]
        moved = _moved_to(path.read_text(errors="replace", encoding="utf-8"))
    return steps


def _moved_to(log: str) -> np.ndarray | None:
    """The last positions in an output, Å, shape (atoms, 3)."""
    found = POSITIONS.findall(log)
    if not found:
        return None
    return np.array([line.split()[1:4] for line in found[-1].splitlines()], float)


def follows(last: Step, first: Step) -> bool:
    """Whether a step's energy and forces are those of its positions, as the last step tells them.

    The energy falls by the work of the mean force; and the forces are not those of the last step.
    """
    moved = first.atoms.positions - last.atoms.positions
    work = float((0.5 * (last.label.forces + first.label.forces) * moved).sum())
    fallen = last.label.energy - first.label.energy
    other = np.abs(first.label.forces - last.label.forces).max() > SAME_FORCES
    return bool(other and abs(fallen - work) <= 0.5 * abs(work) + ENERGY)


def versions(work: Path, read: Callable[[Path], str]) -> Sequence[str]:
    """The versions of pw.x that the parts are of."""
    return [read(path) for path in _parts(work)]
