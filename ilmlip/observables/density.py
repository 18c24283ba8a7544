"""Mass density of a run at constant pressure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ilmlip.observables.series import Estimate, cautious_mean, finite, settled
from ilmlip.units import AMU_PER_A3

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Density:
    """The mean density of a part of a run, g/cm³."""

    mean: Estimate
    """With the standard error of the mean, which falls with the length of the run."""
    deviation: float
    """Standard deviation of the density itself, which the paper's Table S15 reports; it does not."""
    start: int
    """First frame that was counted."""


def densities(volumes: ArrayLike, masses: ArrayLike) -> Array:
    """Density of each frame, g/cm³; volumes (frames,) in Å³, masses (atoms,) in u.

    Raises ValueError for anything empty, not finite, or not above zero.
    """
    volume = finite(volumes, "volumes", None)
    mass = finite(masses, "masses", None)
    if volume.min() <= 0 or mass.min() <= 0:
        raise ValueError("volumes and masses must be above zero")
    return np.asarray(AMU_PER_A3 * mass.sum() / volume)


def mean_density(values: ArrayLike, start: Literal["half", "settled"] | int = "half") -> Density:
    """Mean of densities (frames,) in g/cm³ from a frame on.

    `start`: a frame; "half" for the last half, as in the paper; or "settled", from where
    `series.settled` finds equilibrium. Error by blocks (`series.cautious_mean`). Raises ValueError
    for fewer frames than that needs, and for any that is not finite.
    """
    series = finite(values, "densities", None)
    if start == "half":
        first = len(series) // 2
    elif start == "settled":
        first = settled(series).start
    else:
        first = int(start)
    if not 0 <= first < len(series):
        raise ValueError(f"start at frame {first} of {len(series)}")
    kept = series[first:]
    return Density(cautious_mean(kept), float(kept.std(ddof=1)), first)


def measured_density(
    points: Sequence[tuple[float, float, float, float]], temperature: float, pressure: float
) -> tuple[float, float, float] | None:
    """Density and uncertainty by experiment (g/cm³), and the temperature that they are of (K).

    points: temperature (K), pressure (bar), density, uncertainty. Of those within 2 bar or 2 % of the
    pressure: interpolated in temperature; outside of the measured range its nearest end, which the
    returned temperature says. None if nothing was measured at the pressure.
    """
    near = sorted(p for p in points if abs(p[1] - pressure) <= max(2.0, 0.02 * abs(pressure)))
    if not near:
        return None
    at, _, density, error = np.array(near).T
    there = float(np.clip(temperature, at[0], at[-1]))
    return float(np.interp(there, at, density)), float(np.interp(there, at, error)), there
