"""Compositions: counts, labels and densities."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilmlip.chemistry.compositions import counts_of, fraction_label, ideal_density, set_label
from ilmlip.errors import SpecError

UNITS = {"A": {"EMIM": 1, "PF6": 1}, "B": {"Li": 1, "PF6": 1}, "C": {"Mg": 1, "PF6": 2}}


def test_counts() -> None:
    assert counts_of(UNITS, ("A", "B"), 5, 0.4) == {"EMIM": 3, "Li": 2, "PF6": 5}
    assert counts_of(UNITS, ("A", "B"), 5, 1.0) == {"Li": 5, "PF6": 5}
    assert counts_of(UNITS, ("A", "C"), 4, 0.25) == {"EMIM": 3, "Mg": 1, "PF6": 5}


@given(st.integers(1, 200), st.data())
def test_every_fraction_that_pairs_can_make(pairs: int, data: st.DataObject) -> None:
    second = data.draw(st.integers(0, pairs))
    counts = counts_of(UNITS, ("A", "B"), pairs, second / pairs)
    assert counts.get("Li", 0) == second
    assert counts.get("EMIM", 0) == pairs - second
    assert counts["PF6"] == pairs


@pytest.mark.parametrize("fraction", [0.5, 0.3, 0.39])
def test_a_fraction_that_pairs_cannot_make(fraction: float) -> None:
    with pytest.raises(SpecError, match=r"5 pairs can make 0\.0, 0\.2, 0\.4, 0\.6, 0\.8, 1\.0"):
        counts_of(UNITS, ("A", "B"), 5, fraction, where="compositions.fractions.1")


@pytest.mark.parametrize("fraction", [-0.2, 1.2])
def test_a_fraction_outside(fraction: float) -> None:
    with pytest.raises(SpecError, match="outside 0–1"):
        counts_of(UNITS, ("A", "B"), 5, fraction)


def test_labels() -> None:
    assert [fraction_label(x) for x in (0, 0.2, 0.25, 1.0, 1 / 3)] == [
        "0.0", "0.2", "0.25", "1.0", "0.333333",
    ]  # fmt: skip
    assert set_label([0.6, 0.4]) == "0.4+0.6"


def test_density_of_one_salt_is_mass_over_molar_volume() -> None:
    density = ideal_density({"EMIM": 111.17, "PF6": 144.96}, {"EMIM": 5, "PF6": 5}, [180.1], [5])
    assert density == pytest.approx(256.13 / 180.1, rel=1e-6)
