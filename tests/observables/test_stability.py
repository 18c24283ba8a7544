"""Bonds that are broken and made on purpose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from ilmlip.observables.stability import Event, radii_sums, stability

CELL = np.array([[15.0, 0, 0], [5.0, 14.0, 0], [-4.0, 5.0, 14.0]])
SYMBOLS = ["P", *["F"] * 6, "C", *["H"] * 4, "Li"]
BONDS = [[0, k] for k in range(1, 7)] + [[7, k] for k in range(8, 12)]
AXES = np.concatenate([np.eye(3), -np.eye(3)])
CORNERS = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)


def liquid(frames: int) -> np.ndarray:
    """PF6, CH4 6 Å away, and Li⁺ at 1.9 Å from a fluorine; all tremble by 0.03 Å."""
    methane = np.array([6.0, 0, 0]) + np.concatenate([[[0.0, 0, 0]], 1.09 * CORNERS])
    still = np.concatenate([[[0.0, 0, 0]], 1.6 * AXES, methane, [[-3.5, 0, 0]]])
    return still + 0.03 * np.random.default_rng(1).normal(size=(frames, *still.shape))


def wrapped(r: np.ndarray) -> np.ndarray:
    inside = (r + 7.0) @ np.linalg.inv(CELL)
    return (inside - np.floor(inside)) @ CELL


def test_an_intact_liquid() -> None:
    found = stability(wrapped(liquid(50)), CELL, SYMBOLS, BONDS)
    assert found.broken == found.formed == ()
    assert found.first is None
    assert found.stable_frames == found.frames == 50


def test_a_bond_that_breaks_for_good() -> None:
    r = liquid(50)
    r[20:, 3] += np.linspace(0, 3.0, 30)[:, None] * [0, 0, 1]
    found = stability(wrapped(r), CELL, SYMBOLS, BONDS)
    expected = np.linalg.norm(r[:, 3] - r[:, 0], axis=1)
    frame = int(np.argmax(expected > 1.5 * radii_sums(SYMBOLS, [[0, 3]])[0]))
    assert [(e.frame, e.atoms, e.until) for e in found.broken] == [(frame, (0, 3), None)]
    assert found.first is not None
    assert found.first.length == pytest.approx(expected[frame])
    assert found.stable_frames == frame


def test_a_bond_that_heals_is_one_event() -> None:
    """Across the limit many times, but whole only below the lower one."""
    r = liquid(40)
    r[:, 3] = r[:, 0] + [0, 0, 1.6]
    normal = radii_sums(SYMBOLS, [[0, 3]])[0]
    r[10:30, 3] = r[10:30, 0] + np.outer(np.tile([1.55, 1.4], 10) * normal, [0, 0, 1])
    found = stability(wrapped(r), CELL, SYMBOLS, BONDS)
    assert [(e.frame, e.until) for e in found.broken] == [(10, 30)]
    r[5, 9] = r[5, 7] + [0, 0, 3.0]
    found = stability(wrapped(r), CELL, SYMBOLS, BONDS)
    assert [(e.frame, e.atoms, e.until) for e in found.broken] == [(5, (7, 9), 6), (10, (0, 3), 30)]
    assert found.first == found.broken[0]


def test_of_bonds_that_break_at_once_the_lasting_one_is_first() -> None:
    r = liquid(20)
    r[5, 9] = r[5, 7] + [0, 0, 4.0]
    r[5:, 3] = r[5:, 0] + [0, 0, 2.9]
    found = stability(wrapped(r), CELL, SYMBOLS, BONDS)
    assert len(found.broken) == 2
    assert found.first is not None
    assert found.first.atoms == (0, 3)


def test_a_proton_that_changes_ions() -> None:
    """It leaves the carbon and binds to a fluorine: one broken, one formed."""
    r = liquid(20)
    r[8:, 8] = r[8:, 1] + [0.92, 0, 0]
    found = stability(wrapped(r), CELL, SYMBOLS, BONDS)
    assert [(e.frame, e.atoms, e.until) for e in found.broken] == [(8, (7, 8), None)]
    assert [(e.frame, e.atoms, e.until) for e in found.formed] == [(8, (1, 8), None)]
    assert found.formed[0].length == pytest.approx(0.92)


def test_a_new_bond_has_hysteresis_too() -> None:
    r = liquid(20)
    normal = radii_sums(SYMBOLS, [[1, 8]])[0]
    r[4:9, 8] = r[4:9, 1] + np.outer(np.array([1.1, 1.3, 1.1, 1.3, 1.3]) * normal, [1, 0, 0])
    found = stability(wrapped(r), CELL, SYMBOLS, BONDS)
    assert [(e.frame, e.until) for e in found.formed] == [(4, 9)]


def test_lithium_forms_no_bonds_and_lengths_of_the_force_field_may_be_given() -> None:
    r = liquid(10)
    r[:, 12] = r[:, 4] - [1.6, 0, 0]
    assert stability(r, CELL, SYMBOLS, BONDS).formed == ()
    short = stability(r, CELL, SYMBOLS, BONDS, np.full(len(BONDS), 1.0))
    assert {e.atoms for e in short.broken} == {(0, k) for k in range(1, 7)}
    assert all(e.frame == 0 for e in short.broken)


def test_single_ions_have_nothing_to_break() -> None:
    assert stability(np.zeros((3, 2, 3)), CELL, ["Li", "Cl"], []).stable_frames == 3


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 100))
def test_nothing_depends_on_place_direction_images_and_order(seed: int) -> None:
    rng, r = np.random.default_rng(seed), liquid(12)
    r[8:, 8] = r[8:, 1] + [0.92, 0, 0]
    one = stability(r, CELL, SYMBOLS, BONDS)
    turn, order = Rotation.random(rng=seed).as_matrix(), rng.permutation(13)
    place = np.argsort(order)
    moved = r + rng.integers(-2, 3, r.shape) @ CELL + rng.uniform(-9, 9, 3)
    bonds = place[np.array(BONDS)]
    other = stability(moved[:, order] @ turn, CELL @ turn, [SYMBOLS[k] for k in order], bonds)

    def seen(events: tuple[Event, ...], names: np.ndarray) -> set[tuple[int, frozenset[int]]]:
        return {(e.frame, frozenset(int(names[a]) for a in e.atoms)) for e in events}

    same = np.arange(13)
    assert seen(other.broken, order) == seen(one.broken, same)
    assert seen(other.formed, order) == seen(one.formed, same)


def test_refuses() -> None:
    r = liquid(3)
    for call, message in (
        (lambda: stability(r[:, :5], CELL, SYMBOLS, BONDS), "13 symbols for 5 atoms"),
        (lambda: stability(r, CELL, SYMBOLS, [[0, 13]]), "bond of an atom"),
        (lambda: stability(r, CELL, ["Xx"] * 13, BONDS), "no such element: Xx"),
        (lambda: stability(r, CELL, SYMBOLS, BONDS, [1.0]), "shape"),
        (lambda: stability(r, CELL, SYMBOLS, BONDS, np.zeros(10)), "above zero"),
        (lambda: stability(r, CELL / 4, SYMBOLS, BONDS), "half the smallest height"),
        (lambda: stability(r * np.nan, CELL, SYMBOLS, BONDS), "not finite"),
        (lambda: stability(r[:0], CELL, SYMBOLS, BONDS), "shape"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
