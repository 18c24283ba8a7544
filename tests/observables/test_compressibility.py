"""Compressibilities of a liquid that obeys Tait, and of boxes drawn from the exact distribution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import constants
from synthetic import autoregressive

from ilmlip.observables.compressibility import (
    fluctuation_compressibility,
    tait,
    tait_of_densities,
)

PRESSURES = 1 + 1000.0 * np.arange(19)  # bar; the paper's steps
V0, KAPPA, C = 60000.0, 6.46e-5, 0.09
B = C / KAPPA - 1


def liquid(pressures: np.ndarray) -> np.ndarray:
    return V0 * (1 - C * np.log((B + pressures) / (B + 1)))


def test_an_exact_liquid() -> None:
    found = tait(PRESSURES, liquid(PRESSURES), np.full(19, 1.0))
    assert found.volume.value == pytest.approx(V0, rel=1e-6)
    assert found.compressibility.value == pytest.approx(KAPPA, rel=1e-4)
    assert found.c.value == pytest.approx(C, rel=1e-4)
    assert found.b == pytest.approx(B, rel=1e-3)
    assert found.freedom == 16
    np.testing.assert_allclose(found.volumes(PRESSURES), liquid(PRESSURES), rtol=1e-6)
    slope = (found.volumes(2.0) - found.volumes(0.0)) / 2
    assert found.compressibility.value == pytest.approx(-slope / found.volume.value, rel=1e-6)


def test_another_reference_is_the_same_curve() -> None:
    found = tait(PRESSURES, liquid(PRESSURES), reference=5001.0)
    expected = C / (B + 5001) / (1 - C * np.log((B + 5001) / (B + 1)))
    assert found.compressibility.value == pytest.approx(expected, rel=1e-3)
    assert found.b == pytest.approx(B, rel=1e-2)


def test_densities_are_the_same_fit() -> None:
    rho = 1e5 / liquid(PRESSURES)
    found = tait_of_densities(PRESSURES, rho, 1e-4 * rho)
    assert found.compressibility.value == pytest.approx(KAPPA, rel=1e-4)
    assert found.volume.value == pytest.approx(V0 / 1e5, rel=1e-6)
    same = tait(PRESSURES, 1 / rho, 1e-4 / rho)
    assert found.compressibility.error == pytest.approx(same.compressibility.error)


@pytest.mark.parametrize("stated", [True, False])
def test_tait_errors_are_calibrated(stated: bool) -> None:
    rng, sigma = np.random.default_rng(1), 60.0
    errors = np.full(19, sigma) if stated else None
    found = [
        tait(PRESSURES, liquid(PRESSURES) + sigma * rng.normal(size=19), errors) for _ in range(120)
    ]
    off = np.array([(f.compressibility.value - KAPPA) / f.compressibility.error for f in found])
    assert abs(off.mean()) < 0.35
    assert 0.8 < off.std() < 1.3
    if stated:
        assert np.mean([f.chi2 for f in found]) == pytest.approx(16, rel=0.15)


def test_an_ideal_gas_has_the_inverse_of_its_pressure() -> None:
    """At constant pressure p(V) ∝ V^N exp(−PV/kT), a gamma distribution; SI units of scipy."""
    n, temperature, pressure = 50, 350.0, 1e9  # Pa
    unit = constants.k * temperature / pressure / constants.angstrom**3
    volumes = unit * np.random.default_rng(2).gamma(n + 1, size=40000)
    found = fluctuation_compressibility(volumes, temperature)
    per_pascal = found.value / constants.bar
    assert per_pascal == pytest.approx(1 / pressure, rel=4 * found.error / found.value)
    assert found.error < 0.02 * found.value


@pytest.mark.parametrize(("phi", "frames"), [(0.0, 4000), (0.9, 4000), (0.9, 400)])
def test_fluctuation_errors_are_calibrated(phi: float, frames: int) -> None:
    variance = KAPPA / constants.bar * constants.k * 300 * V0 * constants.angstrom**3
    sigma = np.sqrt(variance) / constants.angstrom**3
    shape = (1000 if frames == 400 else 200, frames)
    runs = V0 + sigma * autoregressive(np.random.default_rng(3), shape, phi)
    found = np.array([fluctuation_compressibility(run, 300.0) for run in runs])
    # the short runs are 0.05 too low without what g makes good
    assert found[:, 0].mean() == pytest.approx(KAPPA, rel=0.02)
    assert 0.75 < found[:, 1].mean() / found[:, 0].std() < 1.3


@settings(max_examples=30)
@given(st.floats(0.5, 4), st.permutations(range(40)))
def test_scales_and_order(factor: float, order: list[int]) -> None:
    """Twice the volumes: twice κ, since δV doubles; the value does not know the order of frames."""
    volumes = 1000 + np.random.default_rng(4).normal(size=40)
    one = fluctuation_compressibility(volumes, 300)
    assert fluctuation_compressibility(factor * volumes, 300).value == pytest.approx(
        factor * one.value
    )
    assert fluctuation_compressibility(volumes, 300 * factor).value == pytest.approx(
        one.value / factor
    )
    other = fluctuation_compressibility(volumes[order], 300)
    assert other.value == pytest.approx(one.value, rel=0.2)  # but for what g makes good


@pytest.mark.parametrize(
    ("pressures", "volumes", "message"),
    [
        ([], [], "shape"),
        ([1, 2, 3], [3.0, 2.0, 1.0], "at least 4"),
        ([1, 2, 3, 3], [3.0, 2.0, 1.0, 1.0], "at least 4"),
        ([1, 2, 3, 4], [3.0, 2.0, 1.0], "shape"),
        ([1, 2, 3, 4], [3.0, 2.0, 1.0, np.nan], "not finite"),
        ([1, 2, 3, 4], [3.0, 2.0, 1.0, 0.0], "above zero"),
        ([1, 2, 3, 4], [1.0, 2.0, 3.0, 4.0], "does not fall"),
    ],
)
def test_tait_refuses(pressures: list[float], volumes: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tait(pressures, volumes)


def test_fluctuations_refuse() -> None:
    for volumes, temperature, message in (
        ([1.0] * 4, 300, "at least 8"),
        ([1.0] * 8 + [np.nan], 300, "not finite"),
        ([1.0, -1.0] * 8, 300, "above zero"),
        (np.linspace(1, 2, 16), np.nan, "temperature"),
        (np.full(16, 2.0), 300, "independent"),
    ):
        with pytest.raises(ValueError, match=message):
            fluctuation_compressibility(volumes, temperature)
