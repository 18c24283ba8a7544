"""A configuration of the user's own: what is taken, and what is refused with its reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import write
from synthetic import lipf6

from ilmlip.chemistry.bonds import IonBonds, bonds_of
from ilmlip.chemistry.given import configuration
from ilmlip.hashing import file_digest
from ilmlip.spec.load import load

IONS = {"Li": ("Li",), "PF6": ("P", *["F"] * 6)}
DENSITIES = (0.2, 5.0)


def given(folder: Path, atoms: Atoms, name: str = "a.extxyz", **changes: object) -> Atoms:
    path = folder / name
    write(path, atoms)
    asked: dict[str, object] = {
        "sha256": file_digest(path), "ions": IONS, "composition": {"Li": 1, "PF6": 1},
        "densities": DENSITIES,
    }  # fmt: skip
    return configuration(path, **{**asked, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a.extxyz", "a.cif", "POSCAR", "a.traj"])
def test_the_last_frame_with_its_ions(tmp_path: Path, name: str) -> None:
    atoms = lipf6()
    atoms.set_array("extra", np.arange(len(atoms)))
    found = given(tmp_path, atoms, name)
    assert sorted(set(found.arrays)) == ["ion_id", "ion_type", "numbers", "positions"]
    ions = dict(zip(found.arrays["ion_id"].tolist(), found.arrays["ion_type"], strict=True))
    assert sorted(ions.values()) == ["Li", "Li", "PF6", "PF6"]
    assert found.get_volume() == pytest.approx(atoms.get_volume(), rel=1e-4)


def test_each_atom_of_a_crystal_is_one_of_its_own(tmp_path: Path) -> None:
    atoms = Atoms("LiCl", [[0, 0, 0], [2.5, 0, 0]], cell=[5, 2.6, 2.6], pbc=True)
    found = given(tmp_path, atoms, ions={}, composition={"Li": 4, "Cl": 4})
    assert found.arrays["ion_type"].tolist() == ["Li", "Cl"]


@pytest.mark.parametrize(
    ("atoms", "changes", "part"),
    [
        (lipf6(), {"sha256": "0" * 64}, "another file than the plan was made of"),
        (lipf6(), {"composition": {"Li": 1, "PF6": 2}}, "holds 2 Li, 2 PF6"),
        (lipf6()[:-1], {}, "holds 1 Li, 2 PF6"),
        (lipf6()[1:], {}, "holds a molecule"),
        (lipf6(edge=20.0), {}, "g/cm³, where runs are from 0.2 to 5"),
        (Atoms("Li", [[0, 0, 0]], cell=[3, 3, 3]), {}, "not periodic"),
    ],
)
def test_what_is_refused(
    tmp_path: Path, atoms: Atoms, changes: dict[str, object], part: str
) -> None:
    with pytest.raises(ValueError, match=part):
        given(tmp_path, atoms, **changes)


def test_what_is_no_configuration(tmp_path: Path) -> None:
    path = tmp_path / "a.extxyz"
    path.write_text("7\nhalf a fr", encoding="utf-8")
    with pytest.raises(ValueError, match="no configuration that ASE reads"):
        configuration(path, file_digest(path), IONS, {"Li": 1}, DENSITIES)


SYSTEM = load(["quickstart"]).system
NAMES = {name: ion.geometry().elements for name, ion in SYSTEM.ions.items()}
BONDS = {name: ion.bonded_atoms() for name, ion in SYSTEM.ions.items()}
LENGTHS = {
    name: IonBonds(
        elements=ion.geometry().elements,
        bonds=ion.bonded_atoms(),
        lengths=tuple(term.equilibrium for _, term in ion.bond_terms()),
        charge=ion.charge,
    )
    for name, ion in SYSTEM.ions.items()
}


def emim_pf6(order: list[int] | None = None) -> Atoms:
    """One EMIM, its atoms in another order, and one PF6."""
    cation, anion = (Atoms(NAMES[n], SYSTEM.ions[n].geometry().positions) for n in ("EMIM", "PF6"))
    cation.positions += (5, 6, 6) - cation.positions.mean(axis=0)
    anion.positions += (11, 2, 11) - anion.positions.mean(axis=0)
    atoms = (cation if order is None else cation[order]) + anion
    atoms.set_cell([12.5] * 3)
    atoms.pbc = True
    return atoms


def stretched(atoms: Atoms) -> float:
    """The largest deviation of a bond from its length in the ion's data, as a share."""
    pairs, lengths = bonds_of(atoms, LENGTHS)
    found = [atoms.get_distance(a, b, mic=True) for a, b in pairs]
    return float(np.abs(np.array(found) / lengths - 1).max())


