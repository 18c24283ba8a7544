"""A weighted straight line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """y = intercept + slope x, fitted."""

    slope: float
    intercept: float
    covariance: Array
    """(2, 2), of slope and intercept."""
    chi2: float
    """Σ ((y − line)/error)², with errors of 1 if there were none."""


def weighted_line(x: Array, y: Array, errors: Array | None) -> Line:
    """Least squares of points (points,) with weights 1/error².

    The covariance is that of the errors; without them all points weigh the same, and their scatter
    about the line makes it: three points are then needed, else two.
    """
    weights = np.ones(len(x)) if errors is None else 1 / errors
    design = np.column_stack([x, np.ones(len(x))]) * weights[:, None]
    slope, intercept = np.linalg.lstsq(design, y * weights, rcond=None)[0]
    covariance = np.asarray(np.linalg.inv(design.T @ design), float)
    chi2 = float(np.sum((weights * (y - intercept - slope * x)) ** 2))
    if errors is None:
        covariance = covariance * chi2 / (len(x) - 2)
    return Line(float(slope), float(intercept), covariance, chi2)
