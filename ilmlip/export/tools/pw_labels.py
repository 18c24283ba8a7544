"""Put what pw.x computed of each frame beside the frame.

    python tools/pw_labels.py 3-label/0.4-0

Reads in that folder: frames.extxyz and frame-0.out, frame-1.out …
Writes labelled.extxyz: energy (eV), forces (eV/Å), stress (eV/Å³, tension is positive).
"""

import sys
from pathlib import Path
from typing import Any

import ase.io
from ase.calculators.singlepoint import SinglePointCalculator


def check(path: Path) -> None:
    """End the program if an output did not come to its end, or did not converge."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    if "convergence NOT achieved" in text:
        sys.exit(f"{path} did not converge; lower mixing_beta in in.pw")
    if "JOB DONE" not in text:
        sys.exit(f"{path} did not come to its end; remove it and run again")


def results(path: Path) -> dict[str, Any]:
    """Energy, forces and stress of an output. Ends the program if pw.x did not get that far."""
    check(path)
    *_, last = ase.io.iread(path, format="espresso-out")
    found = last.calc.results
    return {name: found[name] for name in ("energy", "forces", "stress")}


def main(folder: Path) -> None:
    """Label the frames of one folder."""
    frames = list(ase.io.iread(folder / "frames.extxyz"))
    for i, frame in enumerate(frames):
        frame.calc = SinglePointCalculator(frame, **results(folder / f"frame-{i}.out"))
    ase.io.write(folder / "labelled.extxyz", frames)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
