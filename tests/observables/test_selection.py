"""Frames chosen from a run."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilmlip.observables.selection import at_random, by_spread, evenly, fingerprint, force_spread


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


def test_the_spread_of_a_force_is_its_standard_deviation_as_a_vector() -> None:
    forces = np.zeros((2, 3, 3))
    forces[:, 1, 0] = [1.0, -1.0]
    forces[:, 2] = [[3.0, 4.0, 0.0], [3.0, 4.0, 0.0]]
    assert force_spread(forces) == pytest.approx([0.0, 1.0, 0.0])
    assert force_spread(forces[:1]) == pytest.approx([0.0, 0.0, 0.0])


def test_a_fingerprint_knows_no_numbering_origin_or_box() -> None:
    random = np.random.default_rng(1)
    symbols, cell = ["Li", "P", "P", "F"], 6.0 * np.eye(3)
    points = 6.0 * random.random((4, 3))
    own = fingerprint(symbols, points, cell)
    assert fingerprint(symbols, points + np.array([1.0, 2.0, 30.0]), cell) == pytest.approx(own)
    assert fingerprint(["Li", "P", "P", "F"], points[[0, 2, 1, 3]], cell) == pytest.approx(own)
    twice = np.concatenate([points, points + np.array([6.0, 0.0, 0.0])])
    assert fingerprint(symbols * 2, twice, np.diag([12.0, 6.0, 6.0])) == pytest.approx(own)
    moved = points + 0.3 * random.random((4, 3))
    assert np.abs(fingerprint(symbols, moved, cell) - own).max() > 1e-3


def test_frames_equally_spaced() -> None:
    assert evenly(10, 5) == [2, 4, 6, 8, 10]
    assert evenly(3, 10) == [1, 2, 3]
    assert evenly(0, 4) == []
