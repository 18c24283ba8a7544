"""A box to start from: ions on the vertices of a cubic grid, in random order and orientation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ilmlip.chemistry.ion import IonGeometry, least_spacing


@dataclass(frozen=True)
class Packed:
    """A packed box: ions in the order of the vertices."""

    names: tuple[str, ...]
    """Ion on each vertex that is taken."""
    positions: NDArray[np.float64]
    """Shape (atoms, 3), Å; ions are whole."""
    length: float
    """Edge of the cubic box, Å."""


class TooTightError(ValueError):
    """The grid is too narrow for the largest ion."""


def pack(
    counts: Mapping[str, int], ions: Mapping[str, IonGeometry], spacing: float, seed: int
) -> Packed:
    """Place `counts` ions on a cubic grid of at least `spacing` (Å), randomly ordered and rotated.

    Raises TooTightError if ions on neighbouring vertices could come closer than CLEARANCE.
    """
    rng = np.random.default_rng(seed)
    names = [name for name in sorted(counts) for _ in range(counts[name])]
    shapes = {name: _centred(ions[name]) for name in counts}
    least = least_spacing(ions[name] for name in counts)
    if spacing < least:
        raise TooTightError(
            f"a grid of {spacing:g} Å lets ions overlap; use at least {math.ceil(10 * least) / 10:g} Å"
        )
    side = math.ceil(round(len(names) ** (1 / 3), 9))
    vertices = np.array([(x, y, z) for x in range(side) for y in range(side) for z in range(side)])
    chosen = vertices[rng.permutation(len(vertices))[: len(names)]]
    order = rng.permutation(len(names))
    placed = [
        shapes[names[i]] @ _rotation(rng).T + (vertex + 0.5) * spacing
        for i, vertex in zip(order, chosen, strict=True)
    ]
    return Packed(tuple(names[i] for i in order), np.concatenate(placed), side * spacing)


def closest_contact(
    positions: NDArray[np.float64], ion_id: Sequence[int], lengths: float | Sequence[float]
) -> float:
    """Least distance (Å) between atoms of different ions in an orthogonal box, by minimum image."""
    ids = np.asarray(ion_id)
    delta = positions[:, None] - positions[None]
    delta -= np.asarray(lengths) * np.round(delta / np.asarray(lengths))
    distance = np.linalg.norm(delta, axis=2)
    distance[ids[:, None] == ids[None]] = np.inf
    return float(distance.min(initial=np.inf))


def _centred(ion: IonGeometry) -> NDArray[np.float64]:
    """Positions about the middle of the smallest box around the ion."""
    positions = np.array(ion.positions)
    middle: NDArray[np.float64] = (positions.min(axis=0) + positions.max(axis=0)) / 2
    return positions - middle


def _rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """A uniformly random rotation matrix, from a uniformly random unit quaternion."""
    w, x, y, z = (q := rng.normal(size=4)) / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
