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
"""Largest change of a fractional coordinate between two frames, the affine motion aside."""


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
    """Paths for displacements, (frames, atoms, 3): each atom's motion less that of the cell.

    Between two frames the fractional coordinates change by Δs, nearest image; the path moves by
    Δs · h, with h the mean of the two cells. This integrates the peculiar velocity p/m of the
    Martyna–Tobias–Klein equations (J. Chem. Phys. 101, 4177, 1994), whose barostat adds the affine
    motion ḣ h⁻¹ r on top of it. It does not depend on which images the positions are of, nor on the
    origin: differences of unwrapped positions would add n·Δh for an atom n cells away (Bullerjahn,
    von Bülow, Heidari, Hénin and Hummer, J. Chem. Theory Comput. 19, 3406, 2023; their
    toroidal-view-preserving scheme keeps the affine motion of the wrapped position, which stays
    within the cell's own fluctuation and depends on the origin). In a constant cell these are the
    unwrapped positions. Atoms bonded in `bonds` (n, 2) start as one piece; the mass-weighted mean
    of their paths is the path of their centre. Where the cell changes, a path is no position in the
    cell of its frame: for distances see `images`. Raises ValueError as `images` does.
    """
    r, h = trajectory(positions, cells)
    s = _followed(r, h, bonds)
    moved = np.einsum("kai,kij->kaj", np.diff(s, axis=0), (h[1:] + h[:-1]) / 2)
    return np.concatenate([(s[:1] @ h[:1]), moved]).cumsum(axis=0)


def images(positions: ArrayLike, cells: ArrayLike, bonds: ArrayLike = ()) -> Array:
    """Positions (frames, atoms, 3), each an image of the atom in its own frame's cell.

    The image does not jump between frames, and bonded atoms (n, 2) stay one piece. Use them for
    distances, centres and structure factors; displacements between frames of different cells need
    `unwrap`. Positions may be wrapped or not. Raises ValueError as `trajectory` does, and if a
    fractional coordinate changes by more than TOO_FAR between two frames: then they are too far
    apart for the path to be known.
    """
    r, h = trajectory(positions, cells)
    return np.asarray(_followed(r, h, bonds) @ h)


def _followed(r: Array, h: Array, bonds: ArrayLike) -> Array:
    """Fractional coordinates (frames, atoms, 3) without jumps; bonded atoms start as one piece."""
    inverse = np.linalg.inv(h)
    s = r @ inverse
    step = np.diff(s, axis=0)
    step -= np.round(step)
    far = np.abs(step).max(axis=(1, 2)) if len(step) else np.zeros(0)
    if (far > TOO_FAR).any():
        k = int(np.argmax(far > TOO_FAR))
        raise ValueError(
            f"an atom moves by {far[k]:.2f} of the cell up to frame {k + 1}; frames are too rare"
        )
    first = whole(r[0], h[0], bonds) @ inverse[0]
    return np.concatenate([first[None], step]).cumsum(axis=0)


def whole(positions: Array, cell: Array, bonds: ArrayLike) -> Array:
    """One frame (atoms, 3) with every bonded atom beside its partner, not across the cell."""
    from scipy.sparse.csgraph import breadth_first_order, connected_components

    graph = bond_graph(len(positions), bonds)
    together = positions.copy()
    roots = np.unique(connected_components(graph, directed=False)[1], return_index=True)[1]
    pairs: list[tuple[int, int]] = []
    for root in roots:
        order, before = breadth_first_order(graph, root, directed=False)
        pairs += [(atom, before[atom]) for atom in order[1:]]
    if not pairs:
        return together
    atoms, partners = np.array(pairs).T
    steps = minimum_image(positions[atoms] - positions[partners], cell)
    for atom, partner, step in zip(atoms, partners, steps, strict=True):
        together[atom] = together[partner] + step
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
    """Centre of mass of each ion in each frame, (frames, ions, 3).

    paths: of `images`, for where the centres are, or of `unwrap`, for how they move.

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
