"""Frames that are one and the same configuration, whatever their coordinates.

Two frames are the same if one becomes the other by moving atoms to periodic images, by a shift or a
rotation of everything, and by exchanging atoms of one element. Structure factors of the lowest
reciprocal vectors do not change under any of these, and change little with little displacements;
frames that agree in them are compared atom by atom.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
TOLERANCE = 5e-4
"""Å: how far atoms may be rounded: the least precise files have three decimals."""
WAVES = np.array([(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 0, 1), (2, 0, 0),
                  (0, 2, 0)])  # fmt: skip
"""Reciprocal vectors, as multiples of those of the cell."""


def twins(
    symbols: Sequence[Sequence[str]],
    cells: Sequence[Array],
    positions: Sequence[Array],
    tolerance: float = TOLERANCE,
) -> dict[int, int]:
    """By the number of a frame that repeats an earlier one: that one's number.

    `cells`: (3, 3) each, rows are lattice vectors, Å; `positions`: (atoms, 3) each, Å. The time grows
    with the number of frames, not of pairs.
    """
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for i, names in enumerate(symbols):
        groups[tuple(sorted(names))].append(i)
    found: dict[int, int] = {}
    for members in groups.values():
        if len(members) > 1:
            found |= _among(members, symbols, cells, positions, tolerance)
    return dict(sorted(found.items()))


def _among(
    members: Sequence[int],
    symbols: Sequence[Sequence[str]],
    cells: Sequence[Array],
    positions: Sequence[Array],
    tolerance: float,
) -> dict[int, int]:
    """The repeated ones among frames of the same elements."""
    from scipy.spatial import cKDTree

    inside: dict[int, Array] = {
        i: np.asarray(np.linalg.solve(cells[i].T, positions[i].T).T, float) for i in members
    }
    marks = np.array([_mark(symbols[i], cells[i], inside[i]) for i in members])
    edge = min(float(np.linalg.norm(cells[i], axis=1).min()) for i in members)
    # |ΔS| ≤ 2π |h| |Δs| for normalized S, and cells are compared relative to their length
    reach = 2 * np.pi * 2 * np.sqrt(3) * tolerance / edge + 1e-9
    tree = cKDTree(marks)
    found: dict[int, int] = {}
    for a, i in enumerate(members):
        if i in found:
            continue
        for b in sorted(tree.query_ball_point(marks[a], reach, p=np.inf)):
            j = members[b]
            if j <= i or j in found:
                continue
            if _same_cell(cells[i], cells[j], tolerance) and _same(
                np.asarray(symbols[i]),
                inside[i],
                np.asarray(symbols[j]),
                inside[j],
                tolerance / edge,
            ):
                found[j] = i
    return found


def _mark(symbols: Sequence[str], cell: Array, inside: Array) -> Array:
    """Numbers that twins share: edges, and the structure factors of the elements."""
    from ase.data import atomic_numbers

    # any weights that differ by element
    weights = 1 + np.mod(0.6180339887 * np.array([atomic_numbers[s] for s in symbols]), 1.0)
    phases = np.exp(2j * np.pi * inside @ WAVES.T)
    factors = np.abs(weights @ phases) / weights.sum()
    edges = np.linalg.norm(cell, axis=1)
    return np.concatenate([factors, edges / edges.mean() / 10, [np.log(edges.mean()) / 10]])


def _same_cell(one: Array, other: Array, tolerance: float) -> bool:
    """Whether two cells have the same edges and angles."""
    return bool(np.abs(one @ one.T - other @ other.T).max() < 2 * tolerance * np.linalg.norm(one))


def _same(symbols: Array, one: Array, others: Array, other: Array, reach: float) -> bool:
    """Whether a shift puts each atom upon one of the same element; fractional coordinates."""
    from scipy.spatial import cKDTree

    names, numbers = np.unique(symbols, return_counts=True)
    rare = names[np.argmin(numbers)]
    anchor = one[symbols == rare][0]
    wrapped = np.mod(other, 1.0) % 1.0
    trees = {name: cKDTree(wrapped[others == name], boxsize=1.0) for name in names}
    for target in other[others == rare]:
        moved = np.mod(one + (target - anchor), 1.0) % 1.0
        if all(_upon(moved[symbols == name], trees[name], 2 * reach) for name in names):
            return True
    return False


def _upon(points: Array, tree: Any, reach: float) -> bool:
    """Whether each point lies upon a point of the tree (cKDTree) of its own."""
    distances, places = tree.query(points, p=np.inf)
    return bool(distances.max() <= reach and len(set(places.tolist())) == len(points))
