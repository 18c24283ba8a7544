"""A configuration that a user gives: read, recognised and checked before anything starts from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ilmlip.chemistry import extxyz
from ilmlip.chemistry.boxes import density
from ilmlip.chemistry.connectivity import composition_of, formula_of, ions_in, molecules
from ilmlip.hashing import file_digest

if TYPE_CHECKING:
    from ase import Atoms


def configuration(
    path: Path,
    sha256: str,
    ions: Mapping[str, Sequence[str]],
    composition: Mapping[str, int],
    densities: tuple[float, float],
    bonds: Mapping[str, Sequence[tuple[int, int]]] | None = None,
) -> Atoms:
    """The last frame of a file that ASE reads, with the arrays `ion_id` and `ion_type`.

    ions: the elements of each ion by its name, none for a crystal; composition: the number of each
    ion, of which only the ratios matter; densities: what it may have, g/cm³; bonds: the bonded atoms
    of each ion, by which the atoms of each are brought into the order of its data. Raises ValueError,
    which says what is wrong with the file.
    """
    if file_digest(path) != sha256:
        raise ValueError("is another file than the plan was made of; plan again")
    try:
        atoms: Any = _last(path)
    except Exception as error:  # each format of ASE's fails in its own way
        raise ValueError(f"holds no configuration that ASE reads: {error}") from error
    if not atoms.pbc.all() or atoms.cell.rank < 3:
        raise ValueError("is not periodic in three directions, or has no cell")
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise ValueError("has a value that is not a finite number")
    if ions and bonds:
        atoms = in_order_of_data(atoms, ions, bonds)
    ids, names = ions_in(atoms, ions, bonds)
    if composition_of(names, ids, {"": composition}) is None:
        wanted = ", ".join(f"{n} {name}" for name, n in composition.items() if n)
        there = Counter(dict(zip(ids, names, strict=True)).values())
        raise ValueError(
            f"holds {', '.join(f'{n} {name}' for name, n in sorted(there.items()))} "
            f"({formula_of(atoms.get_chemical_symbols())}), and the composition that is run {wanted}, "
            "or a multiple of it"
        )
    low, high = densities
    if not low <= (found := density(atoms)) <= high:
        raise ValueError(f"has {found:.3g} g/cm³, where runs are from {low:g} to {high:g}")
    bare: Atoms = atoms.copy()
    bare.info, bare.calc = {}, None
    for name in set(bare.arrays) - {"numbers", "positions"}:
        del bare.arrays[name]
    bare.set_array("ion_id", np.array(ids))
    bare.set_array("ion_type", np.array(names))
    return bare


def in_order_of_data(
    atoms: Atoms, ions: Mapping[str, Sequence[str]], bonds: Mapping[str, Sequence[tuple[int, int]]]
) -> Atoms:
    """The atoms with those of each ion in the order of its data; each ion keeps its places.

    Raises UnknownIonError for a molecule whose bonds are those of no ion.
    """
    order = np.arange(len(atoms))
    for _, members in molecules(atoms, ions, bonds):
        order[sorted(members)] = members
    turned: Atoms = atoms[order]
    return turned


def _last(path: Path) -> Atoms:
    """The last frame of a file, which is read to its end."""
    from ase.io import read

    if extxyz.is_extxyz(path):
        *_, last = extxyz.frames(path)
        return last
    found: Any = read(path, index=-1)
    return found  # type: ignore[no-any-return]
