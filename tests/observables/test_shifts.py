import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ilmlip.observables.shifts import count, least_squares

WHOLE = st.integers(0, 30).map(float)


@given(
    arrays(float, st.tuples(st.integers(1, 8), st.just(3)), elements=WHOLE),
    arrays(float, 3, elements=st.floats(-5, 5)),
)
def test_recovers_what_the_frames_determine(counts, energies):
    """The energies of the frames are met exactly, and no norm is spent on free directions."""
    solved = least_squares(counts, counts @ energies, ["A", "B", "C"])
    found = np.array(list(solved.energies.values()))
    np.testing.assert_allclose(counts @ found, counts @ energies, atol=1e-8)
    assert np.linalg.norm(found) <= np.linalg.norm(energies) + 1e-8
    assert solved.rank == np.linalg.matrix_rank(counts)
    assert solved.rms < 1e-8


def test_one_composition_leaves_the_difference_free():
    counts = count([["A"] * 3 + ["B"] * 2 + ["C"] * 5] * 4, ["A", "B", "C"])
    solved = least_squares(counts, np.full(4, -38.0), ["A", "B", "C"])
    assert solved.rank == 1
    # smallest norm: proportional to the counts
    assert solved.energies == pytest.approx({"A": -3.0, "B": -2.0, "C": -5.0})


def test_a_kind_that_no_frame_has_stays_at_zero():
    counts = count([["A"], ["A", "A"]], ["A", "Z"])
    assert least_squares(counts, np.array([1.0, 2.0]), ["A", "Z"]).energies == pytest.approx(
        {"A": 1.0, "Z": 0.0}
    )


@pytest.mark.parametrize(
    ("counts", "energies"),
    [(np.ones((2, 1)), np.ones(3)), (np.ones((2, 2)), np.ones(2)), (np.ones((1, 1)), [np.nan])],
)
def test_refuses_what_does_not_fit(counts, energies):
    with pytest.raises(ValueError, match=r"counts|finite"):
        least_squares(counts, np.array(energies), ["A"])
