"""Energies of the elements that a training starts from, solved and written into its config.

    python tools/shifts.py 5-train/0.4-seed1

Reads in that folder: config.yaml, and training.json, which says how ("shifts"):
  zero           nothing to do
  mean           the mean energy per atom of the training frames, for every element
  least_squares  the energies e of smallest norm that minimise |counts e - energies of the frames|²
  isolated       those of single atoms: energy.json in each folder of "atoms" (element, energy in eV)
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


def of_frames(kind: str, frames: list[Atoms], types: list[str]) -> list[float]:
    """The energies of the elements by `mean` or `least_squares`, eV."""
    energies = [frame.get_potential_energy() for frame in frames]
    if kind == "mean":
        mean = np.mean(np.array(energies) / [len(frame) for frame in frames])
        return [float(mean)] * len(types)
    return least_squares(element_counts(frames, types), energies)


def single_atoms(folders: list[str], types: list[str]) -> list[float]:
    """The energies of single atoms, eV. Ends the program if one is missing."""
    found = {}
    for name in folders:
        path = Path(name) / "energy.json"
        if not path.is_file():
            sys.exit(f"{path} is not there; run 3-label.sh for {name}")
        one = json.loads(path.read_text(encoding="utf-8"))
        found[one["element"]] = float(one["energy"])
    return [found[element] for element in types]


def main(folder: Path) -> None:
    """Fill in the config of one training."""
    training = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    kind = training["shifts"]
    if kind == "zero":
        return
    path = folder / "config.yaml"
    text = path.read_text(encoding="utf-8")
    config = yaml.safe_load(text)
    types = config["training_module"]["model"]["type_names"]
    if kind == "isolated":
        solved = single_atoms(training["atoms"], types)
    else:
        frames = list(ase.io.iread(folder / config["data"]["train_file_path"]))
        solved = of_frames(kind, frames, types)
    shifts = dict(zip(types, solved, strict=True))
    config["training_module"]["model"]["per_type_energy_shifts"] = shifts
    comments = [line for line in text.splitlines() if line.startswith("#")]
    dump = yaml.safe_dump(config, sort_keys=False)
    path.write_text("\n".join([*comments, dump]), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
