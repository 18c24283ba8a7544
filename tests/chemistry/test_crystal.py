"""Crystals by formula, and their disordered cells."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from ilmlip.chemistry.crystal import Crystal, amounts
from ilmlip.chemistry.disorder import CrowdedError, disordered, distances
from ilmlip.errors import SpecError
from ilmlip.spec.load import load

FORMULAS = {
    "Li6.5PS5.5Cl0.5": {"Cl": 2, "Li": 26, "P": 4, "S": 22},
    "Li6PS5Cl": {"Cl": 4, "Li": 24, "P": 4, "S": 20},
    "Li5.5PS4.5Cl1.5": {"Cl": 6, "Li": 22, "P": 4, "S": 18},
}
"""54, 52 and 50 atoms: the cells of the paper."""


@pytest.fixture(scope="module")
def crystal() -> Crystal:
    found = load(["system=lpscl", "compositions=table_s9", "dft=gfn1_xtb"]).system.crystal
    if found is None:
        raise ValueError("system=lpscl has no crystal")
    return found


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_papers_cells(crystal: Crystal, formula: str) -> None:
    assert crystal.counts(formula, 4) == FORMULAS[formula]
    assert crystal.counts(formula, 32) == {e: 8 * n for e, n in FORMULAS[formula].items()}


@pytest.mark.parametrize(
    ("formula", "units", "said"),
    [
        ("Li6PS5", 4, "carries"),
        ("Li6PS5Br", 4, "holds Br"),
        ("Li6.3PS5.3Cl0.7", 4, "make"),
        ("Li7PS5.5Cl", 4, "too many"),
        ("Li6PS5Cl", 6, "multiple of 4"),
        ("lithium", 4, "no formula"),
    ],
)
def test_what_is_no_cell(crystal: Crystal, formula: str, units: int, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        crystal.counts(formula, units)


def test_amounts_add_up() -> None:
    assert amounts("LiPLi0.5") == {"Li": 1.5, "P": 1.0}


def test_cells_are_as_cubic_as_can_be(crystal: Crystal) -> None:
    assert [crystal.cells(n) for n in (4, 8, 16, 32)] == [
        (1, 1, 1),
        (1, 1, 2),
        (1, 2, 2),
        (2, 2, 2),
    ]
    assert crystal.volume(32) == pytest.approx((2 * crystal.edge) ** 3)


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_cell_is_exact_and_sane(crystal: Crystal, formula: str) -> None:
    counts = crystal.counts(formula, 4)
    for seed in range(20):
        cell = disordered(crystal, counts, (1, 1, 1), seed)
        symbols = np.array(cell.elements)
        assert Counter(cell.elements) == counts
        apart = distances(cell.positions, cell.positions, np.array(cell.lengths))
        np.fill_diagonal(apart, np.inf)
        li = symbols == "Li"
        assert apart[li][:, li].min() > 0.85 * crystal.closest
        assert apart[li][:, ~li].min() > 1.85
        # P–S bonds of PS4 are the shortest of all
        bonds = apart[symbols == "P"][:, symbols == "S"]
        assert apart.min() == pytest.approx(2.06, abs=0.01)
        assert ((bonds < 2.2).sum(axis=1) == 4).all()


def test_a_seed_is_a_cell(crystal: Crystal) -> None:
    counts = crystal.counts("Li6.5PS5.5Cl0.5", 8)
    one, again, other = (disordered(crystal, counts, (1, 1, 2), seed) for seed in (3, 3, 4))
    assert one.elements == again.elements and np.array_equal(one.positions, again.positions)
    assert not np.array_equal(one.positions, other.positions)


def test_sites_are_shared_evenly(crystal: Crystal) -> None:
    """Each of the eight shared sites holds Cl equally often: within five standard errors."""
    counts, number = crystal.counts("Li6PS5Cl", 4), 400
    cells = [disordered(crystal, counts, (1, 1, 1), seed) for seed in range(number)]
    shares = np.mean([np.array(cell.elements[20:28]) == "Cl" for cell in cells], axis=0)
    assert np.abs(shares - 0.5).max() < 5 * 0.5 / np.sqrt(number)
    places = Counter(
        tuple(np.round(p, 2))
        for cell in cells
        for p in cell.positions[np.array(cell.elements) == "Li"]
    )
    taken = np.array(list(places.values())) / number
    assert len(taken) == 48
    assert np.abs(taken - 0.5).max() < 5 * 0.5 / np.sqrt(number)


def test_no_room(crystal: Crystal) -> None:
    with pytest.raises(CrowdedError, match="do not fit"):
        disordered(crystal, {"Li": 90, "P": 4, "S": 20, "Cl": 4}, (1, 1, 1), 1)


def test_each_composition_has_its_own_edge(crystal: Crystal) -> None:
    """Measured where that is known (Li6PS5Cl, 9.85 Å), and in the box, its volume and its key alike."""
    assert crystal.of("Li6PS5Cl").edge == 9.85
    own = crystal.model_copy(update={"edges": {"Li5.5PS4.5Cl1.5": 9.8}})
    found = own.of("Li5.5PS4.5Cl1.5")
    assert found.volume(4) == pytest.approx(9.8**3) and not found.edges
    assert own.of("Li6.5PS5.5Cl0.5").edge == crystal.edge
    cell = disordered(found, found.counts("Li5.5PS4.5Cl1.5", 4), (1, 1, 1), 1)
    assert cell.lengths == (9.8, 9.8, 9.8)
