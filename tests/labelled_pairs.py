"""Labelled frames of one LiPF6 in a box, of which all is known, and their import."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from ilmlip.chemistry.labelled import read_frames
from ilmlip.hashing import file_digest
from ilmlip.spec.files import Reading
from ilmlip.stages import imported
from ilmlip.stages.base import Inputs, Output

IONS = {"Li": ("Li",), "PF6": ("P", *["F"] * 6)}
COMPOSITIONS = {"LiPF6": {"Li": 1, "PF6": 1}}
STIFF, REST = 0.02, 512.0
"""E = STIFF (V − REST)² / (2 REST): a liquid of which all is known, eV/Å³ and Å³."""


def pair(edge: float = 8.0, shift: float = 0.0) -> Atoms:
    """LiPF6, its fractional coordinates the same at every edge but for `shift` of Li."""
    around = [(s * 0.2, 0, 0) for s in (1, -1)] + [(0, s * 0.2, 0) for s in (1, -1)]
    around += [(0, 0, s * 0.2) for s in (1, -1)]
    inside = [
        (0.5, 0.5, 0.5),
        *(tuple(0.5 + x for x in one) for one in around),
        (0.9 + shift, 0.9, 0.9),
    ]
    atoms = Atoms("PF6Li", scaled_positions=inside, cell=[edge] * 3, pbc=True)
    volume = atoms.get_volume()
    forces = np.random.default_rng(int(1e6 * shift)).normal(0, 0.3, (8, 3))
    normal = STIFF * (volume - REST) / REST
    atoms.calc = SinglePointCalculator(
        atoms,
        energy=STIFF * (volume - REST) ** 2 / (2 * REST),
        forces=forces - forces.mean(axis=0),
        stress=np.array([normal, normal, normal, 0.01, 0.02, 0.03]),
    )
    return atoms


def several() -> list[Atoms]:
    return [pair(shift=0.001 * i) for i in range(6)]


def volumes() -> list[Atoms]:
    return [pair(edge) for edge in (7.7, 7.85, 8.0, 8.15, 8.3, 8.45)]


def take(
    folder: Path, frames: Sequence[Atoms], *, ions: Any = IONS, **reading: Any
) -> tuple[Output, list[Any]]:
    """Import frames written as extended XYZ; what the stage says, and its frames."""
    path = folder / "given.extxyz"
    write(path, list(frames), format="extxyz")
    reading.setdefault("stress_key", "stress")
    return import_file(path, folder / "work", ions=ions, **reading)


def import_file(
    path: Path, work: Path, *, ions: Any = IONS, compositions: Any = COMPOSITIONS, **reading: Any
) -> tuple[Output, list[Any]]:
    """Import one file; what the stage says, and its frames."""
    params = imported.Params(
        reading=Reading(**reading),
        sha256=(file_digest(path),),
        compositions=compositions,
        ions=ions,
    )
    work.mkdir(exist_ok=True)
    found = imported.run(params, Inputs({}, how={"paths": [str(path)]}), work)
    return found, read_frames(work / imported.FRAMES)
