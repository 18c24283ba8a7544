"""Onsager coefficients and transference numbers of ions whose correlations are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import constants
from scipy.spatial.transform import Rotation

from ilmlip.observables.conductivity import Onsager, nernst_einstein, onsager
from ilmlip.observables.series import Estimate
from ilmlip.observables.transport import diffusion

STEP, VOLUME, TEMPERATURE = 10.0, 2e4, 400.0
NUMBERS = {"Li": 4, "EMIM": 6, "PF6": 10}
CHARGES = {"Li": 1.0, "EMIM": 1.0, "PF6": -1.0}
Z = np.array([1.0, 1.0, -1.0])
DRIVE = np.array([[1.0, 0, 0], [-0.6, 0.8, 0], [0.9, 0.2, 0.5]])
"""ΔR of the kinds in a step is DRIVE times independent numbers: Li⁺ goes with PF6⁻."""


def ions(seed: int, frames: int) -> dict[str, np.ndarray]:
    """Ions that share the sum of their kind, and hop by 0.5 Å each besides, without a sum."""
    rng, paths = np.random.default_rng(seed), {}
    together = rng.normal(size=(frames, 3, 3)) @ DRIVE.T
    for i, (kind, number) in enumerate(NUMBERS.items()):
        own = 0.5 * rng.normal(size=(frames, number, 3))
        own -= own.mean(axis=1, keepdims=True)
        paths[kind] = np.cumsum(own + together[:, :, i][:, None] / number, axis=0)
    return paths


def run(seed: int, frames: int) -> Onsager:
    return onsager(ions(seed, frames), CHARGES, VOLUME, TEMPERATURE, STEP)


def test_known_correlations() -> None:
    """In SI units of scipy's: L_ij = ⟨ΔR_i ΔR_j⟩ of one coordinate / (2 k_B T V t)."""
    metre, second = 1 / constants.angstrom, 1 / constants.femto
    per_step = DRIVE @ DRIVE.T / metre**2 / (STEP / second)
    si = per_step / (2 * constants.k * TEMPERATURE * VOLUME / metre**3)  # 1/(J m s)
    sigma = constants.e**2 * Z @ si @ Z
    share = Z * (si @ Z) / (Z @ si @ Z)
    assert share[0] < 0  # Li⁺ is carried backwards
    found = [run(seed, 2000) for seed in range(40)]
    assert found[0].kinds == tuple(NUMBERS)
    sigmas = np.array([f.conductivity for f in found])
    assert sigmas[:, 0].mean() == pytest.approx(sigma, rel=0.12)
    assert 0.7 < ((sigmas[:, 0] - sigma) / sigmas[:, 1]).std() < 1.4
    for i, kind in enumerate(NUMBERS):
        shares = np.array([f.transference[kind] for f in found])
        assert shares[:, 0].mean() == pytest.approx(share[i], abs=0.09)
        assert 0.6 < ((shares[:, 0] - share[i]) / shares[:, 1]).std() < 1.5
    house = si * constants.electron_volt * constants.angstrom * constants.femto
    mean = np.mean([f.coefficients for f in found], axis=0)
    error = np.mean([f.errors for f in found], axis=0)
    assert np.abs((mean - house) / error).max() < 4 / np.sqrt(40) * 1.5
    np.testing.assert_allclose(mean, mean.T)


def test_the_sum_is_the_motion_of_the_charge() -> None:
    """σ from L_ij is that of Σ z Δr itself, and the transference numbers add up to one."""
    paths, found = ions(1, 1000), run(1, 1000)
    dipole = sum(CHARGES[k] * paths[k].sum(axis=1) for k in paths)
    by_charge = diffusion(dipole[:, None], STEP).coefficient
    unit = constants.e / (constants.angstrom * constants.femto)  # e/(V Å fs) in S/m
    kt = constants.k * TEMPERATURE / constants.electron_volt
    assert found.conductivity.value == pytest.approx(by_charge.value / (kt * VOLUME) * unit)
    assert found.conductivity.error == pytest.approx(by_charge.error / (kt * VOLUME) * unit)
    assert sum(t.value for t in found.transference.values()) == pytest.approx(1)


