"""The force field: exact charges, house units, every term of every ion in its box."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from ilmlip.chemistry.forcefield import exact_sum, scaled_forcefield, topology
from ilmlip.chemistry.ion import Ion, load_ion
from ilmlip.spec.shipped import shipped


def ion(name: str) -> Ion:
    return load_ion(shipped("conf") / "ion" / f"{name}.yaml")


@pytest.mark.parametrize("scale", [0.7, 0.8, 1.0])
def test_scaled_charges_sum_exactly(scale: float) -> None:
    ions = {"EMIM": ion("emim"), "PF6": ion("pf6"), "Li": ion("li")}
    forcefield = scaled_forcefield(ions, scale)
    for name, terms in forcefield.ions.items():
        assert exact_sum(terms.charges) == Decimal(str(scale)) * ions[name].charge
    box = topology(forcefield, ["Li", "PF6", "EMIM", "PF6"] * 100)
    assert exact_sum(box.charges.tolist()) == 0


def test_the_topology_numbers_atoms_through() -> None:
    forcefield = scaled_forcefield({"PF6": ion("pf6"), "Li": ion("li")}, 1.0)
    box = topology(forcefield, ["Li", "PF6", "PF6"])
    assert box.elements == ("Li", *(("P",) + ("F",) * 6) * 2)
    assert [t[:2] for t in box.bonds] == [(1, i) for i in range(2, 8)] + [
        (8, i) for i in range(9, 15)
    ]
    assert box.ion_id.tolist() == [0] + [1] * 7 + [2] * 7
    assert box.ion_type == ("Li",) + ("PF6",) * 14


def test_values_are_in_house_units() -> None:
    terms = scaled_forcefield({"PF6": ion("pf6")}, 0.8).ions["PF6"]
    ev = 96.48533212331  # kJ/mol in one eV
    assert terms.bonds[0] == pytest.approx((0, 1, 1.606, 3100 / ev))
    assert terms.angles[0][3:] == pytest.approx((90.0, 1165 / ev))
    assert (terms.sigmas[0], terms.epsilons[0]) == pytest.approx((3.74, 0.837 / ev))
    assert terms.charges[:2] == (1.072, -0.312)
    assert terms.masses[:2] == (30.974, 18.998)


def test_a_box_holds_each_ions_terms_once() -> None:
    forcefield = scaled_forcefield({"EMIM": ion("emim"), "PF6": ion("pf6")}, 0.8)
    emim, pf6 = forcefield.ions["EMIM"], forcefield.ions["PF6"]
    box = topology(forcefield, ["PF6", "EMIM", "EMIM"])
    for kind in ("bonds", "angles", "dihedrals", "impropers"):
        expected = len(getattr(pf6, kind)) + 2 * len(getattr(emim, kind))
        assert len(getattr(box, kind)) == expected
    ids = np.array(box.ion_id)
    for term in box.dihedrals:
        assert len(set(ids[list(term[:4])])) == 1
