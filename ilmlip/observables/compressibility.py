"""Isothermal compressibility from volumes at several pressures, and from fluctuations at one.

In 1/bar: 1/bar is 1e-5 1/Pa.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ilmlip.observables.series import Estimate, finite, inefficiency, mean_and_error, positive
from ilmlip.units import BAR, KELVIN

Array = NDArray[np.float64]
KBAR = 1000.0
FEWEST = 4
"""Pressures that the three parameters of the Tait equation are taken from."""
CURVATURE = 0.1
"""Where the search for C begins; liquids have 0.05 to 0.15."""


@dataclass(frozen=True)
class Tait:
    """V(P) = V₀ [1 − C ln((B + P)/(B + P₀))], fitted."""

    reference: float
    """P₀, bar."""
    volume: Estimate
    """V₀, in the unit of the volumes."""
    compressibility: Estimate
    """κ_T at P₀, C/(B + P₀), 1/bar."""
    c: Estimate
    b: float
    """bar; C/κ_T − P₀."""
    chi2: float | None
    """Σ ((V − fit)/error)²; None if the volumes came without errors."""
    freedom: int
    """Pressures less the three parameters."""

    def volumes(self, pressures: ArrayLike) -> Array:
        """V at pressures in bar."""
        return _tait(
            np.asarray(pressures, float) - self.reference,
            self.volume.value,
            self.compressibility.value,
            self.c.value,
        )


def tait(
    pressures: ArrayLike,
    volumes: ArrayLike,
    errors: ArrayLike | None = None,
    reference: float = 1.0,
) -> Tait:
    """The Tait equation through volumes; Dymond and Malhotra, Int. J. Thermophys. 9, 941 (1988).

    pressures (points,) and reference in bar; volumes (points,) in any unit; errors: standard errors
    of the mean volumes, without which their scatter about the fit makes the errors. V₀, κ_T at P₀
    and C are the parameters of the fit (B + P₀ = C/κ_T), so that the error of κ_T is that of a
    parameter: B and C alone are so correlated that their own errors say little.
    Raises ValueError for fewer than FEWEST pressures, shapes that disagree, values that are not
    finite or not above zero, and volumes that no such curve describes.
    """
    from scipy.optimize import curve_fit

    p = finite(pressures, "pressures", None)
    v = finite(volumes, "volumes", len(p))
    sigma = None if errors is None else finite(errors, "errors", len(p))
    if len(np.unique(p)) < FEWEST:
        raise ValueError(f"{len(np.unique(p))} pressures; at least {FEWEST} are needed")
    if v.min() <= 0 or (sigma is not None and sigma.min() <= 0):
        raise ValueError("volumes and their errors must be above zero")
    x, scale = (p - reference) / KBAR, float(v.mean())
    slope, start = np.polyfit(x, v / scale, 1)
    if slope >= 0:
        raise ValueError("the volume does not fall with the pressure")
    try:
        found, covariance = curve_fit(
            _tait,
            x,
            v / scale,
            p0=[start, -slope / start, CURVATURE],
            sigma=None if sigma is None else sigma / scale,
            absolute_sigma=sigma is not None,
            bounds=([0, 1e-9, 1e-6], np.inf),
            x_scale=[1, 0.1, 0.1],
        )
    except RuntimeError as error:
        raise ValueError(f"no Tait equation fits these volumes: {error}") from error
    deviation = np.sqrt(np.diag(covariance))
    if not np.isfinite(deviation).all():
        raise ValueError("these volumes do not determine the three parameters")
    v0, kappa, c = (Estimate(float(a), float(b)) for a, b in zip(found, deviation, strict=True))
    chi2 = None
    if sigma is not None:
        chi2 = float(np.sum(((v - scale * _tait(x, *found)) / sigma) ** 2))
    return Tait(
        reference,
        Estimate(v0.value * scale, v0.error * scale),
        Estimate(kappa.value / KBAR, kappa.error / KBAR),
        c,
        c.value / kappa.value * KBAR - reference,
        chi2,
        len(p) - 3,
    )


def tait_of_densities(
    pressures: ArrayLike,
    densities: ArrayLike,
    errors: ArrayLike | None = None,
    reference: float = 1.0,
) -> Tait:
    """`tait` of the volumes 1/ρ; V₀ is then 1/ρ₀, cm³/g for densities in g/cm³."""
    rho = finite(densities, "densities", None)
    if rho.min() <= 0:
        raise ValueError("densities must be above zero")
    sigma = None if errors is None else finite(errors, "errors", len(rho)) / rho**2
    return tait(pressures, 1 / rho, sigma, reference)


def fluctuation_compressibility(volumes: ArrayLike, temperature: float) -> Estimate:
    """κ_T = (⟨V²⟩ − ⟨V⟩²)/(k_B T ⟨V⟩) of a settled run at constant pressure, 1/bar.

    volumes (frames,) in Å³, total and not per atom; temperature in K. Allen and Tildesley, Computer
    Simulation of Liquids, 2nd ed. (2017), section 2.5. The variance about the series' own mean is
    too small by g/n (g its statistical inefficiency), which is made good. Error: that of the mean of
    the series κ_T responds to, by blocks. A barostat must sample the ensemble of constant pressure
    (Nosé–Hoover does, Berendsen's does not). Raises ValueError as `series.mean_and_error` does.
    """
    v = finite(volumes, "volumes", None)
    if v.min() <= 0:
        raise ValueError("volumes must be above zero")
    mean = float(v.mean())
    deviation = v - mean
    independent = len(v) / inefficiency(v)
    if independent <= 2:
        raise ValueError("the volumes hold no two independent values")
    variance = float(deviation @ deviation) / len(v) * independent / (independent - 1)
    unit = BAR / (KELVIN * positive(temperature, "the temperature") * mean)
    responds = deviation**2 - variance / mean * deviation
    return Estimate(unit * variance, unit * mean_and_error(responds).error)


def _tait(x: Array, v0: float, kappa: float, c: float) -> Array:
    return np.asarray(v0 * (1 - c * np.log1p(kappa * x / c)))
