"""What Lennard-Jones beyond the cutoff adds if the liquid is uniform there, by quadrature."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from ilmlip.chemistry.forcefield import Box

BAR = 1.602176634e6
"""bar in one eV/Å³."""
POINTS = 20_000


def mean_field(box: Box, volume: float, cutoff: float) -> tuple[float, float]:
    """Energy in eV and pressure in bar, of the `box` in a `volume` of Å³, from `cutoff` Å on.

    E = ½ Σ_ij (1/V) ∫ U 4πr² dr and P = −(1/6V²) Σ_ij ∫ r U′ 4πr² dr, over all pairs of atoms
    (Allen and Tildesley, Computer Simulation of Liquids, section 2.8), σ and ε by geometric means.
    """
    # r = cutoff/x turns the integrals into ones over 0 < x < 1
    x = (np.arange(POINTS) + 0.5) / POINTS
    r = cutoff / x
    weight = 4 * math.pi * r**2 * (cutoff / x**2) / POINTS
    kinds = Counter(zip(box.sigmas, box.epsilons, strict=True))
    energy = pressure = 0.0
    for (s1, e1), n1 in kinds.items():
        for (s2, e2), n2 in kinds.items():
            six = (math.sqrt(s1 * s2) / r) ** 6
            four = 4 * math.sqrt(e1 * e2)
            energy += n1 * n2 * float((four * (six**2 - six) * weight).sum())
            pressure += n1 * n2 * float((four * (12 * six**2 - 6 * six) * weight).sum())
    return energy / (2 * volume), pressure * BAR / (6 * volume**2)
