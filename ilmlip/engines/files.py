"""Labelled frames from files, whatever ASE reads, in the house's units and signs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ilmlip.chemistry.extxyz import (
    CutError,
    FrameError,
    atoms_of,
    is_extxyz,
    open_text,
    pieces,
    shown,
)
from ilmlip.engines.labelling import Labelled
from ilmlip.engines.native_files import Outcome, outcome
from ilmlip.errors import StageError
from ilmlip.spec.files import Reading
from ilmlip.spec.label_units import energy, force, length, stress

if TYPE_CHECKING:
    from ase import Atoms

Array = NDArray[np.float64]
ORDER = {"xx_yy_zz_yz_xz_xy": [0, 1, 2, 3, 4, 5], "xx_yy_zz_xy_yz_zx": [0, 1, 2, 4, 5, 3]}
"""Where each of xx, yy, zz, yz, xz, xy stands."""
FREE, PLAIN = "free_energy", "energy"
"""ASE's names of the energy that forces derive from, and of one that may be extrapolated."""
EXTXYZ = "extxyz"
SAME = 1e-6
"""How near free_energy and energy are where there is no smearing, in the file's unit."""


@dataclass(frozen=True)
class Imported:
    """One frame of a file: either with a label, or with what is wrong with it."""

    name: str
    """File and number of the frame."""
    atoms: Atoms | None = None
    label: Labelled | None = None
    key: str = ""
    """Where its energy was read; empty if free_energy and energy are both there and the same."""
    fault: str = ""
    """Why there is no label; empty if there is one."""


class LabelError(ValueError):
    """A frame that lacks a label, or has one that is not a number."""


def frames(path: Path, reading: Reading, most: int | None = None) -> Iterator[Imported]:
    """Every frame of a file that is taken, at most `most`.

    Raises StageError for a file that cannot be read to its end.
    """
    number = 0
    try:
        for index, (atoms, fault) in enumerate(_all(path, reading, most)):
            name = f"{path.name}, frame {index} (from 0)"
            if atoms is None or index % reading.stride == 0:
                yield _frame(atoms, reading, name, fault)
                number += 1
            if number == most:
                return
    except StageError:
        raise
    except Exception as error:  # whatever a reader of ASE's meets in a file
        said = " ".join(str(error).split()) or type(error).__name__
        raise StageError(
            f"{path.name} cannot be read{' as ' + reading.format if reading.format else ''}: {said}; "
            "name its format in dft.files.format"
        ) from error


def _all(path: Path, reading: Reading, most: int | None) -> Iterator[tuple[Atoms | None, str]]:
    """Every frame of a file, with what is wrong with it."""
    format = reading.format or _guessed(path)
    if format == EXTXYZ:
        yield from _extxyz(path)
        return
    try:
        said = outcome(path, format)
    except ValueError as error:
        raise StageError(f"{path.name} {error}") from error
    yield from _native(path, format, said, most)


def _guessed(path: Path) -> str:
    from ase.io.formats import filetype

    if is_extxyz(path):
        return EXTXYZ
    try:
        return str(filetype(str(path)))
    except Exception:  # reading it will tell
        return ""


def _extxyz(path: Path) -> Iterator[tuple[Atoms | None, str]]:
    with open_text(path) as lines:
        try:
            for piece in pieces(lines):
                try:
                    yield atoms_of(piece), ""
                except FrameError as error:
                    yield None, str(error)
        except CutError as error:
            yield None, str(error)
        except (ValueError, EOFError, OSError) as error:
            raise StageError(f"{path.name}: {error}. Correct the file there") from error


def _native(
    path: Path, format: str, said: Outcome, most: int | None
) -> Iterator[tuple[Atoms | None, str]]:
    number = 0
    end = min((limit for limit in (most, said.steps) if limit is not None), default=None)
    while end is None or number < end:
        try:
            for atoms in _read(path, format, number, end):
                yield atoms, said.unconverged.get(number, "")
                number += 1
            break
        except Exception:  # a step that stopped may lack what ASE's reader relies on
            if number not in said.unconverged:
                raise
            yield None, said.unconverged[number]
            number += 1
    if most is not None and number >= most:
        return
    if said.cut:
        yield None, said.cut
    elif said.steps is not None and number < said.steps:
        raise StageError(
            f"{path.name} holds {said.steps} steps, and only {number} of them can be read"
        )


def _read(path: Path, format: str, first: int, end: int | None) -> Iterator[Atoms]:
    from ase.io import iread

    index = f"{first}:{'' if end is None else end}"
    yield from iread(str(path), index=index, format=format or None, do_not_split_by_at_sign=True)


