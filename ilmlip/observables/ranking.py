"""Whether a committee's spread tells how large its error is: rank correlation and calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
FEWEST = 4
"""Values that a rank correlation is made of, at least."""


@dataclass(frozen=True)
class Calibration:
    """Root mean squares of spread and error in bins of as many values each, by ascending spread."""

    spread: Array
    """(bins,)"""
    error: Array
    """(bins,)"""
    ratio: float
    """RMS error over RMS spread of all values: 1 if the spread is the error, above if too small."""


def rank_correlation(spread: ArrayLike, error: ArrayLike) -> float | None:
    """Spearman's ρ of spread and |error|, (n,) each; None for fewer than FEWEST or constant values."""
    from scipy.stats import spearmanr

    a, b = np.asarray(spread, dtype=float), np.abs(np.asarray(error, dtype=float))
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"shapes do not fit: {a.shape}, {b.shape}")
    if len(a) < FEWEST or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(spearmanr(a, b).statistic)


def calibration(spread: ArrayLike, error: ArrayLike, bins: int = 10) -> Calibration:
    """Spread against error in `bins` bins of about as many values each.

    spread, error: (n,), one unit; of a calibrated spread both are equal in every bin (Tran et al.,
    Mach. Learn.: Sci. Technol. 1, 025006, 2020). Raises ValueError for shapes and for fewer values
    than bins.
    """
    a, b = np.asarray(spread, dtype=float), np.asarray(error, dtype=float)
    if a.shape != b.shape or a.ndim != 1 or len(a) < bins:
        raise ValueError(f"{a.shape} spreads and {b.shape} errors for {bins} bins")
    order = np.argsort(a, kind="stable")
    squares = [
        (np.mean(a[part] ** 2), np.mean(b[part] ** 2)) for part in np.array_split(order, bins)
    ]
    both = np.sqrt(np.array(squares)).T
    whole = float(np.sqrt(np.mean(a**2)))
    ratio = float(np.sqrt(np.mean(b**2)) / whole) if whole else float("inf")
    return Calibration(both[0], both[1], ratio)
