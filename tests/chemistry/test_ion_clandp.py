"""FOMIM and C4F9CO2 against the published CL&P force field, read anew from its own file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ilmlip.chemistry.ion import Ion, load_ion
from ilmlip.spec.shipped import shipped

CLANDP = Path(__file__).parents[3] / "shared" / "data" / "forcefield" / "clandp"
C4F9CO2 = ["CO2", "O2F", "O2F", "CFA", "CSF", "FFA", "FFA", "CSF", "F", "F", "CTF", *["F"] * 5]
"""CL&P's types of the anion's atoms, in the order of our file."""
ANALOGY = {
    "CF-CF-CO": [111.1, 527.2],
    "CF-CF-CO-O2": "CT-CT-CO-O2",
    "CO-CF-CF-CF": "CF-CF-CF-CF",
    "CO-CF-CF-F": "F-CF-CF-CF",
}
"""What CL&P does not have: a value (OPLS-AA's CT-CT-CO) or the terms that it was taken from."""

pytestmark = pytest.mark.skipif(
    not CLANDP.is_dir(), reason="the published files (shared/) are not here"
)


def ion(name: str) -> Ion:
    return load_ion(shipped("conf") / "ion" / f"{name}.yaml")


def published() -> dict[str, dict[str, list]]:
    """il.ff by section: atoms by type, terms by their types."""
    found: dict[str, dict[str, list]] = {}
    names = {"BONDS": 2, "ANGLES": 3, "DIHEDRALS": 4, "IMPROPER": 4}
    section = ""
    for line in (CLANDP / "il.ff").read_text(encoding="utf-8").splitlines():
        words = line.split("#")[0].split()
        if len(words) == 1:
            section = words[0]
        elif words and section == "ATOMS":
            found.setdefault(section, {})[words[0]] = [
                words[1],
                *map(float, words[3:4] + words[5:]),
            ]
        elif words:
            n = names[section]
            found.setdefault(section, {})["-".join(words[:n])] = [float(w) for w in words[n + 1 :]]
    return found


def zmat() -> tuple[list[str], set[frozenset[int]], list[list[int]]]:
    """Types, bonds and impropers of the cation, atoms numbered from 0."""
    types, bonds, impropers = [], set(), []
    for line in (CLANDP / "c8fc1im.zmat").read_text(encoding="utf-8").splitlines()[1:]:
        words = line.split()
        if words[:1] == ["connect"]:
            bonds.add(frozenset(int(w) - 1 for w in words[1:]))
        elif words[:1] == ["improper"]:
            impropers.append([int(w) - 1 for w in words[1:]])
        elif len(words) > 1:
            types.append(words[1])
            if len(words) > 2:
                bonds.add(frozenset((len(types) - 1, int(words[2]) - 1)))
    return types, bonds, impropers


def value(table: dict[str, list], key: str) -> list[float]:
    """A term's parameters, forwards or backwards; by analogy where there are none."""
    backwards = "-".join(reversed(key.split("-")))
    given = {k: v for k, v in ANALOGY.items() if k in (key, backwards)}
    assert not given or not {key, backwards} & set(table)  # analogy only where it is needed
    for analogue in given.values():
        return value(table, analogue) if isinstance(analogue, str) else analogue
    return table[key] if key in table else table[backwards]


@pytest.mark.parametrize("name", ["fomim", "c4f9co2"])
def test_values_are_those_of_clandp(name: str) -> None:
    """Atom by atom and term by term."""
    ours, field = ion(name), published()
    types = zmat()[0] if name == "fomim" else C4F9CO2
    kind = {}
    for atom, published_type in zip(ours.atoms, types, strict=True):
        sort, charge, sigma, epsilon = field["ATOMS"][published_type]
        expected = 0.20 if published_type == "CFA" else charge
        assert (atom.type, atom.charge, *ours.lj[atom.type]) == (sort, expected, sigma, epsilon)
        kind[atom.name] = sort
    for section, found in (
        ("BONDS", ours.bond_terms()),
        ("ANGLES", ours.angle_terms()),
        ("DIHEDRALS", ours.dihedral_terms()),
    ):
        for names, parameters in found:
            theirs = value(field[section], "-".join(kind[n] for n in names))
            assert list(parameters) == theirs, names
    for row in ours.impropers:
        centre, *around = (kind[row.k], *sorted((kind[row.i], kind[row.j], kind[row.l])))
        theirs = [
            v for k, v in field["IMPROPER"].items()
            if (p := k.split("-"))[2] == centre and sorted((p[0], p[1], p[3])) == around
        ]  # fmt: skip
        assert theirs == [[0.0, row.v2, 0.0, 0.0]]


def test_fomim_has_the_published_bonds_and_impropers() -> None:
    ours, (_, bonds, impropers) = ion("fomim"), zmat()
    number = {atom.name: i for i, atom in enumerate(ours.atoms)}
    assert {frozenset((number[a], number[b])) for a, b in ours.bonds} == bonds
    assert [[number[n] for n in row[:4]] for row in ours.impropers] == impropers


def test_the_anions_one_improper_holds_its_carboxylate() -> None:
    (row,) = ion("c4f9co2").impropers
    assert (row.i, row.j, row.k, row.l) == ("C2", "O1", "C1", "O2")


@pytest.mark.parametrize("name", ["fomim", "c4f9co2", "bmim", "bf4", "ntf2"])
def test_charges_sum_exactly(name: str) -> None:
    from decimal import Decimal

    found = ion(name)
    assert sum(Decimal(str(atom.charge)) for atom in found.atoms) == found.charge
    assert np.isfinite([atom[4:] for atom in found.atoms]).all()