def _frame(atoms: Atoms | None, reading: Reading, name: str, fault: str) -> Imported:
    if atoms is None or fault:
        return Imported(name, fault=fault)
    try:
        key, plain, label = _labelled(atoms, reading)
    except LabelError as error:
        return Imported(name, fault=str(error))
    return Imported(name, plain, label, key)


def _labelled(atoms: Atoms, reading: Reading) -> tuple[str, Atoms, Labelled]:
    from ase import Atoms

    there = {**atoms.arrays, **atoms.info, **_results(atoms)}
    key = reading.energy_key or (FREE if FREE in there else PLAIN)
    value = _numbers(there, key, "energy_key")
    if value.size != 1:
        raise LabelError(f"has {value.size} numbers as {key!r} (dft.files.energy_key), not one")
    forces = _numbers(there, reading.forces_key, "forces_key")
    if forces.shape != (len(atoms), 3):
        raise LabelError(
            f"has {reading.forces_key!r} (dft.files.forces_key) of shape {forces.shape} for "
            f"{len(atoms)} atoms"
        )
    size = length(reading.length_unit)
    cell = atoms.cell.array * length(reading.cell_unit or reading.length_unit)
    found = None
    if reading.stress_key is not None:
        six = _numbers(there, reading.stress_key, "stress_key")
        found = _stress(six, reading, abs(float(np.linalg.det(cell))))
    plain = Atoms(
        atoms.get_chemical_symbols(), positions=atoms.positions * size, cell=cell, pbc=atoms.pbc
    )
    if reading.composition_key is not None:
        plain.info["composition"] = _value(there, reading.composition_key, "composition_key")
    unit = energy(reading.energy_unit)
    per_length = force(reading.forces_unit) if reading.forces_unit else unit / size
    if key == FREE and PLAIN in there and not reading.energy_key:
        key = (
            ""
            if abs(value.ravel()[0] - _numbers(there, PLAIN, "energy_key").ravel()[0]) < SAME
            else key
        )
    return key, plain, Labelled(float(value.ravel()[0]) * unit, forces * per_length, found)


def _results(atoms: Atoms) -> dict[str, Any]:
    """What a frame's calculator holds; of GPAW's text output with the free energy, which ASE omits."""
    if atoms.calc is None:
        return {}
    found = {name: value for name, value in atoms.calc.results.items() if value is not None}
    parts = getattr(atoms.calc, "energy_contributions", None)
    if isinstance(parts, dict) and "free energy" in parts and PLAIN in found:
        last = parts.get("extrapolated", parts.get("zero kelvin", parts["free energy"]))
        found.setdefault(FREE, found[PLAIN] + parts["free energy"] - last)
    return found


def _value(there: dict[str, Any], key: str, field: str) -> Any:
    if key not in there:
        known = ", ".join(sorted(k for k in there if k not in ("numbers", "positions")))
        raise LabelError(f"has no {key!r} (dft.files.{field}); there are {known or 'no others'}")
    return there[key]


def _numbers(there: dict[str, Any], key: str, field: str) -> Array:
    """The value of a key as an array. Raises LabelError for one that is not of numbers."""
    value = _value(there, key, field)
    array = np.asarray(value)
    try:
        if array.dtype.kind == "b":
            raise ValueError
        return np.asarray(value, float)
    except (TypeError, ValueError):
        raise LabelError(
            f"has {shown(str(value))} as {key!r} (dft.files.{field}), which is not a number"
        ) from None


def _stress(value: Array, reading: Reading, volume: float) -> Array:
    """(6,): xx, yy, zz, yz, xz, xy, eV/Å³, positive is tension."""
    from ase.stress import full_3x3_to_voigt_6_stress

    if value.size == 9:
        six = np.asarray(full_3x3_to_voigt_6_stress(value.reshape(3, 3)))
    elif value.shape == (6,):
        six = value[ORDER[reading.stress_order]]
    else:
        raise LabelError(
            f"has {value.size} numbers as {reading.stress_key!r} (dft.files.stress_key); six or nine "
            "are expected"
        )
    sign = -1.0 if reading.stress_sign == "compression" else 1.0
    if reading.stress_is == "stress":
        return np.asarray(sign * six * stress(reading.stress_unit))
    if volume <= 0:
        raise LabelError("has no cell, and a virial needs one")
    return np.asarray(sign * six * energy(reading.virial_unit or reading.energy_unit) / volume)
