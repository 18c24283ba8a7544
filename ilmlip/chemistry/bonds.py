"""The bonds of all ions of a box, as their data has them, and of the box repeated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ilmlip.record import Record, field

if TYPE_CHECKING:
    from ase import Atoms

Whole = NDArray[np.int64]


class IonBonds(Record):
    """What of an ion its bonds are judged by."""

    elements: tuple[str, ...] = field("Element of each atom")
    bonds: tuple[tuple[int, int], ...] = field("Bonded atoms, by their number from 0")
    lengths: tuple[float, ...] = field("Normal length of each bond", unit="Å")
    charge: float = field("Net charge", unit="e")


def bonds_of(atoms: Atoms, ions: Mapping[str, IonBonds]) -> tuple[Whole, NDArray[np.float64]]:
    """Bonds (n, 2) of a box with the arrays `ion_id` and `ion_type`, and their normal lengths (n,), Å.

    Raises ValueError for an ion whose atoms are not in the order of its data.
    """
    ids, names = atoms.arrays["ion_id"], atoms.arrays["ion_type"]
    symbols = np.array(atoms.get_chemical_symbols())
    pairs: list[tuple[int, int]] = []
    lengths: list[float] = []
    for one in np.unique(ids):
        mine = np.flatnonzero(ids == one)
        ion = ions[str(names[mine[0]])]
        if tuple(symbols[mine]) != ion.elements:
            raise ValueError(
                f"the atoms of {names[mine[0]]} are in another order than in its data file"
            )
        pairs += [(int(mine[a]), int(mine[b])) for a, b in ion.bonds]
        lengths += ion.lengths
    return np.array(pairs, int).reshape(-1, 2), np.array(lengths, float)


def repeated(atoms: Atoms, bonds: Whole, times: tuple[int, int, int]) -> Whole:
    """The bonds (n, 2) of a box in `atoms * times`; one that crosses a face joins two copies."""
    from ase.geometry import find_mic

    n = np.array(times)
    vectors = atoms.positions[bonds[:, 1]] - atoms.positions[bonds[:, 0]]
    nearest = find_mic(vectors, atoms.cell, pbc=True)[0] if len(bonds) else vectors
    shifts = np.rint(np.linalg.solve(atoms.cell.array.T, (nearest - vectors).T).T).astype(int)
    found = []
    for copy in np.ndindex(*times):
        other = (np.array(copy) + shifts) % n
        first = np.full(len(bonds), np.ravel_multi_index(copy, times))
        second = np.ravel_multi_index(tuple(other.T), times)
        found.append(bonds + len(atoms) * np.stack([first, second], axis=1))
    return np.concatenate(found)
