"""Isothermal compressibility from small-angle X-ray scattering, as the paper measures it.

Its Supporting Information, "Isothermal Compressibility Measurement": the zero-angle intensity is
the intercept of a linear fit to the low-angle, featureless region, 0.08 to 0.16 Å⁻¹, and
β_T = a I(0)/(n² k_B T), where n is the scattering length density and a a scale that water, whose
compressibility is known, determines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ilmlip.observables.line import weighted_line
from ilmlip.observables.series import Estimate, finite, positive
from ilmlip.units import AMU_PER_A3

FEWEST = 3
"""Points that the line to zero angle is taken from."""


@dataclass(frozen=True)
class Liquid:
    """A liquid as it was measured."""

    intensity: Estimate
    """I(0), in the same unit for the sample and the standard, background taken off."""
    electron_density: Estimate
    """Electrons/Å³."""
    temperature: float
    """K."""


def zero_angle(
    q: ArrayLike,
    intensity: ArrayLike,
    errors: ArrayLike | None = None,
    window: tuple[float, float] = (0.08, 0.16),
) -> Estimate:
    """I(0): the intercept of a straight line through I(q) over the window (both ends included), Å⁻¹.

    q, intensity, errors: (points,); errors are standard errors, without which the scatter about the
    line makes the error. The line is in q, as in the paper. Raises ValueError for fewer than FEWEST
    points in the window, shapes that disagree, and values that are not finite.
    """
    x = finite(q, "q", None)
    y = finite(intensity, "intensities", len(x))
    sigma = None if errors is None else finite(errors, "errors", len(x))
    inside = (x >= window[0]) & (x <= window[1])
    if len(np.unique(x[inside])) < FEWEST:
        raise ValueError(
            f"{len(np.unique(x[inside]))} values of q lie in {window[0]} to {window[1]} Å⁻¹; "
            f"at least {FEWEST} are needed"
        )
    if sigma is not None and sigma.min() <= 0:
        raise ValueError("errors must be above zero")
    line = weighted_line(x[inside], y[inside], None if sigma is None else sigma[inside])
    return Estimate(line.intercept, float(np.sqrt(line.covariance[1, 1])))


def electron_density(density: Estimate, electrons: float, mass: float) -> Estimate:
    """Electrons/Å³ of a liquid of a density in g/cm³.

    electrons and mass (u) of one formula unit. Times the classical electron radius it is the scattering
    length density, far from absorption edges; the radius cancels against the standard.
    """
    per_mass = positive(electrons, "the number of electrons") / positive(mass, "the mass")
    unit = per_mass / AMU_PER_A3
    return Estimate(unit * positive(density.value, "the density"), unit * density.error)


def saxs_compressibility(sample: Liquid, standard: Liquid, known: Estimate) -> Estimate:
    """β_T of the sample, in the unit of `known`, that of the standard.

    β/β_s = (I/I_s) (n_s/n)² (T_s/T), from the paper's formula for both. The relative errors of
    the intensities, the electron densities (twice) and `known` are added in quadrature, as independent.
    Raises ValueError for values that are not above zero.
    """
    values = [known, sample.intensity, standard.intensity]
    values += [sample.electron_density, standard.electron_density]
    for value in values:
        positive(value.value, "each of the intensities, electron densities and the known β_T")
    warmer = positive(standard.temperature, "T") / positive(sample.temperature, "T")
    beta = known.value * sample.intensity.value / standard.intensity.value * warmer
    beta *= (standard.electron_density.value / sample.electron_density.value) ** 2
    relative = np.array([value.error / value.value for value in values])
    return Estimate(beta, float(beta * np.linalg.norm(relative * [1, 1, 1, 2, 2])))
