"""Frames chosen from a run."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilmlip.observables.selection import at_random, by_spread


def test_the_largest_spread_comes_first_and_then_what_differs_from_it() -> None:
    spread = [0.9, 1.0, 0.5, 0.1]
    points = [[0.1], [0.0], [1.0], [2.0]]  # 0 is uncertain, but like 1
    assert by_spread(spread, points, [0, 10, 20, 30], 2, 0) == [1, 2]


def test_neighbours_in_time_are_not_chosen() -> None:
    points = [[0.0], [5.0], [1.0]]
    assert by_spread([3, 2, 1], points, [0, 10, 50], 3, 20) == [0, 2]


def test_equal_frames_are_chosen_once_and_no_spread_chooses_none() -> None:
    assert by_spread([1, 1, 1], [[0.0], [0.0], [1.0]], [0, 10, 20], 3, 0) == [0, 2]
    assert by_spread([0, 0], [[0.0], [1.0]], [0, 10], 2, 0) == []


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="shapes do not fit"):
        by_spread([1, 2], [[0.0]], [0, 1], 1, 0)
    with pytest.raises(ValueError, match="not finite"):
        by_spread([np.nan], [[0.0]], [0], 1, 0)


@given(st.integers(0, 30), st.integers(0, 10), st.floats(0, 50), st.integers(0, 99))
def test_none_twice_and_all_far_enough_in_time(n: int, count: int, apart: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    times = 7.0 * np.arange(n)
    spread, points = random.random(n), random.random((n, 3))
    for chosen in (
        by_spread(spread, points, times, count, apart),
        at_random(times, count, apart, seed),
    ):
        assert len(chosen) <= count
        assert len(set(chosen)) == len(chosen)
        assert all(np.diff(sorted(times[chosen])) >= apart)
        assert bool(chosen) == bool(n and count)


def test_a_seed_draws_the_same_frames_again() -> None:
    times = np.arange(50.0)
    assert at_random(times, 5, 3, 1) == at_random(times, 5, 3, 1) != at_random(times, 5, 3, 2)
