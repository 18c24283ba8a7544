"""Which frames of a run to label next: far from its model's certainty, and from each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

REACH, WIDTH = 5.0, 0.25
"""Å: how far `fingerprint` looks, and the width of its bins, which are smeared by as much."""


def force_spread(forces: ArrayLike) -> NDArray[np.float64]:
    """How far a committee disagrees on each atom of a frame, (atoms,), in the unit of the forces.

    σ_i = √⟨|F_i − ⟨F_i⟩|²⟩ over the members, forces (members, atoms, 3); its largest over a frame's
    atoms is the model deviation of Zhang et al., Comput. Phys. Commun. 253, 107206 (2020), Eq. 4.
    """
    given = np.asarray(forces, dtype=float)
    away = given - given.mean(axis=0)
    return np.asarray(np.sqrt((away**2).sum(axis=2).mean(axis=0)))


def fingerprint(
    symbols: Sequence[str], positions: ArrayLike, cell: ArrayLike
) -> NDArray[np.float64]:
    """What a frame looks like to its atoms: smeared histograms of distances, (numbers,).

    One of each pair of elements, in neighbours per atom up to REACH Å, all images of a small box
    included. Frames of one composition can be compared by Euclidean distance. positions (n, 3) and
    cell (3, 3) in Å, periodic.
    """
    from matscipy.neighbours import neighbour_list

    points, box = np.asarray(positions, dtype=float), np.asarray(cell, dtype=float)
    i, j, d = neighbour_list(
        "ijd", positions=points, cell=box, pbc=np.ones(3, bool), cutoff=REACH + 3 * WIDTH
    )
    kinds, kind = np.unique(np.asarray(symbols), return_inverse=True)
    edges = np.arange(0.0, REACH + 4 * WIDTH, WIDTH)
    kernel = np.exp(-0.5 * np.arange(-3, 4) ** 2)
    parts = []
    for a in range(len(kinds)):
        for b in range(a, len(kinds)):
            own = (kind[i] == a) & (kind[j] == b)
            counts = np.histogram(d[own], edges)[0] / len(points)
            parts.append(np.convolve(counts, kernel / kernel.sum(), "same"))
    return np.concatenate(parts)


def evenly(there: int, count: int) -> list[int]:
    """At most `count` of the frames 1 to `there` of a run, equally spaced, its last included."""
    return sorted({round(i * there / count) for i in range(1, count + 1)} - {0})


def by_spread(
    spread: ArrayLike, descriptors: ArrayLike, times: ArrayLike, count: int, apart: float
) -> list[int]:
    """At most `count` frames, in the order chosen; none twice, none nearer in time than `apart`.

    The first has the largest spread; each next the largest spread times distance to the nearest
    chosen one (farthest-point sampling, weighted). Ties go to the earlier frame. Fewer come back
    when no allowed frame is left or all that are left have no spread or equal a chosen one.

    spread (n,), any one unit, not negative; descriptors (n, d), compared by Euclidean distance;
    times (n,) and apart, fs. Raises ValueError if the lengths differ or a number is not finite.
    """
    weight, points, at = (np.asarray(a, dtype=float) for a in (spread, descriptors, times))
    if points.ndim != 2 or not weight.shape == at.shape == points.shape[:1]:
        raise ValueError(f"shapes do not fit: {weight.shape}, {points.shape}, {at.shape}")
    if not all(np.isfinite(a).all() for a in (weight, points, at)):
        raise ValueError("a spread, descriptor or time is not finite")
    chosen: list[int] = []
    nearest = np.ones(len(at))
    free = np.ones(len(at), dtype=bool)
    while len(chosen) < count:
        score = np.where(free, weight * nearest, 0.0)
        if not score.any():
            break
        best = int(np.argmax(score))
        away = np.linalg.norm(points - points[best], axis=1)
        nearest = np.minimum(nearest, away) if chosen else away
        free &= _far(at, at[best], apart)
        free[best] = False
        chosen.append(best)
    return chosen


def at_random(times: ArrayLike, count: int, apart: float, seed: int) -> list[int]:
    """At most `count` frames in a random order that `seed` fixes, under the same rule of times.

    times (n,) and apart, fs.
    """
    at = np.asarray(times, dtype=float)
    chosen: list[int] = []
    for i in np.random.default_rng(seed).permutation(len(at)):
        if len(chosen) < count and all(_far(at[chosen], at[i], apart)):
            chosen.append(int(i))
    return chosen


def _far(times: NDArray[np.float64], time: float, apart: float) -> NDArray[np.bool_]:
    return np.asarray(np.abs(times - time) >= apart)
