"""The static structure factor on the reciprocal lattice of the cell, and its limit at q = 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ilmlip.observables.periodic import Whole, trajectory, volumes
from ilmlip.observables.series import (
    Estimate,
    finite,
    mean_and_error,
    means_and_errors,
    positive,
)
from ilmlip.units import BAR, KELVIN

Array = NDArray[np.float64]
FEWEST = 3
"""Lengths of q that the line to q = 0 is taken from."""


@dataclass(frozen=True)
class StructureFactor:
    """S(q), averaged over vectors of nearly one length."""

    q: Array
    """Å⁻¹; (lengths,)."""
    s: Array
    error: Array
    """Standard error of S, from blocks of frames."""
    vectors: Whole
    """How many pairs ±q each value is the mean of."""
    by_frame: Array
    """(frames, lengths)."""
    density: float
    """Atoms/Å³."""


def structure_factor(
    positions: ArrayLike,
    cells: ArrayLike,
    q_max: float,
    weights: ArrayLike | None = None,
    width: float = 0.02,
) -> StructureFactor:
    """S(q) = |Σ_j w_j exp(i q·r_j)|² / Σ_j w_j² for the vectors q that the cell allows.

    positions (frames, atoms, 3) and cells in Å (`periodic`); q_max and width in Å⁻¹: vectors whose
    lengths in the mean cell differ by less than `width` are averaged; weights (atoms,): scattering
    lengths, 1 by default, 0 for atoms left out. Hansen and McDonald, Theory of Simple Liquids,
    4th ed. (2013), section 4.1. Where the cell fluctuates each vector follows it, and q is the mean.
    Errors by blocks over frames, of which eight are needed. Raises ValueError for these, as
    `periodic.trajectory` does, and if no vector is within q_max.
    """
    r, h = trajectory(positions, cells)
    w = np.ones(r.shape[1]) if weights is None else finite(weights, "weights", r.shape[1])
    if not w.any():
        raise ValueError("all weights are zero")
    inverse = np.linalg.inv(h)
    hkl, mean_length = _lattice(h.mean(axis=0), positive(q_max, "q_max"))
    bins = np.unique(np.floor(mean_length / positive(width, "the width")), return_inverse=True)[1]
    together = np.equal.outer(np.arange(bins.max() + 1), bins).astype(float)
    together /= together.sum(axis=1, keepdims=True)
    squares, lengths = np.empty((len(r), len(hkl))), np.zeros(len(hkl))
    for k in range(len(r)):
        phases = np.exp(2j * np.pi * (hkl @ (r[k] @ inverse[k]).T))
        squares[k] = np.abs(phases @ w) ** 2 / (w @ w)
        lengths += 2 * np.pi * np.linalg.norm(hkl @ inverse[k].T, axis=1) / len(r)
    by_frame = squares @ together.T
    s, error = means_and_errors(by_frame)
    counted = np.bincount(bins)
    density = np.count_nonzero(w) / float(volumes(h).mean())
    return StructureFactor(together @ lengths, s, error, counted, by_frame, density)


def structure_compressibility(
    found: StructureFactor, temperature: float, q_max: float
) -> tuple[Estimate, Estimate]:
    """S(0), and κ_T = S(0)/(ρ k_B T) in 1/bar.

    S(0) is the intercept of a straight line in q² through S at q ≤ q_max (Å⁻¹), each value weighed
    by its number of vectors; temperature in K. Hansen and McDonald, section 4.1 and, for the ions of
    one salt, chapter 10. For number densities (weights of 1) and one substance: atoms of one
    molecule or of one salt. In a mixture of salts S(0) holds fluctuations of composition too, and
    κ_T comes out too large. q_max must lie well below the first peak. Error: that of the intercepts
    of the single frames, by blocks. Raises ValueError for fewer than FEWEST values of q.
    """
    inside = found.q <= q_max
    if inside.sum() < FEWEST:
        raise ValueError(
            f"{inside.sum()} values of q up to {q_max} Å⁻¹; at least {FEWEST} are needed"
        )
    weight = np.sqrt(found.vectors[inside])
    design = np.column_stack([np.ones(inside.sum()), found.q[inside] ** 2]) * weight[:, None]
    intercepts = np.linalg.pinv(design)[0] * weight
    zero = mean_and_error(found.by_frame[:, inside] @ intercepts)
    unit = BAR / (found.density * KELVIN * positive(temperature, "the temperature"))
    return zero, Estimate(unit * zero.value, unit * zero.error)


def _lattice(cell: Array, q_max: float) -> tuple[Array, Array]:
    """Whole numbers (vectors, 3) of half of the q up to q_max, without 0, and their lengths."""
    most = np.floor(q_max / (2 * np.pi) * np.linalg.norm(cell, axis=1)).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-m, m + 1) for m in most), indexing="ij"), axis=-1)
    hkl = grid.reshape(-1, 3)
    hkl = hkl[len(hkl) // 2 + 1 :]  # the first half are the negatives of the second
    length = 2 * np.pi * np.linalg.norm(hkl @ np.linalg.inv(cell).T, axis=1)
    inside = length <= q_max
    if not inside.any():
        raise ValueError(f"the cell allows no q up to {q_max} Å⁻¹")
    return hkl[inside].astype(float), length[inside]
