"""Which energies a set of compositions determines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ilmlip.chemistry.rank import coverage, differences, in_span, joining, rank, to_add

CHARGES = {"EMIM": 1, "Li": 1, "PF6": -1, "BF4": -1}


def box(x: float) -> dict[str, int]:
    """Twenty pairs of Li[PF6] in [EMIM][PF6]."""
    n = round(20 * x)
    return {"EMIM": 20 - n, "Li": n, "PF6": 20}


def four(a: int, b: int, c: int, d: int) -> dict[str, int]:
    return {"EMIM": a, "Li": b, "PF6": c, "BF4": d}


def test_two_salts_with_a_common_ion_have_rank_two() -> None:
    tests = [box(i / 10) for i in range(11)]
    assert rank([box(0.4)]) == 1
    assert rank([box(0.4), box(0.6)]) == rank(tests) == 2
    one = coverage([box(0.4)], tests, CHARGES)
    assert one.outside == (0, 1, 2, 3, 5, 6, 7, 8, 9, 10)
    assert one.differences == (("EMIM", "Li"),)
    two = coverage([box(0.4), box(0.6)], tests, CHARGES)
    assert not two.outside and not two.apart and not two.unseen


def test_four_ions_need_three_compositions() -> None:
    """Two cations and two anions: electroneutrality leaves rank 3, not the paper's 4."""
    tests = [four(10, 0, 10, 0), four(0, 10, 10, 0), four(10, 0, 0, 10), four(0, 10, 0, 10)]
    assert rank(tests) == 3
    assert not coverage(tests[:3], tests, CHARGES).outside
    found = coverage([four(5, 5, 5, 5)], tests, CHARGES)
    assert found.needed == 3 and found.differences == (("BF4", "PF6"), ("EMIM", "Li"))


def test_ends_alone_never_join_the_cations() -> None:
    tests = [box(i / 10) for i in range(11)]
    found = coverage([box(0.0), box(1.0)], tests, CHARGES)
    assert not found.outside and found.apart == (("EMIM", "Li"),)
    assert tests[joining([box(0.0), box(1.0)], tests) or 0]["EMIM"] > 0


def test_an_ion_never_trained_on() -> None:
    assert coverage([box(0.0)], [box(0.5)], CHARGES).unseen == ("Li",)


def test_what_to_add_determines_everything() -> None:
    tests = [four(10, 0, 10, 0), four(0, 10, 10, 0), four(5, 5, 5, 5), four(2, 8, 6, 4)]
    training = [four(5, 5, 5, 5)]
    added = [tests[i] for i in to_add(training, tests)]
    assert not coverage([*training, *added], tests, CHARGES).outside
    assert len(added) == rank(tests) - 1


@given(
    st.lists(st.tuples(*[st.integers(0, 9)] * 4), min_size=1, max_size=5),
    st.lists(st.integers(0, 4), min_size=5, max_size=5),
)
def test_combinations_stay_in_the_span(rows: list[tuple[int, ...]], weights: list[int]) -> None:
    """Against the definition: a sum of rows is in their span, and a rank is that of numpy."""
    import numpy as np

    named = [dict(zip("abcd", row, strict=True)) for row in rows]
    total = {k: sum(w * row[k] for w, row in zip(weights, named, strict=False)) for k in "abcd"}
    assert in_span(total, named)
    assert rank(named) == np.linalg.matrix_rank(np.array(rows))


def test_differences_that_compositions_determine() -> None:
    charges = {"Li": 1, "EMIM": 1, "PF6": -1}
    assert differences([box(0.4), box(0.6)], charges) == [{"EMIM": 1, "Li": -1}]
    assert differences([box(0.4)], charges) == []
    rows = [{"Li": 26, "P": 4, "S": 22, "Cl": 2}, {"Li": 24, "P": 4, "S": 20, "Cl": 4}]
    charges = {"Li": 1, "P": 5, "S": -2, "Cl": -1}
    assert differences(rows, charges) == [{"Li": 1, "S": 1, "Cl": -1}]
