"""Nearest images and unwrapped paths, in cells that are skewed and that change."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import autoregressive

from ilmlip.observables import transport
from ilmlip.observables.periodic import (
    barycentric,
    centres,
    images,
    minimum_image,
    neighbours,
    smallest_height,
    trajectory,
    unwrap,
    volumes,
    whole,
)

SKEWED = np.array([[12.0, 0, 0], [5.0, 11.0, 0], [-4.0, 5.0, 10.0]])
CUBE = 10 * np.eye(3)


def wrapped(positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
    inside = positions @ np.linalg.inv(cell)
    return (inside - np.floor(inside)) @ cell


def brute_force(vectors: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Length of the shortest of 125 images."""
    shifts = np.array(list(itertools.product(range(-2, 3), repeat=3))) @ cell
    inside = vectors @ np.linalg.inv(cell)
    near = (inside - np.round(inside)) @ cell
    return np.linalg.norm(near[:, None] + shifts, axis=-1).min(axis=1)


@settings(max_examples=30)
@given(st.integers(0, 1000))
def test_nearest_images_in_a_skewed_cell(seed: int) -> None:
    vectors = np.random.default_rng(seed).uniform(-30, 30, (20, 3))
    found = minimum_image(vectors, SKEWED)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), brute_force(vectors, SKEWED))
    shift = (found - vectors) @ np.linalg.inv(SKEWED)
    np.testing.assert_allclose(shift, np.round(shift), atol=1e-9)


def test_neighbours_are_those_of_all_pairs() -> None:
    r = np.random.default_rng(1).uniform(-20, 20, (40, 3))
    cutoff = smallest_height(SKEWED) / 2
    i, j, d = neighbours(r, SKEWED, cutoff)
    first, second = np.triu_indices(40, 1)
    expected = brute_force(r[second] - r[first], SKEWED)
    np.testing.assert_allclose(np.sort(d[i < j]), np.sort(expected[expected <= cutoff]))
    assert len(d) == 2 * (i < j).sum()
    with pytest.raises(ValueError, match="half the smallest height"):
        neighbours(r, SKEWED, cutoff + 0.01)


def test_heights_and_volumes() -> None:
    assert smallest_height(np.diag([3.0, 5.0, 4.0])) == pytest.approx(3)
    area = np.linalg.norm(np.cross(SKEWED, np.roll(SKEWED, -1, axis=0)), axis=1)
    assert smallest_height(SKEWED) == pytest.approx(volumes(SKEWED) / area.max())


@pytest.mark.parametrize("cell", [CUBE, SKEWED])
def test_a_wrapped_walk_is_unwrapped(cell: np.ndarray) -> None:
    walk = np.cumsum(np.random.default_rng(2).normal(0, 0.5, (300, 12, 3)), axis=0)
    found = unwrap(wrapped(walk, cell), cell)
    np.testing.assert_allclose(found - found[0], walk - walk[0], atol=1e-9)
    again = unwrap(found, cell)
    np.testing.assert_allclose(again, found, atol=1e-9)


def breathing(frames: int, atoms: int, hop: float) -> tuple[np.ndarray, np.ndarray]:
    """A walk in a cell whose edge fluctuates by 1 %: atoms scale with it, hop, and are wrapped."""
    rng = np.random.default_rng(3)
    edges = 10 * (1 + 0.01 * autoregressive(rng, (frames,), 0.9))
    r = np.empty((frames, atoms, 3))
    r[0] = rng.uniform(1, 9, (atoms, 3))
    for k in range(1, frames):
        moved = r[k - 1] * edges[k] / edges[k - 1] + rng.normal(0, hop, (atoms, 3))
        r[k] = moved % edges[k]
    return r, edges[:, None, None] * np.eye(3)


def test_a_cell_that_breathes_adds_no_diffusion() -> None:
    """Counting crossings and multiplying by the cell of the frame adds to the path what it is wide."""
    r, cells = breathing(4000, 20, 0.5)
    found = unwrap(r, cells)
    steps = 1000
    moved = found[steps:] - found[:-steps]
    assert np.mean(moved**2) == pytest.approx(steps * 0.5**2, rel=0.15)
    at_rest, cells = breathing(200, 20, 0.0)
    np.testing.assert_allclose(unwrap(at_rest, cells), at_rest[:1].repeat(200, axis=0), atol=1e-9)


def changing(kind: str, frames: int) -> np.ndarray:
    """Cells (frames, 3, 3) that fluctuate by 1 %: in size, or in each component of a skewed cell."""
    rng = np.random.default_rng(8)
    if kind == "isotropic":
        return (1 + 0.01 * autoregressive(rng, (frames,), 0.9))[:, None, None] * CUBE
    strain = 0.01 * autoregressive(rng, (3, 3, frames), 0.9).transpose(2, 0, 1)
    return np.asarray(SKEWED @ (np.eye(3) + (strain + strain.transpose(0, 2, 1)) / 2))


