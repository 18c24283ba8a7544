"""Rank correlation and calibration of spreads whose errors are known."""

import numpy as np
import pytest

from ilmlip.observables.ranking import calibration, rank_correlation


def test_a_spread_that_ranks_every_error_has_one() -> None:
    spread = np.array([1.0, 2.0, 3.0, 4.0])
    assert rank_correlation(spread, -(spread**3)) == pytest.approx(1.0)
    assert rank_correlation(spread, 1 / spread) == pytest.approx(-1.0)


def test_nothing_is_said_of_few_or_constant_values() -> None:
    assert rank_correlation([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]) is None
    assert rank_correlation([1.0] * 5, np.arange(5.0)) is None
    with pytest.raises(ValueError, match="shapes"):
        rank_correlation([1.0, 2.0], [1.0])


def test_a_calibrated_normal_spread_equals_its_error_in_every_bin() -> None:
    random = np.random.default_rng(3)
    spread = random.uniform(1.0, 5.0, 40000)
    found = calibration(spread, spread * random.normal(size=spread.size), 8)
    assert found.error == pytest.approx(found.spread, rel=0.05)
    assert list(found.spread) == sorted(found.spread)
    assert found.ratio == pytest.approx(1.0, abs=0.02)
    twice = calibration(spread, 2 * spread * random.normal(size=spread.size), 8)
    assert twice.ratio == pytest.approx(2.0, abs=0.04)


def test_a_spread_of_noise_is_flat() -> None:
    random = np.random.default_rng(4)
    spread, error = random.uniform(1.0, 5.0, 20000), random.normal(size=20000)
    assert abs(rank_correlation(spread, error)) < 0.03
    assert calibration(spread, error, 5).error == pytest.approx(np.ones(5), rel=0.05)


def test_too_few_values_for_the_bins() -> None:
    with pytest.raises(ValueError, match="for 4 bins"):
        calibration([1.0, 2.0], [1.0, 2.0], 4)
