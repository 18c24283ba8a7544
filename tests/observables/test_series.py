"""The error of a mean, against series whose error is known."""

from __future__ import annotations

import numpy as np
import pytest

from ilmlip.observables.series import mean_and_error


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


@pytest.mark.parametrize("values", [[], [1.0] * 7, np.ones((4, 4))])
def test_too_few(values: object) -> None:
    with pytest.raises(ValueError, match="at least 8"):
        mean_and_error(values)
