"""A configuration of the user's own: what is taken, and what is refused with its reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import write
from synthetic import lipf6

from ilmlip.chemistry.given import configuration
from ilmlip.hashing import file_digest

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
