"""Gather labelled frames into the files of a dataset.

    python tools/gather.py 4-dataset/train-0.4

Reads in that folder: split.json ("from": files and which of their frames, one after the other;
"split": which of all these go where, numbers from 0).
Writes train.extxyz and val.extxyz, or test.extxyz.
"""

import json
import sys
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms


def checked(frame: Atoms, name: str) -> Atoms:
    """The frame. Ends the program if it has no energy or no forces, or one is no finite number."""
    found = frame.calc.results if frame.calc else {}
    for quantity in ("energy", "forces"):
        if quantity not in found or not np.isfinite(found[quantity]).all():
            sys.exit(f"{name}: {quantity} is missing or not a finite number")
    return frame


def main(folder: Path) -> None:
    """Write the files of one dataset."""
    plan = json.loads((folder / "split.json").read_text(encoding="utf-8"))
    frames = []
    for source in plan["from"]:
        there = list(ase.io.iread(source["file"]))
        if len(there) <= max(source["frames"]):
            sys.exit(f"{source['file']} has {len(there)} frames; {max(source['frames'])} is wanted")
        frames += [checked(there[i], f"{source['file']}, frame {i}") for i in source["frames"]]
    for name, members in plan["split"].items():
        ase.io.write(folder / f"{name}.extxyz", [frames[i] for i in members])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
