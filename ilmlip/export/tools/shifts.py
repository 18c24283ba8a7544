"""Energies of the elements that a training starts from, solved and written into its config.

    python tools/shifts.py 5-train/0.4-seed1

Reads in that folder: config.yaml, and training.json, which says how ("shifts"):
  zero           nothing to do
  mean           the mean energy per atom of the training frames, for every element
  least_squares  the energies e of smallest norm that minimise |counts e - energies of the frames|²
"""

import json
import sys
from pathlib import Path

import ase.io
import numpy as np
import yaml
from ase import Atoms


def least_squares(counts: list[list[int]], energies: list[float]) -> list[float]:
    """The solution of smallest norm; counts (frames, kinds), energies (frames,) in eV."""
    solution = np.linalg.lstsq(np.array(counts, float), np.array(energies), rcond=None)[0]
    return [float(energy) for energy in solution]


def element_counts(frames: list[Atoms], types: list[str]) -> list[list[int]]:
    """How often each element stands in each frame; shape (frames, types)."""
    return [[frame.get_chemical_symbols().count(t) for t in types] for frame in frames]


def main(folder: Path) -> None:
    """Fill in the config of one training."""
    kind = json.loads((folder / "training.json").read_text(encoding="utf-8"))["shifts"]
    if kind == "zero":
        return
    path = folder / "config.yaml"
    text = path.read_text(encoding="utf-8")
    config = yaml.safe_load(text)
    frames = list(ase.io.iread(folder / config["data"]["train_file_path"]))
    energies = [frame.get_potential_energy() for frame in frames]
    types = config["training_module"]["model"]["type_names"]
    if kind == "mean":
        mean = np.mean(np.array(energies) / [len(frame) for frame in frames])
        solved = [float(mean)] * len(types)
    else:
        solved = least_squares(element_counts(frames, types), energies)
    shifts = dict(zip(types, solved, strict=True))
    config["training_module"]["model"]["per_type_energy_shifts"] = shifts
    comments = [line for line in text.splitlines() if line.startswith("#")]
    dump = yaml.safe_dump(config, sort_keys=False)
    path.write_text("\n".join([*comments, dump]), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
