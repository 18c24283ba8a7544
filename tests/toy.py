"""Small labelled frames of two salts, Li[PF] and K[PF], that cost nothing to make or to learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from ilmlip.stages.base import Given, Inputs

IONS = {"Li": ["Li"], "K": ["K"], "PF": ["P", "F"]}
OFFSET = {"Li": -2.0, "K": -0.5, "PF": -1.0}
"""Energies of the ions, eV, on top of a Lennard-Jones interaction."""


def frame(counts: dict[str, int], seed: int, *, length: float = 9.0) -> Atoms:
    """A random box of ions with energy, forces and stress."""
    rng = np.random.default_rng([seed, *counts.values()])
    names = [name for name, number in counts.items() for _ in range(number)]
    grid = [(i, j, k) for i in range(3) for j in range(3) for k in range(3)]
    places = length / 3 * np.array(grid, float)[rng.permutation(27)[: len(names)]]
    symbols, positions, ids, types = [], [], [], []
    for number, (name, place) in enumerate(zip(names, places, strict=True)):
        for i, symbol in enumerate(IONS[name]):
            symbols.append(symbol)
            positions.append(place + [1.6 * i, 0, 0] + 0.1 * rng.normal(size=3))
            ids.append(number)
            types.append(name)
    atoms = Atoms(symbols, positions=positions, cell=[length] * 3, pbc=True)
    atoms.arrays["ion_id"] = np.array(ids)
    atoms.arrays["ion_type"] = np.array(types)
    return labelled(atoms)


def labelled(atoms: Atoms) -> Atoms:
    """The frame with the energy, forces and stress that these ions have."""
    names = dict(zip(atoms.arrays["ion_id"], atoms.arrays["ion_type"], strict=True)).values()
    atoms.calc = LennardJones(sigma=1.4, epsilon=0.05, rc=4.0)
    energy = atoms.get_potential_energy() + sum(OFFSET[str(name)] for name in names)
    forces, stress = atoms.get_forces(), atoms.get_stress()
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces, stress=stress)
    return atoms


def label(folder: Path, atoms: Atoms, key: str) -> Given:
    """A frame as a label stage leaves it."""
    own = folder / key
    own.mkdir(parents=True)
    write(own / "frame.extxyz", atoms, format="extxyz")
    return Given(key, own, {})


def labels(folder: Path, counts: dict[str, int], number: int, seed: int = 0) -> list[Given]:
    """Several labels of one composition."""
    name = "".join(f"{ion}{n}" for ion, n in counts.items())
    return [
        label(folder, frame(counts, 1000 * seed + i), f"label-{name}-{seed}-{i}")
        for i in range(number)
    ]


def inputs(**roles: Given | list[Given]) -> Inputs:
    return Inputs({r: tuple(g) if isinstance(g, list) else (g,) for r, g in roles.items()})
