"""Take the frames to label out of a LAMMPS dump, or make them of frames that are labelled already.

    python tools/frames.py 3-label/0.4-0

Reads in that folder: frames.json (which dump, which steps of it; or which file, which frames of it;
and what is made of each, see scan.py), structure.extxyz (element and ion of each atom) and system.data
(force field and bonds; only if LAMMPS labels).
Writes frames.extxyz, and each frame as frame-0.data, frame-1.data … for LAMMPS.
"""

import json
import sys
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from scan import made

Array = NDArray[np.float64]


def read_dump(path: Path) -> dict[int, tuple[Array, Array]]:
    """Every step of a text dump sorted by id: {step: (edges of the cell, columns after the id)}."""
    found = {}
    with path.open(encoding="utf-8") as lines:
        while lines.readline().startswith("ITEM: TIMESTEP"):
            step = int(lines.readline())
            lines.readline()
            atoms = int(lines.readline())
            lines.readline()
            bounds = np.array([lines.readline().split()[:2] for _ in range(3)], dtype=float)
            lines.readline()
            rows = np.array([lines.readline().split() for _ in range(atoms)], dtype=float)
            found[step] = bounds[:, 1] - bounds[:, 0], rows[:, 1:]
    return found


def data_file(template: str, atoms: Atoms) -> str:
    """A LAMMPS data file: `template` with the cell and the positions of `atoms`."""
    head, rest = template.split("Atoms # full\n\n")
    block, gap, tail = rest.partition("\n\n")
    for axis, length in zip("xyz", atoms.cell.lengths(), strict=True):
        old = next(line for line in head.splitlines() if line.endswith(f"{axis}hi"))
        head = head.replace(old, f"0 {length:.15g} {axis}lo {axis}hi")
    rows = []
    for row, position in zip(block.strip().splitlines(), atoms.positions, strict=True):
        kept = row.split()[:4]  # number, ion, type, charge
        rows.append(" ".join([*kept, *(f"{x:.15g}" for x in position)]))
    end = gap + tail if gap else "\n"
    return f"{head}Atoms # full\n\n" + "\n".join(rows) + end


def of_dump(dump: str, wanted: list[int], atoms: Atoms) -> list[Atoms]:
    """Steps of a dump. Ends the program if one is missing."""
    steps = read_dump(Path(dump))
    frames = []
    for step in wanted:
        if step not in steps:
            sys.exit(f"{dump} has no step {step}; has the sampling run to its end?")
        lengths, positions = steps[step]
        frame = atoms.copy()
        frame.set_cell(lengths)
        frame.set_positions(positions)
        frames.append(frame)
    return frames


def of_file(name: str, wanted: list[int]) -> list[Atoms]:
    """Frames of a file of labels, without these. Ends the program if one is missing."""
    path = Path(name)
    there = list(ase.io.iread(path)) if path.exists() else []
    if len(there) <= max(wanted):
        sys.exit(f"{path} has {len(there)} frames, and number {max(wanted)} (from 0) is wanted")
    frames = [there[i].copy() for i in wanted]
    for frame in frames:
        frame.info.clear()
    return frames


def main(folder: Path) -> None:
    """Write the frames of one folder."""
    wanted = json.loads((folder / "frames.json").read_text(encoding="utf-8"))
    (atoms,) = ase.io.iread(folder / "structure.extxyz")
    if "file" in wanted:
        starts = of_file(wanted["file"], wanted["frames"])
    else:
        starts = of_dump(wanted["dump"], wanted["steps"], atoms)
    ase.io.write(folder / "frames.extxyz", made(starts, wanted))
    template = folder / "system.data"
    if template.exists():
        # the positions as frames.extxyz has them, so that a label belongs to exactly these
        for i, frame in enumerate(ase.io.iread(folder / "frames.extxyz")):
            text = data_file(template.read_text(encoding="utf-8"), frame)
            (folder / f"frame-{i}.data").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
