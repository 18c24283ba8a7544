"""Energies per kind of thing (element or ion) by least squares: the linear part of a potential.

The energy of a frame is modelled as n · e, with n the numbers of each kind in it. Frames of one
composition fix one combination of e only; the directions that no frame determines are left at
zero by taking the solution of the smallest norm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Linear:
    """Energies per kind in eV, the rank of the counts they were solved from, and what is left."""

    energies: dict[str, float]
    rank: int
    rms: float
    """Root mean square of the residuals, eV per frame."""


def solve(
    kind: str, frames: Sequence[Sequence[str]], energies: Array, kinds: Sequence[str]
) -> dict[str, float]:
    """The energy of each of `kinds`, eV, of frames of these kinds with these energies (frames,), eV.

    `zero`: none; `mean`: the mean energy of one, for all the same; `least_squares`: of smallest norm.
    """
    if kind == "zero":
        return dict.fromkeys(kinds, 0.0)
    if kind == "mean":
        return dict.fromkeys(kinds, float(np.mean(energies / [len(frame) for frame in frames])))
    return least_squares(count(frames, kinds), energies, kinds).energies


def count(frames: Sequence[Sequence[str]], kinds: Sequence[str]) -> Array:
    """How often each of `kinds` stands in each frame; shape (frames, kinds)."""
    return np.array([[list(frame).count(kind) for kind in kinds] for frame in frames], float)


def least_squares(counts: Array, energies: Array, kinds: Sequence[str]) -> Linear:
    """The e of smallest norm among those that minimise |counts · e − energies|².

    counts: (frames, kinds); energies: (frames,), eV. Raises ValueError when the shapes disagree or
    a value is not finite.
    """
    if counts.shape != (len(energies), len(kinds)):
        raise ValueError(f"{counts.shape} counts, {len(energies)} energies, {len(kinds)} kinds")
    if not (np.isfinite(counts).all() and np.isfinite(energies).all()):
        raise ValueError("counts and energies must be finite")
    # lstsq works by singular values: of all minimisers it gives the one of smallest norm
    solution, _, rank, _ = np.linalg.lstsq(counts, energies, rcond=None)
    rms = float(np.sqrt(np.mean((counts @ solution - energies) ** 2)))
    return Linear(dict(zip(kinds, solution.tolist(), strict=True)), int(rank), rms)
