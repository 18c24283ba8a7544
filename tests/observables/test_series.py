"""The error of a mean, against series whose error is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import autoregressive

from ilmlip.observables.series import (
    blocking,
    cautious_mean,
    correlation,
    drift,
    finite,
    inefficiency,
    jackknife,
    mean_and_error,
    positive,
    settled,
)

PHI = 0.9
G = (1 + PHI) / (1 - PHI)


def test_independent_numbers() -> None:
    values = np.random.default_rng(1).normal(3.0, 0.5, 4096)
    mean, error = mean_and_error(values)
    assert mean == pytest.approx(3.0, abs=0.04)
    # the largest of several estimates of σ/√n, the coarsest of 8 blocks
    assert 0.5 / 64 * 0.95 < error < 0.5 / 64 * 2.2


def test_correlated_numbers_have_the_error_of_their_correlation() -> None:
    """AR(1): the variance of the mean is (1 + φ)/(1 − φ) times that of independent numbers."""
    rng, phi, n = np.random.default_rng(2), 0.95, 2**15
    noise = rng.normal(size=n)
    values = np.empty(n)
    values[0] = noise[0] / np.sqrt(1 - phi**2)
    for i in range(1, n):
        values[i] = phi * values[i - 1] + noise[i]
    expected = np.sqrt((1 + phi) / (1 - phi) / n / (1 - phi**2))
    _, error = mean_and_error(values)
    assert 0.9 * expected < error < 2.2 * expected
    naive = values.std() / np.sqrt(n)
    assert error > 5 * naive


def test_errors_are_calibrated() -> None:
    """Over many runs the mean is off by as much as its error says."""
    runs = autoregressive(np.random.default_rng(3), (300, 4000), PHI)
    found = np.array([mean_and_error(run) for run in runs])
    assert found[:, 1].mean() == pytest.approx(np.sqrt(G / 4000), rel=0.1)
    assert 0.85 < (found[:, 0] / found[:, 1]).std() < 1.2
    assert 0.58 < np.mean(np.abs(found[:, 0]) < found[:, 1]) < 0.78


def test_a_short_series_has_no_smaller_error_than_its_memory_allows() -> None:
    """Four independent values: blocks alone state half of the error."""
    runs = autoregressive(np.random.default_rng(1), (200, 80), PHI)
    true = runs.mean(axis=1).std()
    blocks, cautious = (
        np.array([f(run)[1] for run in runs]) for f in (mean_and_error, cautious_mean)
    )
    assert (cautious >= blocks).all()
    assert blocks.mean() < 0.65 * true < 0.7 * true < cautious.mean() < 1.1 * true
    long = autoregressive(np.random.default_rng(3), (100, 4000), PHI)
    found = np.array([cautious_mean(run)[1] for run in long])
    assert found.mean() == pytest.approx(np.sqrt(G / 4000), rel=0.1)
    assert cautious_mean(np.full(20, 3.0)) == (3.0, 0.0)


def test_blocking_reaches_a_plateau() -> None:
    found = blocking(autoregressive(np.random.default_rng(4), (2**15,), PHI))
    expected = np.sqrt(G / 2**15)
    assert found.sizes[:3].tolist() == [1, 2, 4]
    assert found.errors[0] == pytest.approx(1 / np.sqrt(2**15), rel=0.1)
    flat = found.sizes >= 128
    off = (found.errors[flat] - expected) / found.uncertainties[flat]
    assert np.abs(off).max() < 3
    assert mean_and_error(np.arange(9.0)).error == blocking(np.arange(9.0)).errors.max()


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_inefficiency_of_a_known_correlation(phi: float) -> None:
    runs = autoregressive(np.random.default_rng(5), (50, 8000), phi)
    found = np.mean([inefficiency(run) for run in runs])
    assert found == pytest.approx((1 + phi) / (1 - phi), rel=0.06)


def test_a_constant_is_one_number() -> None:
    assert inefficiency(np.full(40, 1.7)) == 40
    assert settled(np.full(40, 1.7)).effective == 1
    assert mean_and_error(np.full(40, 1.5)) == (1.5, 0.0)
    assert not drift(np.full(40, 1.7)).drifts


def test_correlation_by_transforms_is_the_sum() -> None:
    a, b = np.random.default_rng(6).normal(size=(2, 30))
    expected = [a[: 30 - t] @ b[t:] for t in range(30)]
    np.testing.assert_allclose(correlation(a, b), expected, atol=1e-12)


def test_equilibration_is_found() -> None:
    """A decay from ten deviations away, 100 numbers long, before noise of the same correlation."""
    starts = []
    for run in autoregressive(np.random.default_rng(7), (30, 4000), 0.5):
        found = settled(run + 10 * np.exp(-np.arange(4000) / 100))
        starts.append(found.start)
        assert found.effective == pytest.approx((4000 - found.start) / found.inefficiency)
    assert min(starts) >= 200
    assert np.median(starts) < 700
    quiet = [
        settled(run).start for run in autoregressive(np.random.default_rng(8), (30, 4000), 0.5)
    ]
    assert np.median(quiet) < 400


def test_drift_knows_the_correlation() -> None:
    runs = autoregressive(np.random.default_rng(9), (400, 3000), PHI)
    still = [drift(run) for run in runs]
    assert np.mean([d.drifts for d in still]) < 0.1  # one in twenty by the confidence
    scatter = np.array([d.slope.value / d.slope.error for d in still])
    assert 0.85 < scatter.std() < 1.2
    line = np.arange(3000) * 1e-3
    moving = [drift(run + line, step=2.0) for run in runs[:50]]
    assert all(d.drifts for d in moving)
    assert np.mean([d.slope.value for d in moving]) == pytest.approx(5e-4, rel=0.05)


@given(st.floats(1e-3, 1e3), st.floats(-1e3, 1e3), st.integers(0, 10))
def test_units_and_zero_do_not_matter(scale: float, shift: float, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=64)
    mean, error = mean_and_error(values)
    other = mean_and_error(scale * values + shift)
    assert other.value == pytest.approx(scale * mean + shift, abs=1e-9 * (scale + abs(shift)))
    assert other.error == pytest.approx(scale * error, rel=1e-6)
    assert inefficiency(scale * values + shift) == pytest.approx(inefficiency(values), rel=1e-6)


def test_jackknife() -> None:
    parts = np.random.default_rng(10).normal(size=(12, 3))
    expected = parts.std(axis=0, ddof=1) / np.sqrt(12)
    np.testing.assert_allclose(jackknife(parts, lambda mean: mean), expected)
    np.testing.assert_allclose(jackknife(parts, lambda mean: 7 * mean), 7 * expected)
    with pytest.raises(ValueError, match="at least two"):
        jackknife(parts[:1], lambda mean: mean)


@pytest.mark.parametrize("values", [[], [1.0] * 7, np.ones((4, 4))])
def test_too_few(values: object) -> None:
    for function in (mean_and_error, blocking, inefficiency, settled, drift):
        with pytest.raises(ValueError, match="at least 8"):
            function(values)


def test_what_is_no_number() -> None:
    for function in (mean_and_error, blocking, inefficiency, settled, drift):
        with pytest.raises(ValueError, match="2 are not finite"):
            function([1.0] * 8 + [np.nan, np.inf])
    with pytest.raises(ValueError, match=r"shape \(2, 3\), not \(n, 4\)"):
        finite(np.ones((2, 3)), "things", None, 4)
    with pytest.raises(ValueError, match="T is nan"):
        positive(np.nan, "T")
    with pytest.raises(ValueError, match="step"):
        drift(np.arange(20.0), step=0)
