"""Which frames of a run to label next: far from its model's certainty, and from each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


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
