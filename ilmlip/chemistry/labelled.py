"""Labelled configurations as plain arrays, read from extended XYZ."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ilmlip.chemistry import extxyz

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """One configuration with its labels; n atoms."""

    symbols: tuple[str, ...]
    positions: Array
    """(n, 3), Å."""
    cell: Array
    """(3, 3), rows are the lattice vectors, Å; periodic in all of them."""
    energy: float
    """eV."""
    forces: Array
    """(n, 3), eV/Å."""
    ion_ids: NDArray[np.int64]
    """The ion that each atom belongs to, (n,)."""
    ion_types: tuple[str, ...]
    """The name of that ion, for each atom."""
    stress: Array | None = None
    """(6,): xx, yy, zz, yz, xz, xy, eV/Å³, positive is tension; None if the label has none."""

    def __len__(self) -> int:
        return len(self.symbols)

    def ions(self) -> tuple[str, ...]:
        """The name of every ion, one entry an ion."""
        _, first = np.unique(self.ion_ids, return_index=True)
        return tuple(self.ion_types[i] for i in first)

    def formula(self) -> str:
        """Numbers of each element, by the alphabet: C18H33F30Li2N6P5 as C18F30H33Li2N6P5."""
        return "".join(f"{s}{self.symbols.count(s)}" for s in sorted(set(self.symbols)))

    def atoms(self) -> Any:
        """The configuration as ase.Atoms, without its labels."""
        from ase import Atoms

        return Atoms(self.symbols, positions=self.positions, cell=self.cell, pbc=True)


def read_frames(path: Path) -> list[Frame]:
    """Every frame of an extended XYZ file.

    Raises ValueError for a frame that lacks a label, and for a file that holds anything else.
    """
    return [
        frame_of(atoms, f"{path.name}, frame {i} (from 0)")
        for i, atoms in enumerate(extxyz.frames(path))
    ]


def frame_of(atoms: Any, name: str) -> Frame:
    """The frame that ase.Atoms with results hold. Raises ValueError, with `name`, if one is missing."""
    results = atoms.calc.results if atoms.calc is not None else {}
    missing = [name for name in ("energy", "forces") if name not in results]
    missing += [name for name in ("ion_id", "ion_type") if name not in atoms.arrays]
    if missing:
        raise ValueError(f"{name} has no {', '.join(missing)}")
    return Frame(
        symbols=tuple(atoms.get_chemical_symbols()),
        positions=atoms.positions,
        cell=atoms.cell.array,
        energy=float(results["energy"]),
        forces=np.asarray(results["forces"], float),
        ion_ids=np.asarray(atoms.arrays["ion_id"], np.int64),
        ion_types=tuple(str(name) for name in atoms.arrays["ion_type"]),
        stress=np.asarray(results["stress"], float) if "stress" in results else None,
    )
