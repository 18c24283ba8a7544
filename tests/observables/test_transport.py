"""Displacements and diffusion of particles whose law of motion is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import constants
from scipy.spatial.transform import Rotation
from synthetic import autoregressive

from ilmlip.observables.series import Estimate
from ilmlip.observables.transport import (
    co_displacement,
    diffusion,
    mean_square,
    regime_of,
    window_of,
)

STEP = 10.0  # fs
D = 2e-4  # Å²/fs


def brownian(seed: int, frames: int, particles: int, d: float = D) -> np.ndarray:
    """Each coordinate moves by √(2 D t)."""
    hops = np.random.default_rng(seed).normal(size=(frames, particles, 3))
    return np.cumsum(hops * np.sqrt(2 * d * STEP), axis=0)


def test_all_origins_are_counted() -> None:
    r, s = np.random.default_rng(1).normal(size=(2, 30, 4, 3)) + 1e4
    square = [np.mean(np.sum((r[t:] - r[: 30 - t]) ** 2, axis=-1)) for t in range(21)]
    np.testing.assert_allclose(mean_square(r, 20), square, atol=1e-8)
    both = [
        np.mean(np.sum((r[t:] - r[: 30 - t]) * (s[t:] - s[: 30 - t]), axis=-1)) for t in range(21)
    ]
    np.testing.assert_allclose(co_displacement(r, s, 20), both, atol=1e-8)


def test_brownian_particles() -> None:
    found = [diffusion(brownian(seed, 1000, 20), STEP) for seed in range(60)]
    values = np.array([f.coefficient for f in found])
    off = (values[:, 0] - D) / values[:, 1]
    assert values[:, 0].mean() == pytest.approx(D, rel=0.03)
    assert 0.75 < off.std() < 1.4
    assert 0.7 < values[:, 1].mean() / values[:, 0].std() < 1.5
    exponents = np.array([(f.exponent.value - 1) / f.exponent.error for f in found])
    assert 0.7 < exponents.std() < 1.5
    assert {f.regime for f in found} == {"diffusive"}
    one = found[0]
    assert one.window == (12 * STEP, 50 * STEP)
    np.testing.assert_allclose(one.displacement[1:], 6 * D * one.times[1:], rtol=0.3)


def test_units_by_another_path() -> None:
    """A radius of 1 Å in water at 300 K, Stokes and Einstein in SI units: 1 Å²/fs is 1e-5 m²/s."""
    si = constants.k * 300 / (6 * np.pi * 8.5e-4 * constants.angstrom)
    house = si / constants.angstrom**2 * constants.femto
    assert house == pytest.approx(si / 1e-5)
    found = diffusion(brownian(2, 4000, 30, house), STEP).coefficient
    assert found.value * 1e-5 == pytest.approx(si, rel=0.05)


def test_what_is_not_diffusive_is_said() -> None:
    caged = autoregressive(np.random.default_rng(3), (40, 3, 2000), 0.9).transpose(2, 0, 1)
    assert diffusion(caged, STEP).regime == "subdiffusive"
    flying = np.arange(2000.0)[:, None, None] * np.random.default_rng(4).normal(size=(40, 3))
    found = diffusion(flying, STEP)
    assert found.regime == "superdiffusive"
    assert found.exponent.value == pytest.approx(2)
    assert diffusion(np.zeros((400, 2, 3)), STEP).regime == "undetermined"
    assert regime_of(Estimate(1.05, 0.2)) == regime_of(Estimate(1.3, 0.2)) == "undetermined"
    assert regime_of(Estimate(float("nan"), 0.0)) == "undetermined"


def test_a_short_rattle_does_not_change_the_slope() -> None:
    """Brownian particles that rattle in addition: the line has an intercept."""
    rattle = 0.3 * np.random.default_rng(6).normal(size=(4000, 30, 3))
    found = diffusion(brownian(7, 4000, 30) + rattle, STEP).coefficient
    assert found.value == pytest.approx(D, rel=0.06)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 100), st.floats(0.1, 10))
def test_nothing_depends_on_place_direction_and_order(seed: int, factor: float) -> None:
    rng, r = np.random.default_rng(seed), brownian(seed, 400, 4)
    one = diffusion(r, STEP)
    turn = Rotation.random(rng=seed).as_matrix()
    moved = factor * (r[:, rng.permutation(4)] + rng.uniform(-1e3, 1e3, (4, 3))) @ turn
    other = diffusion(moved, 2 * STEP)
    np.testing.assert_allclose(
        other.coefficient, np.array(one.coefficient) * factor**2 / 2, rtol=1e-6
    )
    np.testing.assert_allclose(other.exponent, one.exponent, rtol=1e-6)
    np.testing.assert_allclose(diffusion(r[::-1], STEP).coefficient.value, one.coefficient.value)


def test_windows() -> None:
    assert window_of(1000, STEP, (100, 300)).times.tolist() == (STEP * np.arange(10, 31)).tolist()
    for frames, window, message in (
        (1000, (0, 300), "from 1 on"),
        (1000, (100, 120), "at least 4"),
        (1000, (100, 700), "half of each of 8 segments"),
        (60, None, "at least 4"),
    ):
        with pytest.raises(ValueError, match=message):
            window_of(frames, STEP, window)


def test_refuses() -> None:
    r = brownian(8, 400, 2)
    for paths, step, message in (
        (r[:, :, :2], STEP, "shape"),
        (r[:0], STEP, "shape"),
        (r * np.nan, STEP, "not finite"),
        (r, 0.0, "step"),
    ):
        with pytest.raises(ValueError, match=message):
            diffusion(paths, step)
