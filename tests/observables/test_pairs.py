"""Lifetimes of pairs that form and part at known rates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ilmlip.observables.pairs import (
    Lifetime,
    contacts,
    continuous_lifetime,
    intermittent_lifetime,
)

STEP = 5.0  # fs
FORM, PART = 0.01, 0.04  # per step
SHARE = FORM / (FORM + PART)
MEMORY = np.exp(-(FORM + PART))
STAYS = SHARE + (1 - SHARE) * MEMORY


def pairs(seed: int, frames: int, ions: int = 10) -> np.ndarray:
    """Each pair is a process of two states, in equilibrium from the first frame."""
    rng = np.random.default_rng(seed)
    h = np.empty((frames, ions, ions), bool)
    h[0] = rng.random((ions, ions)) < SHARE
    for k in range(1, frames):
        h[k] = rng.random((ions, ions)) < np.where(h[k - 1], STAYS, SHARE * (1 - MEMORY))
    return h


def check(found: list[Lifetime], expected: float) -> None:
    times = np.array([f.time for f in found])
    assert all(f.decayed for f in found)
    assert times[:, 0].mean() == pytest.approx(expected, rel=0.04)
    assert 0.7 < ((times[:, 0] - expected) / times[:, 1]).std() < 1.5
    assert 0.7 < times[:, 1].mean() / times[:, 0].std() < 1.5


def test_two_states_at_known_rates() -> None:
    h = [pairs(seed, 1500) for seed in range(25)]
    # trapezoids of a geometric series; the rates in continuous time give 1/k within a step
    check([continuous_lifetime(x, STEP) for x in h], STEP * (0.5 + STAYS / (1 - STAYS)))
    check([intermittent_lifetime(x, STEP, 200) for x in h], STEP * (0.5 + MEMORY / (1 - MEMORY)))
    by_rates = STEP / (FORM + PART)
    check([intermittent_lifetime(x, STEP, 200) for x in h], by_rates)
    curve = np.mean([intermittent_lifetime(x, STEP, 50).correlation for x in h], axis=0)
    np.testing.assert_allclose(curve, MEMORY ** np.arange(51), atol=0.03)
    curve = np.mean([continuous_lifetime(x, STEP, 50).correlation for x in h], axis=0)
    np.testing.assert_allclose(curve, STAYS ** np.arange(51), atol=0.03)


def test_correlations_are_the_sums_over_all_origins() -> None:
    h = pairs(1, 60, 3)
    inside = h.astype(float)
    again, held = [], []
    for t in range(31):
        origins = inside[: 60 - t].sum()
        again.append((inside[: 60 - t] * inside[t:]).sum() / origins)
        held.append(sum(h[s : s + t + 1].all(axis=0).sum() for s in range(60 - t)) / origins)
    np.testing.assert_allclose(continuous_lifetime(h, STEP, 30).correlation, held)
    found = intermittent_lifetime(h, STEP, 30).correlation
    np.testing.assert_allclose(found, (np.array(again) - h.mean()) / (1 - h.mean()), atol=1e-12)


def test_a_curve_that_is_too_short_says_so() -> None:
    assert not continuous_lifetime(pairs(2, 400), STEP, 10).decayed
    for_ever = np.zeros((50, 3, 3), bool)
    for_ever[:, range(3), range(3)] = True
    found = continuous_lifetime(for_ever, STEP)
    assert not found.decayed
    assert found.time.value == pytest.approx(25 * STEP)


def test_a_gap_ends_the_continuous_one_only() -> None:
    h = np.zeros((100, 2, 20), bool)
    h[:, :, :4] = True
    h[::10, :, :4] = False  # nine frames on, one off
    assert continuous_lifetime(h, 1.0).correlation[9] == 0
    assert intermittent_lifetime(h, 1.0).correlation.min() > 0.7


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 100), st.floats(0.1, 10))
def test_nothing_depends_on_the_order_of_ions(seed: int, factor: float) -> None:
    rng, h = np.random.default_rng(seed), pairs(seed, 200, 4)
    moved = h[:, rng.permutation(4)][:, :, rng.permutation(4)]
    for function in (continuous_lifetime, intermittent_lifetime):
        one, other = function(h, STEP), function(moved, factor * STEP)
        np.testing.assert_allclose(other.time, np.array(one.time) * factor)
        assert other.correlation[0] == pytest.approx(1)


def test_contacts_are_by_nearest_images() -> None:
    cell = np.array([[12.0, 0, 0], [4.0, 11.0, 0], [-3.0, 4.0, 11.0]])
    rng = np.random.default_rng(3)
    some = rng.random((5, 6, 3)) @ cell
    way = rng.normal(size=some.shape)
    way /= np.linalg.norm(way, axis=-1, keepdims=True)
    near = some + 3.9 * way + rng.integers(-2, 3, some.shape) @ cell
    far = some + 4.1 * way + rng.integers(-2, 3, some.shape) @ cell
    diagonal = np.arange(6)
    assert contacts(some, near, cell, 4.0)[:, diagonal, diagonal].all()
    assert not contacts(some, far, cell, 4.0)[:, diagonal, diagonal].all(axis=0).any()
    assert contacts(some, near, cell, 4.0).shape == (5, 6, 6)
    swapped = contacts(near, some, cell, 4.0)
    np.testing.assert_array_equal(swapped.transpose(0, 2, 1), contacts(some, near, cell, 4.0))


def test_refuses() -> None:
    h = pairs(4, 20, 3)
    for call, message in (
        (lambda: continuous_lifetime(h[0], STEP), "true or false"),
        (lambda: continuous_lifetime(h[:0], STEP), "true or false"),
        (lambda: continuous_lifetime(h * np.nan, STEP), "true or false"),
        (lambda: continuous_lifetime(h, 0.0), "step"),
        (lambda: continuous_lifetime(h, STEP, 20), "longest lag of 20"),
        (lambda: continuous_lifetime(h[:, :1], STEP), "at least 2"),
        (lambda: continuous_lifetime(h & False, STEP), "no two ions"),
        (lambda: intermittent_lifetime(h | True, STEP), "every pair"),
        (lambda: contacts(np.zeros((2, 1, 3)), np.zeros((3, 1, 3)), np.eye(3), 0.5), "frames"),
        (lambda: contacts(np.zeros((2, 1, 3)), np.zeros((2, 1, 3)), np.eye(3), 0.6), "half"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
