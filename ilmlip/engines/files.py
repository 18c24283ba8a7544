"""Labelled frames from files, whatever ASE reads, in the house's units and signs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ilmlip.engines.labelling import Labelled
from ilmlip.errors import StageError
from ilmlip.spec.files import Reading
from ilmlip.units import BAR, BOHR, HARTREE, KCAL_PER_MOL, KJ_PER_MOL, RYDBERG

if TYPE_CHECKING:
    from ase import Atoms

Array = NDArray[np.float64]
ENERGY = {"eV": 1.0, "Hartree": HARTREE, "Ry": RYDBERG, "kcal/mol": KCAL_PER_MOL,
          "kJ/mol": KJ_PER_MOL}  # fmt: skip
"""eV in each unit of energy."""
LENGTH = {"Å": 1.0, "Bohr": BOHR, "nm": 10.0}
"""Å in each unit of length."""
STRESS = {"eV/Å³": 1.0, "GPa": 1e4 * BAR, "kbar": 1e3 * BAR, "bar": BAR,
          "Hartree/Bohr³": HARTREE / BOHR**3, "Ry/Bohr³": RYDBERG / BOHR**3}  # fmt: skip
"""eV/Å³ in each unit of stress."""
ORDER = {"xx_yy_zz_yz_xz_xy": [0, 1, 2, 3, 4, 5], "xx_yy_zz_xy_yz_zx": [0, 1, 2, 4, 5, 3]}
"""Where each of xx, yy, zz, yz, xz, xy stands."""


def frames(path: Path, reading: Reading) -> Iterator[tuple[str, Atoms, Labelled]]:
    """Every frame of a file that is taken: file and number, atoms, label. Raises StageError."""
    from ase.io import iread

    try:
        for index, atoms in enumerate(iread(path, index=":", format=reading.format or None)):
            if index % reading.stride == 0:
                name = f"{path.name}, frame {index} (from 0)"
                yield name, *_frame(atoms, reading, name)
    except StageError:
        raise
    except Exception as error:  # whatever a reader of ASE's meets in a file
        said = " ".join(str(error).split()) or type(error).__name__
        raise StageError(
            f"{path.name} cannot be read{' as ' + reading.format if reading.format else ''}: {said}; "
            "name its format in dft.files.format"
        ) from error


def _frame(atoms: Atoms, reading: Reading, name: str) -> tuple[Atoms, Labelled]:
    from ase import Atoms

    there = {**atoms.arrays, **atoms.info, **(atoms.calc.results if atoms.calc else {})}
    energy_unit, length = ENERGY[reading.energy_unit], LENGTH[reading.length_unit]
    energy = float(np.asarray(_value(there, reading.energy_key, name, "energy_key")))
    forces = np.asarray(_value(there, reading.forces_key, name, "forces_key"), float)
    if forces.shape != (len(atoms), 3):
        raise StageError(
            f"{name}: {reading.forces_key!r} is of shape {forces.shape} for {len(atoms)} atoms"
        )
    stress = None
    volume = abs(np.linalg.det(atoms.cell.array)) * length**3
    if reading.stress_key is not None:
        value = np.asarray(_value(there, reading.stress_key, name, "stress_key"), float)
        stress = _stress(value, reading, volume, name)
    plain = Atoms(
        atoms.get_chemical_symbols(),
        positions=atoms.positions * length,
        cell=atoms.cell.array * length,
        pbc=atoms.pbc,
    )
    if reading.composition_key is not None:
        plain.info["composition"] = str(
            _value(there, reading.composition_key, name, "composition_key")
        )
    return plain, Labelled(energy * energy_unit, forces * energy_unit / length, stress)


def _value(there: dict[str, Any], key: str, name: str, field: str) -> Any:
    if key not in there:
        known = ", ".join(sorted(k for k in there if k not in ("numbers", "positions")))
        raise StageError(f"{name} has no {key!r} (dft.files.{field}); there are {known}")
    return there[key]


def _stress(value: Array, reading: Reading, volume: float, name: str) -> Array:
    """(6,): xx, yy, zz, yz, xz, xy, eV/Å³, positive is tension."""
    from ase.stress import full_3x3_to_voigt_6_stress

    if value.size == 9:
        six = np.asarray(full_3x3_to_voigt_6_stress(value.reshape(3, 3)))
    elif value.shape == (6,):
        six = value[ORDER[reading.stress_order]]
    else:
        raise StageError(
            f"{name}: {reading.stress_key!r} has {value.size} numbers; six or nine are expected"
        )
    sign = 1.0 if reading.stress_sign == "tension" else -1.0
    if reading.stress_is == "stress":
        return np.asarray(sign * six * STRESS[reading.stress_unit])
    if volume <= 0:
        raise StageError(f"{name}: a virial needs a cell, and there is none")
    return np.asarray(sign * six * ENERGY[reading.energy_unit] / volume)
