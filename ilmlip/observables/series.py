"""The mean of a correlated series, with its standard error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FEWEST_BLOCKS = 8
"""Blocks below which their spread says too little of the error."""


def mean_and_error(values: NDArray[np.float64] | Sequence[float]) -> tuple[float, float]:
    """Mean and standard error of a series of correlated numbers.

    Neighbours are averaged in pairs again and again (Flyvbjerg and Petersen, J. Chem. Phys. 91, 461,
    1989); the error is the largest over all block sizes that leave at least FEWEST_BLOCKS. That errs on
    the safe side for a series of many correlation times, and is too small for one of about ten or less.
    Raises ValueError for fewer numbers than FEWEST_BLOCKS.
    """
    left = np.asarray(values, float)
    if left.ndim != 1 or len(left) < FEWEST_BLOCKS:
        raise ValueError(f"a series of {left.size} numbers; at least {FEWEST_BLOCKS} are needed")
    mean, error = float(left.mean()), 0.0
    while len(left) >= FEWEST_BLOCKS:
        error = max(error, float(left.std(ddof=1) / np.sqrt(len(left))))
        left = left[: len(left) // 2 * 2].reshape(-1, 2).mean(axis=1)
    return mean, error
