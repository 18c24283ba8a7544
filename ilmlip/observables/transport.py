"""Mean-square displacements and self-diffusion.

Paths are unwrapped (`periodic.unwrap`), (frames, particles, 3) in Å, `step` fs apart. Diffusion
coefficients are in Å²/fs; 1 Å²/fs is 1e-5 m²/s. They are those of the box: the correction for its
size (Yeh and Hummer, J. Phys. Chem. B 108, 15873, 2004) needs the viscosity and is not made here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ilmlip.observables.series import Estimate, correlation, finite, jackknife, positive

Array = NDArray[np.float64]
Regime = Literal["diffusive", "subdiffusive", "superdiffusive", "undetermined"]
SEGMENTS = 8
"""Parts of a run, one after another, whose spread makes the errors."""
LONGEST = 1 / 20
"""Part of the run that the longest lag of a fit has, if none is stated."""
SHORTEST = 1 / 4
"""Part of the longest lag that the shortest has, if none is stated."""
FEWEST_LAGS = 4
FEWEST_FRAMES = round(FEWEST_LAGS / LONGEST)
"""Frames that the window needs, if none is stated."""
NEAR_ONE = 0.1
"""How far the exponent of a diffusive displacement may be from one."""


@dataclass(frozen=True)
class Window:
    """Lags that a line is fitted to."""

    lags: NDArray[np.int64]
    step: float

    @property
    def times(self) -> Array:
        """fs."""
        return np.asarray(self.lags * self.step, float)

    def slopes(self, values: Array) -> Array:
        """Least-squares slope along the last axis, (…, all lags from 0), per fs."""
        t = self.times - self.times.mean()
        return np.asarray(values[..., self.lags] @ t / (t @ t))

    def exponent(self, values: Array) -> float:
        """Slope of ln(values) against ln(time); NaN where a value is not above zero."""
        chosen = values[self.lags]
        if chosen.min() <= 0:
            return float("nan")
        return float(np.polyfit(np.log(self.times), np.log(chosen), 1)[0])


@dataclass(frozen=True)
class Diffusion:
    """Self-diffusion of one kind of particle."""

    coefficient: Estimate
    """D, Å²/fs. Meaningless unless the regime is diffusive."""
    exponent: Estimate
    """Of the displacement against time, over the window of the fit."""
    regime: Regime
    window: tuple[float, float]
    """fs."""
    times: Array
    """fs; (lags,), up to the end of the window."""
    displacement: Array
    """Mean-square displacement, Å²; (lags,)."""


def mean_square(paths: Array, lags: int) -> Array:
    """Mean-square displacement at lags 0 … lags, over all particles and all origins; Å², (lags + 1,).

    Calandrini et al., Collection SFN 12, 201 (2011): by Fourier transforms.
    """
    return co_displacement(paths, paths, lags)


def co_displacement(some: Array, others: Array, lags: int) -> Array:
    """⟨Δr(t) · Δr'(t)⟩ over particles and origins, for two sets of as many paths; Å², (lags + 1,)."""
    n = len(some)
    r, s = some - some[0], others - others[0]  # numbers of the size of the displacements
    cross = correlation(r, s)[: lags + 1] + correlation(s, r)[: lags + 1]
    product = np.concatenate([np.zeros((1, *r.shape[1:])), np.cumsum(r * s, axis=0)])
    k = np.arange(lags + 1)
    ends = (product[-1] - product[k]) + product[n - k]
    total = (ends - cross).sum(axis=(1, 2))
    return np.asarray(total / ((n - k) * r.shape[1]))


def window_of(frames: int, step: float, window: tuple[float, float] | None) -> Window:
    """The lags of a fit, from its window in fs (both ends included), or LONGEST and SHORTEST.

    Raises ValueError for fewer than FEWEST_LAGS (FEWEST_FRAMES), for a window that begins at 0, and if
    its end is longer than half of one of the SEGMENTS of the run.
    """
    step = positive(step, "the step")
    if window is None:
        if frames < FEWEST_FRAMES:
            raise ValueError(
                f"run too short: {frames} frames; at least {FEWEST_LAGS} lags need {FEWEST_FRAMES}"
            )
        last = int(frames * LONGEST)
        first = max(1, int(last * SHORTEST))
    else:
        first, last = int(np.ceil(window[0] / step - 1e-9)), int(window[1] / step + 1e-9)
    if first < 1 or last - first + 1 < FEWEST_LAGS:
        raise ValueError(
            f"lags {first} to {last}, of {frames} frames; at least {FEWEST_LAGS} from 1 on are needed"
        )
    if last > frames // SEGMENTS // 2:
        raise ValueError(
            f"the window ends at {last} frames; half of each of {SEGMENTS} segments of the run "
            f"is {frames // SEGMENTS // 2}"
        )
    return Window(np.arange(first, last + 1), step)


def segments(paths: Array) -> list[Array]:
    """The run in SEGMENTS equal parts, one after another."""
    length = len(paths) // SEGMENTS
    return [paths[k * length : (k + 1) * length] for k in range(SEGMENTS)]


def regime_of(exponent: Estimate) -> Regime:
    """What an exponent says: within NEAR_ONE of one, clearly (two errors) off it, or neither."""
    value, error = exponent
    if not (np.isfinite(value) and np.isfinite(error)):
        return "undetermined"
    off = abs(value - 1)
    if off > NEAR_ONE and off > 2 * error:
        return "subdiffusive" if value < 1 else "superdiffusive"
    return "diffusive" if off <= NEAR_ONE and error <= NEAR_ONE else "undetermined"


def not_diffusive(regime: Regime, exponent: Estimate, window: tuple[float, float]) -> str:
    """Why a coefficient of that regime means nothing, or empty; window in fs."""
    if regime == "diffusive":
        return ""
    times = f"{window[0] / 1000:.3g} to {window[1] / 1000:.3g} ps"
    if not np.isfinite(exponent.value):
        return f"{regime}: the displacement from {times} has no exponent"
    value, error = exponent
    return f"{regime}: the displacement grows as t^{value:.2f} ± {error:.2f} from {times}, not as t"


def diffusion(
    paths: ArrayLike, step: float, window: tuple[float, float] | None = None
) -> Diffusion:
    """D = (1/6) d/dt ⟨|r(t) − r(0)|²⟩ of one kind of particle, in three dimensions.

    A least-squares line with an intercept over the window (fs; by default lags of 1/80 to 1/20 of
    the run), where the displacement must grow as t¹: the exponent, the slope of log against log, is
    given with an error, and the regime says what it means. Allen and Tildesley, Computer Simulation
    of Liquids, 2nd ed. (2017), section 2.7. Values from the whole run; errors by the jackknife over
    SEGMENTS of it. Raises ValueError as `window_of` does, and for shapes and values that are not
    those of paths.
    """
    r = finite(paths, "paths", None, None, 3)
    fit = window_of(len(r), step, window)
    last = int(fit.lags[-1])
    whole = mean_square(r, last)
    parts = np.array([mean_square(part, last) for part in segments(r)])
    value = Estimate(float(fit.slopes(whole)) / 6, float(jackknife(parts, fit.slopes)) / 6)
    exponent = Estimate(fit.exponent(whole), float(jackknife(parts, fit.exponent)))
    return Diffusion(
        value,
        exponent,
        regime_of(exponent),
        (float(fit.times[0]), float(fit.times[-1])),
        np.asarray(np.arange(last + 1) * fit.step, float),
        whole,
    )
