"""Compositions: counts, labels and densities."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilmlip.chemistry.compositions import fraction_label, ideal_volume, ions_of, whole_units
from ilmlip.errors import SpecError

UNITS = {"A": {"EMIM": 1, "PF6": 1}, "B": {"Li": 1, "PF6": 1}, "C": {"Mg": 1, "PF6": 2}}


def counts(salts: tuple[str, str], pairs: int, fraction: float) -> dict[str, int]:
    second = whole_units({salts[1]: fraction}, pairs, "")[salts[1]]
    return ions_of(UNITS, {salts[0]: pairs - second, salts[1]: second})


def test_counts() -> None:
    assert counts(("A", "B"), 5, 0.4) == {"EMIM": 3, "Li": 2, "PF6": 5}
    assert counts(("A", "B"), 5, 1.0) == {"Li": 5, "PF6": 5}
    assert counts(("A", "C"), 4, 0.25) == {"EMIM": 3, "Mg": 1, "PF6": 5}


@given(st.integers(1, 200), st.data())
def test_every_fraction_that_pairs_can_make(pairs: int, data: st.DataObject) -> None:
    second = data.draw(st.integers(0, pairs))
    found = counts(("A", "B"), pairs, second / pairs)
    assert found.get("Li", 0) == second
    assert found.get("EMIM", 0) == pairs - second
    assert found["PF6"] == pairs


@pytest.mark.parametrize("fraction", [0.5, 0.3, 0.39])
def test_a_fraction_that_pairs_cannot_make(fraction: float) -> None:
    with pytest.raises(SpecError, match=r"5 pairs can make 0\.0, 0\.2, 0\.4, 0\.6, 0\.8, 1\.0"):
        counts(("A", "B"), 5, fraction)


@pytest.mark.parametrize("fraction", [-0.2, 1.2])
def test_a_fraction_outside(fraction: float) -> None:
    with pytest.raises(SpecError, match="outside 0–1"):
        counts(("A", "B"), 5, fraction)


def test_labels() -> None:
    assert [fraction_label(x) for x in (0, 0.2, 0.25, 1.0, 1 / 3)] == [
        "0.0", "0.2", "0.25", "1.0", "0.333333",
    ]  # fmt: skip


def test_three_salts_share_their_anion() -> None:
    units = whole_units({"A": 0.5, "B": 0.25, "C": 0.25}, 8, "mix")
    assert ions_of(UNITS, units) == {"EMIM": 4, "Li": 2, "Mg": 2, "PF6": 10}


def test_a_mixture_that_pairs_cannot_make_is_named() -> None:
    with pytest.raises(SpecError, match=r"0\.25 of C in mix of 6 ion pairs is 1\.5 pairs"):
        whole_units({"A": 0.5, "C": 0.25}, 6, "mix")


def test_volume_of_a_mixture_is_that_of_its_salts() -> None:
    mole = 0.6022140857  # formula units in 1e24 cm3 / 1e-24: 1 cm3/mol in units of Å3
    assert ideal_volume([180.1, 65.0], [3, 2]) == pytest.approx((3 * 180.1 + 2 * 65.0) / mole)
