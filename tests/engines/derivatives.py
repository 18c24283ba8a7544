"""Derivatives of an engine's energy by finite differences, and the pair that they are taken of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from ase import Atoms

from ilmlip.chemistry.boxes import read_one

FRAME = Path(__file__).parents[1] / "data" / "lipf6.extxyz"
MOVED = ((0, 0), (7, 2))
"""Atoms and axes whose forces are compared."""
STRAINED = ((0, (0, 0)), (3, (1, 2)))
"""Components of the stress that are compared, one normal and one shear, with their indices."""

Energy = Callable[[Atoms], float]


def small_pair() -> Atoms:
    """LiPF6 in a box of 6.4 Å: small, so that it is quick."""
    atoms = read_one(FRAME, 0)
    atoms.positions += 3.2 - 4.0
    atoms.set_cell([6.4] * 3)
    return atoms


def force(energy: Energy, atoms: Atoms, atom: int, axis: int, step: float = 0.01) -> float:
    """−dE/dx of one atom, eV/Å."""
    ends = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions[atom, axis] += sign * step
        ends.append(energy(moved))
    return -(ends[0] - ends[1]) / (2 * step)


def strained(atoms: Atoms, deform: np.ndarray) -> Atoms:
    """The box and everything in it deformed."""
    moved = atoms.copy()
    moved.set_cell(atoms.cell.array @ deform, scale_atoms=True)
    return moved


def stress(energy: Energy, atoms: Atoms, i: int, j: int, strain: float) -> float:
    """dE/dε_ij / V of a symmetric strain, eV/Å³."""
    ends = []
    for sign in (1, -1):
        deform = np.eye(3)
        deform[i, j] += sign * strain / (1 if i == j else 2)
        deform[j, i] = deform[i, j]
        ends.append(energy(strained(atoms, deform)))
    return (ends[0] - ends[1]) / (2 * strain * atoms.get_volume())
