"""A configuration that a user gives: read, recognised and checked before anything starts from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ilmlip.chemistry.boxes import density
from ilmlip.chemistry.connectivity import composition_of, formula_of, ions_in
from ilmlip.hashing import file_digest

if TYPE_CHECKING:
    from ase import Atoms


def configuration(
    path: Path,
    sha256: str,
    ions: Mapping[str, Sequence[str]],
    composition: Mapping[str, int],
    densities: tuple[float, float],
) -> Atoms:
    """The last frame of a file that ASE reads, with the arrays `ion_id` and `ion_type`.

    ions: the elements of each ion by its name, none for a crystal; composition: the number of each
    ion, of which only the ratios matter; densities: what it may have, g/cm³. Raises ValueError, which
    says what is wrong with the file.
    """
    from ase.io import read

    if file_digest(path) != sha256:
        raise ValueError("is another file than the plan was made of; plan again")
    try:
        atoms: Any = read(path, index=-1)
    except Exception as error:  # each format of ASE's fails in its own way
        raise ValueError(f"holds no configuration that ASE reads: {error}") from error
    if not atoms.pbc.all() or atoms.cell.rank < 3:
        raise ValueError("is not periodic in three directions, or has no cell")
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise ValueError("has a value that is not a finite number")
    ids, names = ions_in(atoms, ions)
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