def read_emim(folder: Path, atoms: Atoms) -> Atoms:
    return given(folder, atoms, ions=NAMES, bonds=BONDS, composition={"EMIM": 1, "PF6": 1})


@pytest.mark.parametrize("what", ["hydrogens", "everything", "nothing"])
def test_atoms_of_an_ion_in_another_order(what: str, tmp_path: Path) -> None:
    """Hydrogens exchanged leave the elements as they are, and every bond of them is false."""
    elements = np.array(NAMES["EMIM"])
    order = np.arange(len(elements))
    hydrogens = np.flatnonzero(elements == "H")
    if what == "hydrogens":
        order[hydrogens] = np.roll(hydrogens, 4)
        wrong = emim_pf6(order.tolist())
        wrong.set_array("ion_id", np.repeat([0, 1], [len(elements), 7]))
        wrong.set_array("ion_type", np.repeat(["EMIM", "PF6"], [len(elements), 7]))
        assert stretched(wrong) > 0.5
    elif what == "everything":
        order = np.random.default_rng(2).permutation(len(elements))
    found = read_emim(tmp_path, emim_pf6(order.tolist()))
    assert stretched(found) < 0.15
    assert found.get_chemical_symbols() == [*NAMES["EMIM"], *NAMES["PF6"]]
    if what == "nothing":
        np.testing.assert_allclose(found.positions, emim_pf6().positions, atol=1e-7)


def test_an_isomer_is_no_ion_of_the_data(tmp_path: Path) -> None:
    """A hydrogen moved from the ethyl to the methyl group: the same formula, other bonds."""
    atoms = emim_pf6()
    degree = np.bincount(np.array(BONDS["EMIM"]).ravel())
    hydrogens = [i for i, e in enumerate(NAMES["EMIM"]) if e == "H"]
    carbons = [i for i, e in enumerate(NAMES["EMIM"]) if e == "C"]
    free = next(c for c in carbons if degree[c] == 3)
    moved = next(
        h for h in hydrogens for a, b in BONDS["EMIM"] if h in (a, b) and free not in (a, b)
    )
    center = atoms.positions[: len(NAMES["EMIM"])].mean(axis=0)
    out = atoms.positions[free] - center
    atoms.positions[moved] = atoms.positions[free] + np.cross(
        out, (0.3, 0.5, 1.0)
    ) / np.linalg.norm(np.cross(out, (0.3, 0.5, 1.0)))
    with pytest.raises(ValueError, match="whose bonds are not those of EMIM"):
        read_emim(tmp_path, atoms)


def test_the_last_frame_after_a_blank_line(tmp_path: Path) -> None:
    """ASE stops at the blank line, and gave the frame before it."""
    path = tmp_path / "two.xyz"
    write(path, [lipf6(), lipf6()], format="extxyz")
    text = path.read_text(encoding="utf-8")
    half = len(text) // 2
    later = text[half:].replace("Lattice", "note=last Lattice")
    path.write_text(text[:half] + "\n" + later.replace(" 0.0 ", " 0.01 ", 1), encoding="utf-8")
    found = configuration(path, file_digest(path), IONS, {"Li": 1, "PF6": 1}, DENSITIES)
    assert found.cell.array[0, 1] == pytest.approx(0.01)
