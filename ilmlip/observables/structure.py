"""Radial distribution functions and coordination numbers, by nearest images in any triclinic cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ilmlip.observables.periodic import neighbours, trajectory, volumes, within_half
from ilmlip.observables.series import Estimate, mean_and_error, means_and_errors

Array = NDArray[np.float64]
SMOOTH = 0.1
"""Width of the Gaussian that g is smoothed by before peaks are looked for, Å."""
PROMINENCE = 0.2
"""How far a peak of the smoothed g stands out from the valleys beside it, at least."""


@dataclass(frozen=True)
class Rdf:
    """The radial distribution function of atoms b about atoms a."""

    r: Array
    """Middles of the bins, Å; (bins,)."""
    g: Array
    error: Array
    """Standard error of g, from blocks of frames."""
    counts: Array
    """Atoms b per atom a in each bin; (frames, bins)."""


@dataclass(frozen=True)
class Shell:
    """The first coordination shell, Å."""

    peak: float
    minimum: float
    number: Estimate
    """Atoms b within the minimum of an atom a."""


def rdf(
    positions: ArrayLike,
    cells: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
    r_max: float,
    bins: int = 200,
    ions: ArrayLike | None = None,
) -> Rdf:
    """g(r) of atoms b about atoms a: their density at r over that of the whole box.

    positions (frames, atoms, 3) and cells in Å (`periodic`); a, b: indices of atoms, the same set or
    two that share none; r_max up to half the smallest height of any cell; ions (atoms,): pairs
    within one ion are left out (and g then tends to less than 1). Allen and Tildesley, Computer
    Simulation of Liquids, 2nd ed. (2017), section 8.2; an atom does not count among its own
    surroundings, so that an ideal gas of any size has g = 1. Errors by blocks over frames, of which
    eight are needed. Raises ValueError for these, and as `periodic.trajectory` does.
    """
    r, h = trajectory(positions, cells)
    within_half(h, r_max)
    first, second = _chosen(a, r.shape[1]), _chosen(b, r.shape[1])
    same = np.array_equal(first, second)
    if not same and np.intersect1d(first, second).size:
        raise ValueError("atoms a and b must be the same, or share none")
    others = len(second) - same
    if bins < 1 or not others:
        raise ValueError(f"{bins} bins, {others} atoms about each")
    used = np.union1d(first, second)
    central, outer = np.isin(used, first), np.isin(used, second)
    ids = np.arange(len(used)) if ions is None else np.asarray(ions)[used]
    edges = np.linspace(0, r_max, bins + 1)
    counts = np.empty((len(r), bins))
    for k in range(len(r)):
        i, j, d = neighbours(r[k][used], h[k], r_max)
        counted = central[i] & outer[j] & ((ids[i] != ids[j]) | (ions is None))
        counts[k] = np.histogram(d[counted], edges)[0] / len(first)
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    g, error = means_and_errors(counts * volumes(h)[:, None] / others / shells)
    return Rdf((edges[1:] + edges[:-1]) / 2, g, error, counts)


def first_shell(found: Rdf) -> Shell:
    """The first peak of g, the minimum behind it, and the atoms up to there.

    g is smoothed by SMOOTH; the minimum is its lowest value between the first peak and the next,
    both of at least PROMINENCE. The number is counted, not integrated from g; its error by blocks is
    for this minimum as it is. Raises ValueError if there is no peak or no minimum up to r_max.
    """
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import find_peaks

    width = float(found.r[1] - found.r[0])
    smooth = gaussian_filter1d(found.g, SMOOTH / width, mode="nearest")
    peaks = find_peaks(smooth, prominence=PROMINENCE)[0]
    if not len(peaks):
        raise ValueError(f"g has no peak up to {found.r[-1]:.2f} Å")
    end = peaks[1] if len(peaks) > 1 else len(smooth)
    lowest = int(peaks[0] + np.argmin(smooth[peaks[0] : end]))
    if lowest == len(smooth) - 1:
        raise ValueError(f"g has no minimum behind its first peak up to {found.r[-1]:.2f} Å")
    number = mean_and_error(found.counts[:, : lowest + 1].sum(axis=1))
    return Shell(float(found.r[peaks[0]]), float(found.r[lowest] + width / 2), number)


def _chosen(indices: ArrayLike, atoms: int) -> NDArray[np.int64]:
    chosen = np.unique(np.asarray(indices, int))
    if not chosen.size or chosen[0] < 0 or chosen[-1] >= atoms:
        raise ValueError(f"atoms must be some of 0 to {atoms - 1}")
    return chosen
