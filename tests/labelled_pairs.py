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


SPRING, BOND = 30.0, 1.6
"""eV/Å² and Å: PF6 with springs from P to F, and F to its neighbors."""
EDGES = [
    (1 + a, 1 + b) for a in range(6) for b in range(a) if (a, b) not in ((1, 0), (3, 2), (5, 4))
]


def springs(atoms: Atoms) -> SinglePointCalculator:
    """Energy, forces and stress of PF6 held by springs; Li feels nothing."""
    energy, forces, full = 0.0, np.zeros((8, 3)), np.zeros((3, 3))
    bonds = [(0, f, SPRING, BOND) for f in range(1, 7)]
    bonds += [(a, b, 5.0, BOND * np.sqrt(2)) for a, b in EDGES]
    for a, b, k, rest in bonds:
        arm = atoms.get_distance(a, b, mic=True, vector=True)
        length = np.linalg.norm(arm)
        energy += k * (length - rest) ** 2 / 2
        pull = k * (length - rest) * arm / length
        forces[a] += pull
        forces[b] -= pull
        full += np.outer(arm, pull)
    six = (full / atoms.get_volume()).ravel()[[0, 4, 8, 5, 2, 1]]
    return SinglePointCalculator(atoms, energy=energy, forces=forces, stress=six)


def vibrating(number: int = 12, seed: int = 0) -> list[Atoms]:
    around = [(s * BOND, 0, 0) for s in (1, -1)] + [(0, s * BOND, 0) for s in (1, -1)]
    around += [(0, 0, s * BOND) for s in (1, -1)]
    rest = np.array([(4.0, 4, 4), *(np.array(one) + 4 for one in around), (7.2, 7.2, 7.2)])
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(number):
        atoms = Atoms("PF6Li", rest + rng.normal(0, 0.04, (8, 3)), cell=[8.0] * 3, pbc=True)
        atoms.calc = springs(atoms)
        found.append(atoms)
    return found
