"""Trajectories in periodic cells: nearest images, paths without jumps, centres of ions.

Positions (frames, atoms, 3) and cells in Å; cells (frames, 3, 3), rows are the vectors, or one (3, 3)
for all frames; any triclinic cell.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ilmlip.observables.series import finite

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
TOO_FAR = 0.45
"""Part of the smallest height of a cell that no atom may move by between two frames."""


def trajectory(positions: ArrayLike, cells: ArrayLike) -> tuple[Array, Array]:
    """Both as arrays, with a cell for each frame.

    Raises ValueError for shapes other than those stated above, values that are not finite, and
    cells without a volume.
    """
    r = finite(positions, "positions", None, None, 3)
    h = np.asarray(cells, float)
    h = finite(h, "cells", 3, 3) if h.ndim == 2 else finite(h, "cells", len(r), 3, 3)
    h = np.broadcast_to(h, (len(r), 3, 3))
    if np.abs(np.linalg.det(h)).min() <= 0:
        raise ValueError("a cell has no volume")
    return r, h


def volumes(cells: Array) -> Array:
    """Å³."""
    return np.asarray(np.abs(np.linalg.det(cells)))


def smallest_height(cells: Array) -> float:
    """The least distance between two opposite faces of any of the cells, Å."""
    return float(1 / np.linalg.norm(np.linalg.inv(cells), axis=-2).max())


def minimum_image(vectors: Array, cell: Array) -> Array:
    """The shortest of the periodic images of vectors (n, 3)."""
    from ase.geometry import find_mic

    return np.asarray(find_mic(vectors, cell, pbc=True)[0])


def neighbours(positions: Array, cell: Array, cutoff: float) -> tuple[Whole, Whole, Array]:
    """Both atoms and the distance of each pair up to the cutoff; each pair stands twice.

    Raises ValueError for a cutoff beyond half the smallest height of the cell: nearest images only.
    """
    from matscipy.neighbours import neighbour_list

    within_half(cell, cutoff)
    i, j, d = neighbour_list(
        "ijd", positions=positions, cell=cell, pbc=np.ones(3, bool), cutoff=float(cutoff)
    )
    return i, j, d


def within_half(cells: Array, cutoff: float) -> None:
    """ValueError if a distance is not that of nearest images alone."""
    half = smallest_height(cells) / 2
    if not 0 < cutoff <= half:
        raise ValueError(
            f"a distance of {cutoff} Å; half the smallest height of the cell is {half}"
        )


def unwrap(positions: ArrayLike, cells: ArrayLike, bonds: ArrayLike = ()) -> Array:
    """Positions that follow each atom through the faces of the cell; (frames, atoms, 3).

    Each frame adds the nearest image of the displacement in its own cell (von Bülow, Bullerjahn and
    Hummer, J. Chem. Phys. 153, 021101, 2020), which is right for cells that fluctuate, too. Atoms
    bonded in `bonds` (n, 2) start as one piece. Positions may be wrapped or not. Raises ValueError
    as `trajectory` does, and if an atom moves by more than TOO_FAR of the smallest height between
    two frames: then they are too far apart for its path to be known.
    """
    r, h = trajectory(positions, cells)
    paths = np.empty_like(r)
    paths[0] = whole(r[0], h[0], bonds)
    for k in range(1, len(r)):
        step = minimum_image(r[k] - r[k - 1], h[k])
        longest = float(np.linalg.norm(step, axis=1).max())
        if longest > TOO_FAR * smallest_height(h[k]):
            raise ValueError(
                f"an atom moves by {longest:.2f} Å up to frame {k}; frames are too rare"
            )
        paths[k] = paths[k - 1] + step
    return paths


def whole(positions: Array, cell: Array, bonds: ArrayLike) -> Array:
    """One frame (atoms, 3) with every bonded atom beside its partner, not across the cell."""
    from scipy.sparse.csgraph import breadth_first_order, connected_components

    graph = bond_graph(len(positions), bonds)
    together = positions.copy()
    roots = np.unique(connected_components(graph, directed=False)[1], return_index=True)[1]
    for root in roots:
        order, before = breadth_first_order(graph, root, directed=False)
        for atom in order[1:]:
            step = minimum_image(positions[[atom]] - positions[[before[atom]]], cell)[0]
            together[atom] = together[before[atom]] + step
    return together


def bond_graph(atoms: int, bonds: ArrayLike) -> object:
    """The bonds (n, 2) as a sparse matrix of scipy; ValueError for an atom that does not exist."""
    from scipy.sparse import csr_array

    pairs = np.asarray(bonds, int).reshape(-1, 2)
    if pairs.size and not (pairs.min() >= 0 and pairs.max() < atoms):
        raise ValueError(f"a bond of an atom that is none of the {atoms}")
    return csr_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(atoms, atoms))


def ions_of(atoms: int, bonds: ArrayLike) -> Whole:
    """The number of each atom's ion, from 0 on, (atoms,): what the bonds (n, 2) hold together."""
    from scipy.sparse.csgraph import connected_components

    return np.asarray(connected_components(bond_graph(atoms, bonds), directed=False)[1], int)


def centres(paths: Array, ions: ArrayLike, masses: ArrayLike) -> Array:
    """Centre of mass of each ion in each frame, (frames, ions, 3), of unwrapped positions.

    ions (atoms,): the number, from 0 on, of each atom's ion; masses (atoms,) in u.
    """
    mass = finite(masses, "masses", paths.shape[1])
    ids = np.asarray(ions, int)
    if ids.shape != mass.shape or set(ids.tolist()) != set(range(ids.max() + 1)):
        raise ValueError("each atom needs the number of its ion, 0, 1, …, none left out")
    if mass.min() <= 0:
        raise ValueError("masses must be above zero")
    share = np.zeros((ids.max() + 1, len(ids)))
    share[ids, np.arange(len(ids))] = mass
    share /= share.sum(axis=1, keepdims=True)
    return np.asarray(share @ paths)


def barycentric(kinds: Mapping[str, Array], masses: Mapping[str, float]) -> dict[str, Array]:
    """Paths (frames, ions, 3) of each kind of ion, seen from the centre of mass of all of them.

    All ions of the box must be there. masses: of one ion of each kind, u.
    """
    if set(kinds) != set(masses):
        raise ValueError(f"masses of {sorted(masses)} for ions {sorted(kinds)}")
    total = sum(masses[k] * kinds[k].shape[1] for k in kinds)
    middle = sum(masses[k] * kinds[k].sum(axis=1, keepdims=True) for k in kinds) / total
    return {k: paths - middle for k, paths in kinds.items()}
