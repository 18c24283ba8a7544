"""β_T from synthetic scattering of liquids whose compressibility is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import constants

from ilmlip.observables.saxs import Liquid, electron_density, saxs_compressibility, zero_angle
from ilmlip.observables.series import Estimate

WATER = 4.524e-10  # 1/Pa, the paper's
SAMPLE = 8.6e-10
Q = np.linspace(0.02, 0.4, 200)


def scattered(beta: float, n: float, temperature: float, scale: float) -> float:
    """I(0) = β n² k_B T / a."""
    return scale * beta * n**2 * constants.k * temperature


def test_the_paper_s_way_gives_back_the_compressibility() -> None:
    water = electron_density(Estimate(0.9970, 0.0), 10, 18.015)
    ionic = electron_density(Estimate(1.70, 0.0), 320, 640.0)
    rng, found = np.random.default_rng(1), []
    for _ in range(200):
        liquids = []
        for beta, n, slope in ((WATER, water, 0.4), (SAMPLE, ionic, -0.3)):
            zero = scattered(beta, n.value, 298.15, 1e30)
            sigma = np.full(len(Q), 0.01 * zero)
            curve = zero * (1 + slope * Q) + rng.normal(size=len(Q)) * sigma
            curve[Q < 0.06] += 5 * zero  # what holds no information on β lies outside the window
            curve[Q > 0.2] += 3 * zero * (Q[Q > 0.2] - 0.2)
            liquids.append(Liquid(zero_angle(Q, curve, sigma), n, 298.15))
        found.append(saxs_compressibility(liquids[1], liquids[0], Estimate(WATER, 0.0)))
    off = np.array([(f.value - SAMPLE) / f.error for f in found])
    assert np.mean([f.value for f in found]) == pytest.approx(SAMPLE, rel=5e-3)
    assert 0.85 < off.std() < 1.15


def test_electrons_of_water() -> None:
    """By another path: 0.334 electrons/Å³."""
    found = electron_density(Estimate(0.9970, 0.001), 10, 18.015)
    grams = 0.9970 * constants.N_A / 18.015 * 10 / 1e24
    assert found.value == pytest.approx(grams, rel=1e-6)
    assert found.error / found.value == pytest.approx(0.001 / 0.9970)


def test_a_standard_is_its_own_sample_and_errors_add_up() -> None:
    liquid = Liquid(Estimate(2.0, 0.02), Estimate(0.33, 0.0033), 300.0)
    found = saxs_compressibility(liquid, liquid, Estimate(4.5e-5, 4.5e-7))
    assert found.value == pytest.approx(4.5e-5)
    assert found.error / found.value == pytest.approx(0.01 * np.sqrt(1 + 1 + 1 + 4 + 4))
    warmer = Liquid(liquid.intensity, liquid.electron_density, 600.0)
    assert saxs_compressibility(warmer, liquid, Estimate(1.0, 0)).value == pytest.approx(0.5)
    denser = Liquid(liquid.intensity, Estimate(0.66, 0.0), 300.0)
    assert saxs_compressibility(denser, liquid, Estimate(1.0, 0)).value == pytest.approx(0.25)


def test_a_line_without_errors() -> None:
    exact = zero_angle(Q, 3 - 2 * Q)
    assert exact.value == pytest.approx(3)
    assert exact.error == pytest.approx(0, abs=1e-12)
    noisy = [
        zero_angle(Q, 3 - 2 * Q + np.random.default_rng(i).normal(size=200)) for i in range(200)
    ]
    off = np.array([(f.value - 3) / f.error for f in noisy])
    assert 0.85 < off.std() < 1.2


@pytest.mark.parametrize(
    ("q", "intensity", "message"),
    [
        ([], [], "shape"),
        ([0.1, 0.12], [1.0, 1.0], "at least 3"),
        ([0.2, 0.3, 0.4], [1.0, 1.0, 1.0], "0.08 to 0.16"),
        ([0.1, 0.12, 0.14], [1.0, np.nan, 1.0], "not finite"),
        ([0.1, 0.12, 0.14], [1.0, 1.0], "shape"),
    ],
)
def test_refuses(q: list[float], intensity: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        zero_angle(q, intensity)


def test_refuses_what_is_not_above_zero() -> None:
    liquid = Liquid(Estimate(2.0, 0.02), Estimate(0.33, 0.0033), 300.0)
    with pytest.raises(ValueError, match="known"):
        saxs_compressibility(liquid, liquid, Estimate(0.0, 0.0))
    with pytest.raises(ValueError, match="density"):
        electron_density(Estimate(-1.0, 0.0), 10, 18)
    with pytest.raises(ValueError, match="errors"):
        zero_angle([0.1, 0.12, 0.14], [1, 1, 1], [1, 1, 0])
