"""Densities of known boxes, and which part of a run they are taken from."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import constants
from synthetic import autoregressive

from ilmlip.observables.density import densities, mean_density, measured_density


def test_water_has_the_density_of_water() -> None:
    """Units by another path: kg and metres of scipy's constants."""
    masses = np.tile([15.999, 1.008, 1.008], 1000)
    side = 31.07
    kg, m3 = masses.sum() * constants.atomic_mass, (side * constants.angstrom) ** 3
    found = densities([side**3], masses)
    assert found[0] == pytest.approx(kg / m3 / 1000, rel=1e-8)
    assert found[0] == pytest.approx(0.997, abs=2e-3)


def test_the_error_is_that_of_the_mean() -> None:
    runs = 1.6 + 0.01 * autoregressive(np.random.default_rng(1), (100, 4000), 0.5)
    found = [mean_density(run) for run in runs]
    off = np.array([(f.mean.value - 1.6) / f.mean.error for f in found])
    assert 0.8 < off.std() < 1.25
    assert np.mean([f.deviation for f in found]) == pytest.approx(0.01, rel=0.02)
    assert found[0].mean.error < 0.1 * found[0].deviation


def test_parts_of_a_run() -> None:
    noise = 0.01 * autoregressive(np.random.default_rng(2), (4000,), 0.5)
    run = 1.6 - 0.3 * np.exp(-np.arange(4000) / 100) + noise
    half, later, all_of_it = (mean_density(run, s) for s in ("half", "settled", 0))
    assert (half.start, all_of_it.start) == (2000, 0)
    assert 200 < later.start < 1500
    assert later.mean.value == pytest.approx(1.6, abs=4 * later.mean.error)
    assert all_of_it.mean.value < 1.6 - 5e-3
    assert mean_density(run[:-1]).start == 1999


@pytest.mark.parametrize(
    ("volumes", "masses", "message"),
    [
        ([], [1.0], "shape"),
        ([100.0], [], "shape"),
        ([np.nan], [1.0], "not finite"),
        ([-1.0], [1.0], "above zero"),
        ([1.0], [[1.0]], "shape"),
    ],
)
def test_refuses(volumes: list[float], masses: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        densities(volumes, masses)


def test_refuses_too_few_frames() -> None:
    with pytest.raises(ValueError, match="at least 8"):
        mean_density(np.ones(14))
    with pytest.raises(ValueError, match="frame 20 of 16"):
        mean_density(np.ones(16), 20)


def test_what_was_measured_is_interpolated_in_temperature_and_never_beyond() -> None:
    points = [(350.0, 1.0, 1.42, 0.01), (370.0, 1.01325, 1.40, 0.02), (350.0, 500.0, 1.45, 0.01)]
    assert measured_density(points, 360.0, 1.0) == pytest.approx((1.41, 0.015, 360.0))
    assert measured_density(points, 300.0, 1.0) == pytest.approx((1.42, 0.01, 350.0))
    assert measured_density(points, 400.0, 1.0) == pytest.approx((1.40, 0.02, 370.0))
    assert measured_density(points, 350.0, 505.0) == pytest.approx((1.45, 0.01, 350.0))
    assert measured_density(points, 350.0, 100.0) is None
