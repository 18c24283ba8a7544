"""Lifetimes of ion pairs: how long two ions stay within a distance of each other.

Both lifetimes are integrals of a correlation function of h, which is 1 while two ions are a pair and
0 while they are not (Luzar and Chandler, Phys. Rev. Lett. 76, 928, 1996; Rapaport, Mol. Phys. 50,
1151, 1983): the continuous one of S(t) = ⟨h(0) H(t)⟩/⟨h⟩, with H(t) = 1 if the pair held all the way
from 0 to t; the intermittent one of C(t) = ⟨h(0) h(t)⟩/⟨h⟩, where it may have parted and met again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ilmlip.observables.periodic import neighbours, trajectory, within_half
from ilmlip.observables.series import Estimate, correlation, jackknife, positive

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
DECAYED = 0.05
"""What may be left of a correlation function at its longest lag."""
FEWEST_IONS = 2


@dataclass(frozen=True)
class Lifetime:
    """A correlation function of pairs, and its integral."""

    time: Estimate
    """fs."""
    times: Array
    """fs; (lags,)."""
    correlation: Array
    """S(t), or (C(t) − ⟨h⟩)/(1 − ⟨h⟩); 1 at t = 0."""
    decayed: bool
    """Whether no more than DECAYED is left at the longest lag; if not, the time is too short."""


def contacts(some: ArrayLike, others: ArrayLike, cells: ArrayLike, cutoff: float) -> Bools:
    """Which ions are within the cutoff of each other, (frames, some, others).

    some, others: centres (frames, ions, 3) of two kinds in Å, wrapped or not; cells as in `periodic`;
    cutoff in Å, such as the first minimum of their g, up to half the smallest height of the cell.
    """
    a, h = trajectory(some, cells)
    b, _ = trajectory(others, cells)
    if len(a) != len(b):
        raise ValueError(f"{len(a)} frames of one kind, {len(b)} of the other")
    within_half(h, cutoff)
    n, found = a.shape[1], np.zeros((len(a), a.shape[1], b.shape[1]), bool)
    for k in range(len(a)):
        i, j, _ = neighbours(np.concatenate([a[k], b[k]]), h[k], cutoff)
        mixed = (i < n) & (j >= n)
        found[k, i[mixed], j[mixed] - n] = True
    return found


def continuous_lifetime(pairs: ArrayLike, step: float, lags: int | None = None) -> Lifetime:
    """∫ S(t) dt, by trapezoids, over pairs that never part.

    pairs: h, (frames, some, others), as `contacts` gives; `step` fs apart. `lags`: the longest, half
    of the run by default. A pair that parts and meets between two frames counts as held, so that the
    time grows with the step. Error: by the jackknife over the ions `some`, as if they were
    independent. Raises ValueError for shapes, and if there are fewer than FEWEST_IONS or no pairs.
    """
    h, last = _checked(pairs, lags)
    held = np.array([_survived(ion, last) for ion in np.moveaxis(h, 1, 0)])
    met = np.array([_origins(ion, last) for ion in np.moveaxis(h, 1, 0)])
    return _lifetime(np.stack([held, met], axis=1), _ratio, positive(step, "the step"))


def intermittent_lifetime(pairs: ArrayLike, step: float, lags: int | None = None) -> Lifetime:
    """∫ (C(t) − ⟨h⟩)/(1 − ⟨h⟩) dt, by trapezoids, up to where it first falls to zero.

    C(t) of pairs in a box tends to ⟨h⟩, the chance that two ions are a pair anyhow, and not to zero.
    For a pair that forms and parts at constant rates the time is 1/(k_form + k_part), while the
    continuous one is 1/k_part. Arguments, error and ValueError as for `continuous_lifetime`.
    """
    h, last = _checked(pairs, lags)
    ones = np.ones(last + 1)
    parts = np.array(
        [
            [
                # numbers of frames: whole, so that the zero that ends the integral is one in any order
                np.rint(correlation(ion.astype(float))[: last + 1].sum(axis=1)),
                _origins(ion, last),
                ion.sum() * ones,
                ion.size * ones,
            ]
            for ion in np.moveaxis(h, 1, 0)
        ]
    )
    return _lifetime(parts, _excess, positive(step, "the step"))


def _checked(pairs: ArrayLike, lags: int | None) -> tuple[Bools, int]:
    h = np.asarray(pairs)
    if h.ndim != 3 or not h.size or not np.isin(h, (0, 1)).all():
        raise ValueError(f"pairs must be true or false, (frames, some, others); shape {h.shape}")
    last = len(h) // 2 if lags is None else lags
    if not 1 <= last < len(h):
        raise ValueError(f"a longest lag of {last} in {len(h)} frames")
    if h.shape[1] < FEWEST_IONS:
        raise ValueError(f"{h.shape[1]} ions; an error needs at least {FEWEST_IONS}")
    if not h[: len(h) - last].any():
        raise ValueError("no two ions are a pair at any origin")
    return h.astype(bool), last


def _survived(ion: Bools, last: int) -> Array:
    """Origins from which a pair (frames, others) holds for 0 … last lags, summed over the others."""
    edge = np.zeros((ion.shape[1], 1), bool)
    steps = np.diff(np.concatenate([edge, ion.T, edge], axis=1).astype(np.int8), axis=1)
    lengths = np.nonzero(steps == -1)[1] - np.nonzero(steps == 1)[1]
    runs = np.bincount(lengths, minlength=len(ion) + 1)
    longer = np.cumsum(runs[::-1])[::-1][1:]  # runs of more than 0, 1, … frames
    return np.asarray(np.cumsum(longer[::-1])[::-1][: last + 1], float)


def _origins(ion: Bools, last: int) -> Array:
    """Frames with a pair that have another frame 0 … last lags later, summed over the others."""
    so_far = np.cumsum(ion.sum(axis=1))
    return np.asarray(so_far[len(ion) - 1 - np.arange(last + 1)], float)


def _ratio(sums: Array) -> Array:
    return np.asarray(np.divide(sums[0], sums[1], out=np.zeros_like(sums[0]), where=sums[1] > 0))


def _excess(sums: Array) -> Array:
    by_chance = sums[2, 0] / sums[3, 0]
    if by_chance >= 1:
        raise ValueError("every pair is one in every frame")
    return np.asarray((_ratio(sums) - by_chance) / (1 - by_chance))


def _lifetime(parts: Array, curve: Callable[[Array], Array], step: float) -> Lifetime:
    """Of sums (ions, sums, lags), which `curve` makes a correlation function of."""

    def integral(sums: Array) -> float:
        values = curve(sums)
        ended = np.flatnonzero(values <= 0)
        return float(np.trapezoid(values[: ended[0] + 1 if len(ended) else None])) * step

    mean = parts.mean(axis=0)
    whole = curve(mean)
    return Lifetime(
        Estimate(integral(mean), float(jackknife(parts, integral))),
        np.asarray(np.arange(len(whole)) * step, float),
        whole,
        bool(whole.min() <= DECAYED),
    )