def test_independent_ions_obey_nernst_and_einstein() -> None:
    rng, d = np.random.default_rng(2), {"Li": 3e-4, "PF6": 1e-4}
    found, expected = [], None
    for _ in range(20):
        paths = {
            k: np.cumsum(rng.normal(size=(1000, 10, 3)) * np.sqrt(2 * d[k] * STEP), axis=0)
            for k in d
        }
        found.append(onsager(paths, {"Li": 1, "PF6": -1}, VOLUME, TEMPERATURE, STEP))
        measured = {k: diffusion(paths[k], STEP).coefficient for k in d}
        expected = nernst_einstein(
            measured, {"Li": 1, "PF6": -1}, {"Li": 10, "PF6": 10}, VOLUME, TEMPERATURE
        )
    si = constants.e**2 * 10 * 4e-4 * 1e-5 / (constants.k * TEMPERATURE * VOLUME * 1e-30)
    assert expected is not None
    assert expected.value == pytest.approx(si, rel=4 * expected.error / expected.value)
    assert np.mean([f.conductivity.value for f in found]) == pytest.approx(si, rel=0.25)
    assert np.mean([f.transference["Li"].value for f in found]) == pytest.approx(0.75, abs=0.12)


def test_momentum_fixes_the_transference_of_one_salt() -> None:
    """Seen from the centre of mass, t₊ = m₋/(m₊ + m₋), whatever the ions do."""
    rng, masses = np.random.default_rng(3), {"EMIM": 111.17, "PF6": 144.96}
    paths = {k: np.cumsum(rng.normal(size=(400, 5, 3)), axis=0) for k in masses}
    found = onsager(paths, {"EMIM": 1, "PF6": -1}, VOLUME, TEMPERATURE, STEP, masses)
    assert found.transference["EMIM"].value == pytest.approx(144.96 / 256.13)
    assert found.transference["EMIM"].error == pytest.approx(0, abs=1e-9)
    weights = np.array(list(masses.values()))
    np.testing.assert_allclose(weights @ found.coefficients, 0, atol=1e-12)


def test_errors_of_nernst_and_einstein() -> None:
    d = {"Li": Estimate(1e-4, 1e-5), "PF6": Estimate(2e-4, 3e-5)}
    found = nernst_einstein(d, {"Li": 1, "PF6": -2}, {"Li": 10, "PF6": 5}, VOLUME, TEMPERATURE)
    unit = constants.e**2 * 1e-5 / (constants.k * TEMPERATURE * VOLUME * 1e-30)
    assert found.value == pytest.approx(unit * (10 * 1e-4 + 20 * 2e-4))
    assert found.error == pytest.approx(unit * np.hypot(10 * 1e-5, 20 * 3e-5))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 100))
def test_nothing_depends_on_place_direction_and_order(seed: int) -> None:
    rng, paths = np.random.default_rng(seed), ions(seed, 300)
    one = onsager(paths, CHARGES, VOLUME, TEMPERATURE, STEP)
    turn = Rotation.random(rng=seed).as_matrix()
    moved = {
        k: (p[:, rng.permutation(p.shape[1])] + rng.uniform(-99, 99, 3)) @ turn
        for k, p in reversed(paths.items())
    }
    other = onsager(moved, CHARGES, 2 * VOLUME, TEMPERATURE, STEP)
    np.testing.assert_allclose(other.coefficients[::-1, ::-1], one.coefficients / 2, rtol=1e-6)
    assert other.conductivity.value == pytest.approx(one.conductivity.value / 2)
    scaled = onsager(paths, {k: 0.8 * z for k, z in CHARGES.items()}, VOLUME, TEMPERATURE, STEP)
    assert scaled.conductivity.value == pytest.approx(0.64 * one.conductivity.value)
    for kind in paths:
        assert other.transference[kind].value == pytest.approx(one.transference[kind].value)
        assert scaled.transference[kind].value == pytest.approx(one.transference[kind].value)


def test_refuses() -> None:
    paths = ions(4, 300)
    rest = {k: np.zeros_like(p) for k, p in paths.items()}
    short = paths | {"Li": paths["Li"][:200]}
    for call, message in (
        (lambda: onsager({}, {}, VOLUME, TEMPERATURE, STEP), "charges of"),
        (lambda: onsager(paths, {"Li": 1}, VOLUME, TEMPERATURE, STEP), "charges of"),
        (lambda: onsager(paths, CHARGES, 0, TEMPERATURE, STEP), "volume"),
        (lambda: onsager(paths, CHARGES, VOLUME, TEMPERATURE, -1), "step"),
        (lambda: onsager(short, CHARGES, VOLUME, TEMPERATURE, STEP), "different length"),
        (lambda: onsager(rest, CHARGES, VOLUME, TEMPERATURE, STEP), "no charge moves"),
        (lambda: onsager({k: p * np.nan for k, p in paths.items()}, CHARGES, 1, 1, 1), "finite"),
        (lambda: nernst_einstein({}, {}, {}, VOLUME, TEMPERATURE), "same kinds"),
        (lambda: nernst_einstein({"Li": Estimate(1, 0)}, {"Li": 1}, {"Li": 0}, 1, 1), "numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
