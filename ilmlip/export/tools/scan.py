"""What is made of a frame: other densities, or rattles. Not a program: frames.py imports it."""

from typing import Any

import numpy as np
from ase import Atoms

AMU_PER_A3 = 1.66053906660  # g/cm³


def made(starts: list[Atoms], wanted: dict[str, Any]) -> list[Atoms]:
    """What "volume_scan" or "rattle" of frames.json makes of each frame; else the frames themselves."""
    if "volume_scan" in wanted:
        return [one for atoms in starts for one in scanned(atoms, **wanted["volume_scan"])]
    if "rattle" in wanted:
        pairs = zip(starts, wanted["seeds"], strict=True)
        return [one for atoms, seed in pairs for one in rattled(atoms, seed, **wanted["rattle"])]
    return starts


def scanned(atoms: Atoms, densities: list[float], points: int) -> list[Atoms]:
    """The frame at equally spaced densities (g/cm³): ions' centres of mass scaled with the cell.

    The ions, which must be whole, stay rigid.
    """
    ids = atoms.get_array("ion_id")
    now = float(atoms.get_masses().sum()) * AMU_PER_A3 / float(atoms.get_volume())
    found: list[Atoms] = []
    for density in np.linspace(densities[0], densities[1], points):
        factor = (now / density) ** (1 / 3)
        scaled = atoms.copy()
        scaled.set_cell(atoms.cell.array * factor)
        for ion in np.unique(ids):
            own = ids == ion
            centre = np.average(atoms.positions[own], axis=0, weights=atoms.get_masses()[own])
            scaled.positions[own] += (factor - 1) * centre
        scaled.info["step"] = len(found)
        found.append(scaled)
    return found


def rattled(atoms: Atoms, seed: int, amplitude: float, count: int) -> list[Atoms]:
    """Copies with independent normal displacements of standard deviation `amplitude` (Å)."""
    rng = np.random.default_rng(seed)
    found: list[Atoms] = []
    for _ in range(count):
        moved = atoms.copy()
        moved.positions += rng.normal(scale=amplitude, size=(len(atoms), 3))
        moved.info["step"] = len(found)
        found.append(moved)
    return found
