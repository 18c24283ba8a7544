"""Packing: nothing overlaps, nothing is lost, nothing repeats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ilmlip.chemistry.ion import CLEARANCE, load_ion
from ilmlip.chemistry.packing import TooTightError, closest_contact, pack
from ilmlip.spec.shipped import shipped

IONS = {
    name: load_ion(shipped("conf") / "ion" / f"{name.lower()}.yaml").geometry()
    for name in ("EMIM", "PF6", "Li")
}


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(0, 6), st.integers(0, 10**6))
def test_no_overlap_and_whole_ions(pairs: int, lithium: int, seed: int) -> None:
    counts = {"EMIM": pairs, "Li": lithium, "PF6": pairs + lithium}
    counts = {name: n for name, n in counts.items() if n}
    packed = pack(counts, IONS, 12.0, seed)
    assert sorted(packed.names) == sorted(n for n, k in counts.items() for _ in range(k))
    sizes = [len(IONS[name].elements) for name in packed.names]
    ids = np.repeat(np.arange(len(sizes)), sizes)
    assert closest_contact(packed.positions, ids.tolist(), packed.length) > CLEARANCE
    start = 0
    for name, size in zip(packed.names, sizes, strict=True):  # rotated, not deformed
        own = packed.positions[start : start + size]
        shape = np.array(IONS[name].positions)
        for a, b in ((own, shape),):
            np.testing.assert_allclose(
                np.linalg.norm(a[:, None] - a[None], axis=2),
                np.linalg.norm(b[:, None] - b[None], axis=2),
                atol=1e-9,
            )
        start += size


def test_seeds_differ_and_repeat() -> None:
    counts = {"EMIM": 3, "Li": 2, "PF6": 5}
    first, same, other = (pack(counts, IONS, 12.0, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.positions, same.positions)
    assert first.names != other.names or not np.allclose(first.positions, other.positions)


def test_chirality_is_kept() -> None:
    """A rotation, never a reflection: the triple product of three bonds keeps its sign."""
    signs = set()
    shape = np.array(IONS["EMIM"].positions)

    def sign(x: np.ndarray) -> float:
        return float(np.sign(np.linalg.det(np.array([x[1] - x[0], x[6] - x[0], x[13] - x[0]]))))

    for seed in range(20):
        signs.add(sign(pack({"EMIM": 1}, IONS, 12.0, seed).positions))
    assert signs == {sign(shape)}


def test_a_grid_too_narrow_says_how_wide() -> None:
    with pytest.raises(TooTightError, match="use at least"):
        pack({"EMIM": 2}, IONS, 5.0, 1)
