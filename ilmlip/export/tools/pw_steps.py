"""Take labelled frames out of pw.x's dynamics or relaxations.

    python tools/pw_steps.py 3-label/0.4-0-aimd

Reads in that folder: frames.extxyz, steps.json ("steps": which of each run; 0 is the frame itself) and
frame-0.out, frame-1.out …
Writes labelled.extxyz, frame by frame: energy (eV), forces (eV/Å), stress (eV/Å³, tension is positive).
"""

import json
import sys
from pathlib import Path

import ase.io
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from pw_labels import check

NAMES = ("energy", "forces", "stress")


def run(path: Path, start: Atoms) -> list[Atoms]:
    """The steps of an output that pw.x labelled, in order, with the columns of `start`."""
    check(path)
    found: list[Atoms] = []
    for moved in ase.io.iread(path, index=":", format="espresso-out"):
        results = moved.calc.results if moved.calc else {}
        if not set(NAMES) <= set(results):
            break
        atoms = start.copy()
        atoms.positions = moved.positions
        atoms.info["step"] = len(found)
        label = {name: results[name] for name in NAMES}
        atoms.calc = SinglePointCalculator(atoms, **label)
        found.append(atoms)
    return found


def main(folder: Path) -> None:
    """Write the wanted steps of one folder."""
    wanted = json.loads((folder / "steps.json").read_text(encoding="utf-8"))["steps"]
    labelled = []
    for i, start in enumerate(ase.io.iread(folder / "frames.extxyz")):
        path = folder / f"frame-{i}.out"
        steps = run(path, start)
        for step in wanted:
            if step >= len(steps):
                sys.exit(
                    f"{path} has no step {step} with energy, forces and stress, but {len(steps)} steps "
                    "(the first is 0); its end says why"
                )
            labelled.append(steps[step])
    ase.io.write(folder / "labelled.extxyz", labelled)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