@pytest.mark.parametrize("kind", ["isotropic", "skewed"])
def test_wrapped_and_unwrapped_positions_give_one_path(kind: str) -> None:
    """Molecules of two atoms in a cell that fluctuates: the same paths, and D, from any images.

    Each frame scales the centres with the cell and adds a hop, as a barostat does; by the end they
    are several cells away.
    """
    frames, hop, rng = 3000, 0.3, np.random.default_rng(9)
    cells = changing(kind, frames)
    hops = rng.normal(0, hop, (frames, 15, 3))
    middle = np.empty((frames, 15, 3))
    middle[0] = rng.uniform(0, 10, (15, 3))
    for k in range(1, frames):
        middle[k] = middle[k - 1] @ np.linalg.inv(cells[k - 1]) @ cells[k] + hops[k]
    arm = rng.normal(size=(frames, 15, 3))
    arm = np.cumsum(0.1 * arm, axis=0) + arm[:1]
    arm *= 0.7 / np.linalg.norm(arm, axis=-1, keepdims=True)
    true = np.stack([middle + arm, middle - arm], axis=2).reshape(frames, 30, 3)
    folded = np.array([wrapped(r, cell) for r, cell in zip(true, cells, strict=True)])
    assert np.abs(true @ np.linalg.inv(cells)).max() > 2  # cells away
    bonds, ids, masses = [[2 * k, 2 * k + 1] for k in range(15)], np.arange(30) // 2, np.ones(30)
    paths = [unwrap(r, cells, bonds) for r in (true, folded)]
    np.testing.assert_allclose(paths[0] - paths[0][0], paths[1] - paths[1][0], atol=1e-8)
    moved = centres(paths[1], ids, masses)
    expected = np.cumsum(np.concatenate([np.zeros((1, 15, 3)), hops[1:]]), axis=0)
    found = [transport.diffusion(r, 1.0).coefficient for r in (moved, expected)]
    assert found[0].value == pytest.approx(found[1].value, rel=0.02)
    assert found[0].error == pytest.approx(found[1].error, rel=0.1)
    # and in each frame whole molecules, at images of where they are
    whole_there = images(folded, cells, bonds)
    off = (whole_there - true) @ np.linalg.inv(cells)
    np.testing.assert_allclose(off, np.round(off), atol=1e-9)
    np.testing.assert_allclose(whole_there[:, ::2] - whole_there[:, 1::2], 2 * arm, atol=1e-9)


def test_frames_too_rare_are_refused() -> None:
    jumps = np.random.default_rng(4).uniform(0, 10, (20, 50, 3))
    with pytest.raises(ValueError, match="frames are too rare"):
        unwrap(jumps, CUBE)


def test_molecules_are_made_whole_and_have_centres() -> None:
    rng = np.random.default_rng(5)
    chain = np.cumsum(np.r_[[[9.0, 9.0, 9.0]], np.tile([[0.9, 0.8, 0.7]], (8, 1))], axis=0)
    bonds = [[k, k + 1] for k in range(8)]
    order = rng.permutation(9)  # bonds need not run along the numbers
    place = np.argsort(order)
    positions, linked = chain[order], place[np.array(bonds)]
    found = whole(wrapped(positions, CUBE), CUBE, linked)
    np.testing.assert_allclose(found - found[0], positions - positions[0], atol=1e-9)
    masses = rng.uniform(1, 20, 10)
    two = np.concatenate([wrapped(positions, CUBE), [[1.0, 2.0, 3.0]]])[None].repeat(2, axis=0)
    mid = centres(unwrap(two, CUBE, linked), [0] * 9 + [1], masses)
    expected = masses[:9] @ found / masses[:9].sum()
    np.testing.assert_allclose(mid, [[expected, [1, 2, 3]]] * 2, atol=1e-9)


def test_the_centre_of_mass_rests_afterwards() -> None:
    rng, masses = np.random.default_rng(6), {"Li": 6.94, "PF6": 144.96}
    paths = {"Li": rng.normal(size=(5, 3, 3)), "PF6": rng.normal(size=(5, 4, 3))}
    found = barycentric(paths, masses)
    total = sum(masses[k] * found[k].sum(axis=1) for k in found)
    np.testing.assert_allclose(total, 0, atol=1e-10)
    np.testing.assert_allclose(
        found["Li"][:, 0] - found["PF6"][:, 0], paths["Li"][:, 0] - paths["PF6"][:, 0]
    )
    with pytest.raises(ValueError, match="masses of"):
        barycentric(paths, {"Li": 6.94})


def test_refuses() -> None:
    r = np.zeros((2, 3, 3))
    for positions, cells, message in (
        (np.zeros((0, 3, 3)), CUBE, "shape"),
        (np.zeros((2, 3)), CUBE, "shape"),
        (r, np.zeros((3, 3, 3)), "shape"),
        (r, np.zeros((3, 3)), "no volume"),
        (r * np.nan, CUBE, "not finite"),
    ):
        with pytest.raises(ValueError, match=message):
            trajectory(positions, cells)
    with pytest.raises(ValueError, match="bond of an atom"):
        unwrap(r, CUBE, [[0, 3]])
    with pytest.raises(ValueError, match="number of its ion"):
        centres(r, [0, 0, 2], [1, 1, 1])
    with pytest.raises(ValueError, match="above zero"):
        centres(r, [0, 0, 1], [1, 1, 0])
