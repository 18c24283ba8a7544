"""The model without a network: one energy for each kind of ion, by least squares of smallest norm.

    python tools/linear.py 5-train/0.4-linear

Reads in that folder: training.json ("train": the file of the training frames).
Writes linear.json: {"energies": {ion: eV}}.
"""

import json
import sys
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from shifts import least_squares


def ions(frame: Atoms) -> list[str]:
    """The name of every ion of a frame, one entry an ion."""
    _, first = np.unique(frame.arrays["ion_id"], return_index=True)
    return [str(frame.arrays["ion_type"][i]) for i in first]


def main(folder: Path) -> None:
    """Solve one linear model."""
    plan = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    frames = list(ase.io.iread(folder / plan["train"]))
    found = [ions(frame) for frame in frames]
    kinds = sorted({ion for names in found for ion in names})
    counts = [[names.count(kind) for kind in kinds] for names in found]
    solved = least_squares(counts, [frame.get_potential_energy() for frame in frames])
    energies = dict(zip(kinds, solved, strict=True))
    (folder / "linear.json").write_text(
        json.dumps({"energies": energies}, indent=1) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
