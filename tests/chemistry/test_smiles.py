"""Ions by SMILES: geometry by RDKit, mistakes located, the written file is the same ion."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from ion_data import Change, changed

from ilmlip.chemistry.ion import load_ion
from ilmlip.chemistry.ion_file import write_ion
from ilmlip.errors import SpecError

pytest.importorskip("rdkit", reason="RDKit (the extra `smiles`) is not installed")


def nothing(_data: dict) -> None:
    pass


def test_geometry_and_bonds_come_from_the_smiles(tmp_path: Path) -> None:
    ion = load_ion(changed("acetate", nothing, tmp_path))
    assert ion.bonds == (
        ("C1", "C2"), ("C2", "O1"), ("C2", "O2"), ("C1", "H1"), ("C1", "H2"), ("C1", "H3"),
    )  # fmt: skip
    at = {atom.name: np.array(atom[4:]) for atom in ion.atoms}
    for (a, b), bond in ion.bond_terms():
        assert np.linalg.norm(at[a] - at[b]) == pytest.approx(bond.equilibrium, abs=0.05)
    assert "Geometry: RDKit" in ion.source and ion.source.endswith("CC(=O)[O-].")


def test_the_geometry_is_always_the_same(tmp_path: Path) -> None:
    path = changed("acetate", nothing, tmp_path)
    assert load_ion(path) == load_ion(path)


def test_bonds_may_be_given(tmp_path: Path) -> None:
    bonds = [["C2", "C1"], ["O1", "C2"], ["O2", "C2"], ["H1", "C1"], ["H2", "C1"], ["H3", "C1"]]
    ion = load_ion(changed("acetate", lambda d: d.update(bonds=bonds), tmp_path))
    assert [list(bond) for bond in ion.bonds] == bonds


@pytest.mark.parametrize("name", ["acetate", "emim", "pf6", "li", "c4f9co2"])
def test_the_written_file_is_the_same_ion(name: str, tmp_path: Path) -> None:
    ion = load_ion(changed(name, nothing, tmp_path))
    write_ion(ion, tmp_path / "written.yaml")
    assert load_ion(tmp_path / "written.yaml") == ion
    assert "smiles" not in yaml.safe_load((tmp_path / "written.yaml").read_text(encoding="utf-8"))


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = changed("acetate", nothing, tmp_path)
    before = path.read_text(encoding="utf-8")
    with pytest.raises(SpecError, match="exists"):
        write_ion(load_ion(path), path)
    assert path.read_text(encoding="utf-8") == before


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda d: d["atoms"][2].__setitem__(1, "S"), [": atoms:", "atom 3, O1, is 'S'", "has O"]),
        (lambda d: d.update(smiles="CCC(=O)[O-]"), ["atoms", "atom 3, O1, is 'O'", "C C C O O"]),
        (lambda d: d["atoms"].pop(), ["6 rows", "7 atoms", "C C O O H H H"]),
        (lambda d: d.update(smiles="CC(=O)O"), ["7 rows", "8 atoms"]),
        (lambda d: d.update(charge=1), ["smiles", "-1 e", "charge is 1"]),
        (lambda d: d.update(smiles="CC(=O"), ["smiles", "'CC(=O'", "no SMILES"]),
        (lambda d: d.update(smiles=3), ["smiles", "3 is no SMILES"]),
        (lambda d: d.update(smiles="[Li+].CC(=O)[O-]"), ["smiles", "more than one ion"]),
        (lambda d: d["atoms"][0].extend([0.0, 0.0, 0.0]), ["atoms", "7 values", "Leave out"]),
        (lambda d: d.update(atoms={}), ["atoms", "list of rows"]),
        (lambda d: d.update(bonds=[["C1", "O1"]]), ["bonds", "C1-O1 is no bond of the SMILES"]),
        (lambda d: d.update(bonds=[["C1", "C2"]]), ["bonds", "missing here"]),
        (lambda d: d.update(bonds=3), ["bonds", "pairs of names"]),
        (lambda d: d["dihedral_types"].clear(), ["dihedral_types", "check-ion"]),
    ],
)
def test_mistakes_are_located(change: Change, parts: list[str], tmp_path: Path) -> None:
    path = changed("acetate", change, tmp_path)
    with pytest.raises(SpecError) as error:
        load_ion(path)
    assert error.value.where.startswith(str(path))
    for part in parts:
        assert part in str(error.value)


def test_without_rdkit_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rdkit", None)  # as Python marks what cannot be imported
    with pytest.raises(SpecError, match=r"pip install 'ilmlip\[smiles\]'"):
        load_ion(changed("acetate", nothing, tmp_path))
