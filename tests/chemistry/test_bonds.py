"""Bonds of a box and of the box repeated, wherever its ions are cut by its faces."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import lipf6

from ilmlip.chemistry.bonds import IonBonds, bonds_of, repeated
from ilmlip.observables.periodic import ions_of

IONS = {
    "PF6": IonBonds(
        elements=("P", *["F"] * 6), bonds=tuple((0, i) for i in range(1, 7)), lengths=(1.6,) * 6,
        charge=-1.0,
    ),
    "Li": IonBonds(elements=("Li",), bonds=(), lengths=(), charge=1.0),
}  # fmt: skip


def named(pairs: int = 2):
    atoms = lipf6(pairs)
    atoms.set_array("ion_id", np.repeat(np.arange(2 * pairs), [7, 1] * pairs))
    atoms.set_array("ion_type", np.array((["PF6"] * 7 + ["Li"]) * pairs))
    return atoms


def test_bonds_of_each_ion() -> None:
    bonds, lengths = bonds_of(named(), IONS)
    assert bonds.tolist() == [[0, i] for i in range(1, 7)] + [[8, i] for i in range(9, 15)]
    assert lengths.tolist() == [1.6] * 12
    assert ions_of(16, bonds).tolist() == [0] * 7 + [1] + [2] * 7 + [3]


def test_another_order_is_refused() -> None:
    with pytest.raises(ValueError, match="atoms of PF6 are in another order"):
        bonds_of(named()[[1, 0, *range(2, 16)]], IONS)


@pytest.mark.parametrize("shift", [0.0, 3.3, 6.0])
def test_each_bond_of_the_repeated_box_is_short(shift: float) -> None:
    """The faces cut some ions in two; none of their bonds is between two that are far apart."""
    atoms = named()
    atoms.positions += shift
    atoms.wrap()
    bonds = repeated(atoms, bonds_of(atoms, IONS)[0], (2, 1, 3))
    large = atoms * (2, 1, 3)
    assert len(bonds) == 6 * 12
    distances = [large.get_distance(a, b, mic=True) for a, b in bonds]
    assert distances == pytest.approx([1.6] * len(bonds))
    assert len(set(ions_of(len(large), bonds))) == 6 * 4
