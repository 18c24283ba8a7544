"""Put what LAMMPS computed of each frame beside the frame.

    python tools/labels.py 3-label/0.4-0

Reads in that folder: frames.extxyz, labels.txt and forces-0.dump, forces-1.dump …
Writes labelled.extxyz: energy (eV), forces (eV/Å), stress (eV/Å³, tension is positive).
"""

import sys
from pathlib import Path

import ase.io
import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from frames import read_dump

BAR = 6.241509074460763e-07  # eV/Å³


def main(folder: Path) -> None:
    """Label the frames of one folder."""
    frames = list(ase.io.iread(folder / "frames.extxyz"))
    rows = np.loadtxt(folder / "labels.txt", ndmin=2)
    for i, (frame, row) in enumerate(zip(frames, rows, strict=True)):
        xx, yy, zz, xy, xz, yz = row[2:]
        stress = -BAR * np.array([xx, yy, zz, yz, xz, xy])
        ((_, forces),) = read_dump(folder / f"forces-{i}.dump").values()
        frame.calc = SinglePointCalculator(frame, energy=row[1], forces=forces, stress=stress)
    ase.io.write(folder / "labelled.extxyz", frames)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
