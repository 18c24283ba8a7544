"""Boxes of ions as extended XYZ: whole ions in a periodic cell, each atom with its ion.

Arrays `ion_id` (number of the ion in the box, from 0) and `ion_type` (its name) go with every
frame, from the packed box to the labelled data, so that no later step needs the topology.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ilmlip.chemistry import extxyz
from ilmlip.units import AMU_PER_A3

if TYPE_CHECKING:
    from ase import Atoms

    from ilmlip.chemistry.forcefield import Box


def frame(box: Box, positions: NDArray[np.float64], lengths: Any) -> Atoms:
    """ASE atoms of a box: `positions` (atoms, 3) in Å, an orthogonal cell of `lengths` Å."""
    return atoms_of(box.elements, box.ion_id, box.ion_type, positions, lengths)


def atoms_of(
    elements: Iterable[str],
    ion_id: Iterable[int],
    ion_type: Iterable[str],
    positions: NDArray[np.float64],
    lengths: Any,
) -> Atoms:
    """ASE atoms with the arrays `ion_id` and `ion_type`, periodic in an orthogonal cell."""
    from ase import Atoms

    atoms = Atoms(list(elements), positions=positions, cell=lengths, pbc=True)
    atoms.set_array("ion_id", np.array(list(ion_id), dtype=int))
    atoms.set_array("ion_type", np.array(list(ion_type)))
    return atoms


def labelled(atoms: Atoms, quantities: Mapping[str, Any]) -> Atoms:
    """The atoms with their label: energy, forces, stress by ASE's names, in its units and signs."""
    from ase.calculators.singlepoint import SinglePointCalculator

    atoms.calc = SinglePointCalculator(atoms, **quantities)
    return atoms


def density(atoms: Atoms) -> float:
    """g/cm³."""
    return float(atoms.get_masses().sum()) * AMU_PER_A3 / float(atoms.get_volume())


def write(path: Path, frames: Atoms | list[Atoms]) -> None:
    """Write one frame or several."""
    from ase.io import write as ase_write

    ase_write(path, frames, format="extxyz")


def read(path: Path) -> list[Atoms]:
    """Every frame of a file. Raises ValueError for one that holds anything else."""
    return list(extxyz.frames(path))


@lru_cache(maxsize=4)
def _remembered(path: Path, modified: float) -> tuple[Atoms, ...]:
    return tuple(read(path))


def read_one(path: Path, index: int) -> Atoms:
    """One frame of a file that many tasks of one process read. Raises IndexError past the end."""
    atoms: Atoms = _remembered(path, path.stat().st_mtime)[index].copy()
    return atoms


def ion_names(atoms: Atoms) -> list[str]:
    """The name of each ion of a frame, in the order of the ions."""
    _, first = np.unique(atoms.get_array("ion_id"), return_index=True)
    types = atoms.get_array("ion_type")
    return [str(types[i]) for i in first]
