"""Labels in a wrong unit or with a wrong sign are told from right ones without a reference method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.io import write
from labelled_pairs import import_file, vibrating

from ilmlip.errors import StageError
from ilmlip.observables.consistency import badger, line
from ilmlip.units import BOHR, HARTREE


def turned(
    energy: float = 1.0, force: float = 1.0, stress: float = 1.0, length: float = 1.0
) -> list[Atoms]:
    """The set with each label multiplied, as a file in other units has it."""
    found = []
    for atoms in vibrating():
        one = Atoms(
            atoms.symbols, atoms.positions * length, cell=atoms.cell.array * length, pbc=True
        )
        one.info["e"] = atoms.get_potential_energy() * energy
        one.arrays["f"] = atoms.get_forces() * force
        one.info["s"] = atoms.get_stress(voigt=False) * stress
        found.append(one)
    return found


def said(folder: Path, frames: list[Atoms], **reading: Any) -> list[str]:
    """Warnings of an import; an error as one of them, marked."""
    path = folder / "set.xyz"
    write(path, frames, format="extxyz")
    keys = {"energy_key": "e", "forces_key": "f", "stress_key": "s"}
    try:
        return list(import_file(path, folder / "work", **{**keys, **reading})[0].values["warnings"])
    except StageError as error:
        return [f"refused: {error}"]


VOLUME = 512.0
RIGHT: tuple[tuple[dict[str, float], dict[str, Any]], ...] = (
    ({}, {}),
    ({"energy": 1 / HARTREE, "force": BOHR / HARTREE},
     {"energy_unit": "Hartree", "forces_unit": "Hartree/Bohr"}),
    ({"energy": 2 / HARTREE, "force": 2 * BOHR / HARTREE, "length": 1 / BOHR},
     {"energy_unit": "Ry", "length_unit": "Bohr"}),
    ({"stress": -VOLUME}, {"stress_is": "virial", "stress_sign": "compression"}),
    ({"stress": 160.21766}, {"stress_unit": "GPa"}),
)  # fmt: skip


@pytest.mark.parametrize(("factors", "reading"), RIGHT)
def test_right_declarations_pass_without_a_word(
    factors: dict[str, float], reading: dict[str, Any], tmp_path: Path
) -> None:
    assert said(tmp_path, turned(**factors), **reading) == []


WRONG: tuple[tuple[dict[str, float], dict[str, Any], str], ...] = (
    ({}, {"energy_unit": "Ry"}, "times as stiff as they are"),
    ({}, {"energy_unit": "Ry", "stress_sign": "compression"}, "times as stiff as they are"),
    ({}, {"energy_unit": "Hartree"}, "look like eV/Å"),
    ({}, {"energy_unit": "kcal/mol"}, "look like eV/Å"),
    ({}, {"energy_unit": "Ry", "forces_unit": "eV/Å"}, "energy_unit=eV with forces_unit=eV/Å"),
    ({"energy": 1 / HARTREE, "force": BOHR / HARTREE}, {"energy_unit": "Hartree"},
     "forces_unit=Hartree/Bohr"),
    ({"force": -1}, {}, "opposite of forces"),
    ({}, {"stress_sign": "compression"}, "stress_sign=tension"),
    ({"stress": -1}, {}, "stress_sign=compression"),
    ({"stress": 160.21766}, {}, "stress_unit=GPa"),
    ({"stress": -VOLUME}, {"stress_is": "virial", "stress_sign": "tension"},
     "stress_sign=compression"),
    ({}, {"length_unit": "Bohr", "forces_unit": "eV/Å"}, "nearest neighbor"),
    ({"length": 1 / BOHR}, {}, "none of the ions"),
    ({}, {"cell_unit": "nm"}, "the density is 0.000"),
)  # fmt: skip


@pytest.mark.parametrize(("factors", "reading", "words"), WRONG)
def test_wrong_declarations_are_told(
    factors: dict[str, float], reading: dict[str, Any], words: str, tmp_path: Path
) -> None:
    found = said(tmp_path, turned(**factors), **reading)
    assert words in "; ".join(found)


def test_noise_tells_nothing(tmp_path: Path) -> None:
    """Labels that do not derive from one energy at all: nothing is claimed of units."""
    frames = turned()
    rng = np.random.default_rng(5)
    for atoms in frames:
        noise = rng.normal(0, 0.3, (8, 3))
        atoms.arrays["f"] = noise - noise.mean(axis=0)
    assert said(tmp_path, frames) == []


def test_badgers_rule() -> None:
    """Measured force constants: C–H 4.9, P–F 5.7, S–O (sulfone) 10 mdyn/Å; within a third."""
    for first, second, length, measured in (
        ("H", "C", 1.09, 4.9), ("F", "P", 1.6, 5.7), ("O", "S", 1.44, 10.0),
    ):  # fmt: skip
        constant = badger(first, second, length)
        assert constant is not None
        assert constant / 6.2415 == pytest.approx(measured, rel=0.35)
    assert badger("I", "C", 2.1) is None
    assert line([1, 2], [-2, -4]).slope == -2
