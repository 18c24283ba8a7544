"""Radial distributions of ideal gases and crystals, whose shells are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from ilmlip.observables.structure import Rdf, first_shell, rdf

SKEWED = np.array([[13.0, 0, 0], [4.0, 12.0, 0], [-3.0, 4.0, 12.0]])


def gas(seed: int, frames: int, atoms: int, cell: np.ndarray) -> np.ndarray:
    return np.random.default_rng(seed).random((frames, atoms, 3)) @ cell


def rock_salt(frames: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """3 × 3 × 3 cells of edge 5.6 Å about their sites; the first half of the atoms is one kind."""
    fcc = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    corners = np.stack(np.meshgrid(*[np.arange(3)] * 3), axis=-1).reshape(-1, 1, 3)
    one = (corners + fcc).reshape(-1, 3)
    sites = 5.6 * np.concatenate([one, one + np.array([0.5, 0, 0])])
    rng = np.random.default_rng(7)
    return sites + spread * rng.normal(size=(frames, len(sites), 3)), 16.8 * np.eye(3)


@pytest.mark.parametrize("like", [True, False])
def test_an_ideal_gas_is_one_everywhere(like: bool) -> None:
    a = np.arange(30)
    b = a if like else np.arange(30, 50)
    found = rdf(gas(1, 400, 50, SKEWED), SKEWED, a, b, 5.0, bins=20)
    off = (found.g - 1)[3:] / found.error[3:]
    assert np.abs(found.g[5:] - 1).max() < 0.1
    assert np.sqrt(np.mean(off**2)) < 1.5
    inside = found.counts.sum(axis=1).mean()
    expected = (len(b) - like) * 4 / 3 * np.pi * 5**3 / np.linalg.det(SKEWED)
    assert inside == pytest.approx(expected, rel=0.02)


def test_a_gas_in_a_cell_that_breathes() -> None:
    rng = np.random.default_rng(2)
    cells = (1 + 0.05 * rng.normal(size=300))[:, None, None] * SKEWED
    r = np.einsum("fai,fij->faj", rng.random((300, 40, 3)), cells)
    found = rdf(r, cells, np.arange(40), np.arange(40), 4.5, bins=9)
    off = (found.g - 1) / found.error
    assert np.abs(off).max() < 4


def test_shells_of_rock_salt() -> None:
    r, cell = rock_salt(10, 0.1)
    one, other = np.arange(108), np.arange(108, 216)
    unlike = first_shell(rdf(r, cell, one, other, 8.4))
    assert unlike.number.value == pytest.approx(6, abs=1e-3)
    assert unlike.peak == pytest.approx(2.8, abs=0.1)
    assert 2.8 < unlike.minimum < 2.8 * np.sqrt(3)
    like = first_shell(rdf(r, cell, one, one, 8.4))
    assert like.number.value == pytest.approx(12, abs=1e-3)
    assert like.peak == pytest.approx(2.8 * np.sqrt(2), abs=0.1)


def test_pairs_within_an_ion_are_left_out() -> None:
    """Pairs of atoms 1 Å apart in a gas: a peak with them, none without."""
    rng = np.random.default_rng(3)
    first = gas(3, 100, 20, SKEWED)
    way = rng.normal(size=first.shape)
    second = first + way / np.linalg.norm(way, axis=-1, keepdims=True)
    r = np.concatenate([first, second], axis=1)
    ions = np.tile(np.arange(20), 2)
    all_pairs = rdf(r, SKEWED, np.arange(20), np.arange(20, 40), 4.0, bins=16)
    between = rdf(r, SKEWED, np.arange(20), np.arange(20, 40), 4.0, bins=16, ions=ions)
    assert (all_pairs.counts - between.counts).sum(axis=1) == pytest.approx(np.ones(100))
    assert between.g[6:].mean() == pytest.approx(19 / 20, rel=0.1)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 100))
def test_nothing_depends_on_place_direction_and_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    r = gas(seed, 8, 20, SKEWED)
    one = rdf(r, SKEWED, np.arange(12), np.arange(12, 20), 5.0, bins=10)
    turn = Rotation.random(rng=seed).as_matrix()
    order = np.r_[rng.permutation(12), 12 + rng.permutation(8)]
    moved = (r[:, order] + rng.uniform(-50, 50, 3)) @ turn
    other = rdf(moved, SKEWED @ turn, np.arange(12), np.arange(12, 20), 5.0, bins=10)
    np.testing.assert_allclose(other.g, one.g)
    np.testing.assert_allclose(other.counts, one.counts)
    swapped = rdf(r, SKEWED, np.arange(12, 20), np.arange(12), 5.0, bins=10)
    np.testing.assert_allclose(swapped.g, one.g)


def test_refuses() -> None:
    r, a = gas(4, 8, 10, SKEWED), np.arange(10)
    for call, message in (
        (lambda: rdf(r, SKEWED, a, a, 6.5), "half the smallest height"),
        (lambda: rdf(r, SKEWED, a, a[:5], 5), "the same, or share none"),
        (lambda: rdf(r, SKEWED, [], a, 5), "some of 0 to 9"),
        (lambda: rdf(r, SKEWED, [10], a, 5), "some of 0 to 9"),
        (lambda: rdf(r, SKEWED, [0], [0], 5), "0 atoms about each"),
        (lambda: rdf(r[:7], SKEWED, a, a, 5), "at least 8"),
        (lambda: rdf(r * np.nan, SKEWED, a, a, 5), "not finite"),
        (lambda: rdf(r[0], SKEWED, a, a, 5), "shape"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_no_shell() -> None:
    r = np.arange(0.05, 5, 0.1)
    flat = Rdf(r, np.ones(50), np.zeros(50), np.ones((8, 50)))
    with pytest.raises(ValueError, match="no peak"):
        first_shell(flat)
    falling = Rdf(r, np.exp(-((r - 2.5) ** 2) / 4) * 3, np.zeros(50), np.ones((8, 50)))
    with pytest.raises(ValueError, match="no minimum"):
        first_shell(falling)
