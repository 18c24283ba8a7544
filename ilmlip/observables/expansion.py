"""Thermal expansion from densities at several temperatures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ilmlip.observables.line import weighted_line
from ilmlip.observables.series import Estimate, finite, positive


@dataclass(frozen=True)
class Expansion:
    """A straight line through densities, at the stated temperature."""

    temperature: float
    density: Estimate
    """On the line, g/cm³."""
    slope: Estimate
    """dρ/dT, g/cm³/K; negative for what expands when heated."""
    expansion: Estimate
    """α_P = −(1/ρ) dρ/dT, 1/K."""
    chi2: float | None
    """Σ ((ρ − line)/error)²; None if the densities came without errors."""
    freedom: int
    """Temperatures less the two parameters of the line."""


def thermal_expansion(
    temperatures: ArrayLike,
    densities: ArrayLike,
    errors: ArrayLike | None,
    temperature: float,
) -> Expansion:
    """Weighted least-squares line ρ(T), its slope, and α_P at `temperature`, K.

    temperatures (points,) in K; densities (points,) in g/cm³; errors: standard errors of these
    (not the standard deviations of the densities within a run), weights 1/error². With None all
    points weigh the same and their scatter about the line makes the errors. α_P is the definition
    of thermodynamics; its error follows from the covariance of slope and density. A chi2 far above
    `freedom` says that the line is wrong or the errors too small; errors are not inflated for it.
    Raises ValueError for fewer than two temperatures (three without errors), for shapes that
    disagree, and for values that are not finite or errors not above zero.
    """
    at = positive(temperature, "the temperature")
    t = finite(temperatures, "temperatures", None)
    rho = finite(densities, "densities", len(t))
    sigma = None if errors is None else finite(errors, "errors", len(t))
    fewest = 2 if sigma is not None else 3
    if len(np.unique(t)) < fewest:
        raise ValueError(f"{len(np.unique(t))} temperatures; at least {fewest} are needed")
    if rho.min() <= 0 or (sigma is not None and sigma.min() <= 0):
        raise ValueError("densities and their errors must be above zero")
    line = weighted_line(t - at, rho, sigma)
    slope, middle, covariance = line.slope, line.intercept, line.covariance
    gradient = np.array([-1 / middle, slope / middle**2])
    return Expansion(
        at,
        Estimate(middle, float(np.sqrt(covariance[1, 1]))),
        Estimate(slope, float(np.sqrt(covariance[0, 0]))),
        Estimate(-slope / middle, float(np.sqrt(gradient @ covariance @ gradient))),
        None if sigma is None else line.chi2,
        len(t) - 2,
    )
