"""S(q) of an ideal gas and of crystals, and the compressibility it tends to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import constants
from scipy.spatial.transform import Rotation

from ilmlip.observables.scattering import structure_compressibility, structure_factor

SKEWED = np.array([[13.0, 0, 0], [4.0, 12.0, 0], [-3.0, 4.0, 12.0]])


def gas(seed: int, frames: int, atoms: int, cell: np.ndarray) -> np.ndarray:
    return np.random.default_rng(seed).random((frames, atoms, 3)) @ cell


def lattice(frames: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Atoms about the 216 sites of a simple cubic lattice of 3 Å, as independent oscillators."""
    sites = 3.0 * np.stack(np.meshgrid(*[np.arange(6)] * 3), axis=-1).reshape(-1, 3)
    rng = np.random.default_rng(5)
    return sites + spread * rng.normal(size=(frames, 216, 3)), 18 * np.eye(3)


def test_an_ideal_gas() -> None:
    found = structure_factor(gas(1, 400, 60, SKEWED), SKEWED, 2.0)
    assert np.sqrt(np.mean(((found.s - 1) / found.error) ** 2)) < 1.5
    assert found.density == pytest.approx(60 / np.linalg.det(SKEWED))
    volume_of_q = 4 / 3 * np.pi * 2.0**3 * np.linalg.det(SKEWED) / (2 * np.pi) ** 3
    assert 2 * found.vectors.sum() == pytest.approx(volume_of_q, rel=0.1)
    shortest = 2 * np.pi * np.linalg.norm(np.linalg.inv(SKEWED), axis=0).min()
    assert found.q[0] == pytest.approx(shortest, abs=0.02)


def test_the_compressibility_of_an_ideal_gas_is_the_inverse_of_its_pressure() -> None:
    """P = ρ k_B T, in SI units of scipy's."""
    pressure = 60 / (np.linalg.det(SKEWED) * constants.angstrom**3) * constants.k * 350.0
    found = []
    for seed in range(40):
        s = structure_factor(gas(seed, 64, 60, SKEWED), SKEWED, 1.5)
        zero, kappa = structure_compressibility(s, 350.0, 1.5)
        assert kappa.error / kappa.value == pytest.approx(zero.error / zero.value)
        found.append((kappa.value / constants.bar, kappa.error / constants.bar))
    off = (np.array(found)[:, 0] - 1 / pressure) / np.array(found)[:, 1]
    assert np.mean(found, axis=0)[0] == pytest.approx(1 / pressure, rel=0.05)
    assert 0.7 < off.std() < 1.4


def test_independent_oscillators() -> None:
    """S(q) = 1 − exp(−q²u²) between the Bragg peaks; N exp(−q²u²) in addition at each of them."""
    spread = 0.4
    r, cell = lattice(40, spread)
    found = structure_factor(r, cell, 2.2)
    between = np.abs(found.q - 2 * np.pi / 3) > 0.03
    expected = 1 - np.exp(-((found.q * spread) ** 2))
    off = (found.s - expected)[between] / found.error[between]
    assert np.sqrt(np.mean(off**2)) < 1.6
    bragg = structure_factor(r, cell, 2.2, width=1e-6)
    peak = np.argmax(bragg.s)
    assert bragg.q[peak] == pytest.approx(2 * np.pi / 3)
    shared = bragg.vectors[peak] / 3  # lattice vectors of the same length as 100, 010 and 001
    debye = np.exp(-((2 * np.pi / 3 * spread) ** 2))
    assert bragg.s[peak] * shared == pytest.approx(216 * debye, rel=0.05)


def test_a_breathing_crystal_keeps_its_peak() -> None:
    """Each vector follows the cell, so that strain smears nothing."""
    r, cell = lattice(1, 0.0)
    strain = 1 + 0.03 * np.random.default_rng(6).normal(size=20)
    found = structure_factor(
        r[0] * strain[:, None, None], cell * strain[:, None, None], 2.15, width=1e-6
    )
    assert found.s.max() * found.vectors[np.argmax(found.s)] / 3 == pytest.approx(216)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 100), st.floats(0.1, 10))
def test_nothing_depends_on_place_direction_images_and_order(seed: int, factor: float) -> None:
    rng = np.random.default_rng(seed)
    r, w = gas(seed, 8, 15, SKEWED), rng.uniform(0.5, 2, 15)
    one = structure_factor(r, SKEWED, 1.2, weights=w)
    turn = Rotation.random(rng=seed).as_matrix()
    order = rng.permutation(15)
    moved = r + rng.integers(-3, 4, r.shape) @ SKEWED + rng.uniform(-50, 50, 3)
    other = structure_factor(moved[:, order] @ turn, SKEWED @ turn, 1.2, weights=factor * w[order])
    np.testing.assert_allclose(other.s, one.s, atol=1e-7)
    np.testing.assert_allclose(other.q, one.q)


def test_refuses() -> None:
    r = gas(4, 8, 10, SKEWED)
    for call, message in (
        (lambda: structure_factor(r, SKEWED, 0.1), "no q up to"),
        (lambda: structure_factor(r, SKEWED, np.nan), "q_max"),
        (lambda: structure_factor(r, SKEWED, 1.0, weights=np.zeros(10)), "all weights"),
        (lambda: structure_factor(r, SKEWED, 1.0, weights=np.ones(9)), "shape"),
        (lambda: structure_factor(r[:7], SKEWED, 1.0), "at least 8"),
        (lambda: structure_factor(r * np.inf, SKEWED, 1.0), "not finite"),
        (
            lambda: structure_compressibility(structure_factor(r, SKEWED, 1), 300, 0.5),
            "values of q",
        ),
        (lambda: structure_compressibility(structure_factor(r, SKEWED, 1), 0, 1), "temperature"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
