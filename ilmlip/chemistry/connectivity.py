"""Which ions a configuration is made of, found from its bonds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import reduce
from math import gcd
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ase import Atoms

STRETCH = 1.2
"""Atoms are bonded up to this times the sum of their covalent radii."""
SMALL = 300
"""Atoms of a frame whose distances are all computed at once; more take cells of neighbors."""
Pairs = NDArray[np.intp]


class UnknownIonError(ValueError):
    """A molecule that is none of the ions."""


def formula_of(elements: Sequence[str]) -> str:
    """Elements by the alphabet with their numbers: C6H11N2."""
    return "".join(f"{e}{n if n > 1 else ''}" for e, n in sorted(Counter(elements).items()))


def ions_in(atoms: Atoms, ions: Mapping[str, Sequence[str]]) -> tuple[list[int], list[str]]:
    """The number of the ion that each atom belongs to, and that ion's name.

    `ions`: the elements of each ion by its name; none for a crystal, where each atom is one of its
    own. Elements that only stand alone (Li) are bonded to nothing. Raises UnknownIonError.
    """
    symbols = atoms.get_chemical_symbols()
    if not ions:
        return list(range(len(symbols))), symbols
    names: dict[str, str] = {}
    for name, elements in ions.items():
        formula = formula_of(elements)
        if formula in names:
            raise UnknownIonError(
                f"{names[formula]} and {name} are both {formula} and cannot be told apart by bonds"
            )
        names[formula] = name
    fragment = _fragments(atoms, _alone(ions))
    numbers = {label: i for i, label in enumerate(dict.fromkeys(fragment))}
    found: dict[int, str] = {}
    for label, number in numbers.items():
        formula = formula_of([s for s, f in zip(symbols, fragment, strict=True) if f == label])
        if formula not in names:
            known = ", ".join(f"{name} ({formula})" for formula, name in names.items())
            raise UnknownIonError(f"holds a molecule {formula}, which is none of the ions {known}")
        found[number] = names[formula]
    ids = [numbers[label] for label in fragment]
    return ids, [found[i] for i in ids]


def _alone(ions: Mapping[str, Sequence[str]]) -> set[str]:
    """Elements that are in no ion of several atoms."""
    single = {elements[0] for elements in ions.values() if len(elements) == 1}
    return single - {e for elements in ions.values() if len(elements) > 1 for e in elements}


def bonded(atoms: Atoms, alone: set[str] | frozenset[str] = frozenset()) -> tuple[Pairs, Pairs]:
    """The two atoms of every bond, each bond in both directions; elements of `alone` have none."""
    from ase.neighborlist import natural_cutoffs, neighbor_list

    symbols = np.array(atoms.get_chemical_symbols())
    radii = np.array(natural_cutoffs(atoms, mult=STRETCH))
    cell = atoms.cell.array
    if atoms.pbc.all() and 0 < len(atoms) <= SMALL and 4 * radii.max() < _height(cell):
        inside = np.linalg.solve(cell.T, atoms.positions.T).T
        apart = inside[:, None] - inside
        near = np.linalg.norm((apart - np.round(apart)) @ cell, axis=2) < radii[:, None] + radii
        np.fill_diagonal(near, False)
        i, j = np.nonzero(near)
    else:
        i, j = neighbor_list("ij", atoms, radii)
    free = ~np.isin(symbols[i], list(alone)) & ~np.isin(symbols[j], list(alone))
    return i[free], j[free]


def _height(cell: NDArray[np.float64]) -> float:
    """The smallest distance between opposite faces of a cell; zero if it is flat."""
    volume = abs(float(np.linalg.det(cell)))
    areas = [np.linalg.norm(np.cross(cell[k - 2], cell[k - 1])) for k in range(3)]
    return volume / float(max(areas)) if volume else 0.0


def _fragments(atoms: Atoms, alone: set[str]) -> list[int]:
    """The connected part that each atom belongs to."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    i, j = bonded(atoms, alone)
    links = coo_array((np.ones(len(i)), (i, j)), shape=(len(atoms), len(atoms)))
    return [int(label) for label in connected_components(links, directed=False)[1]]


def composition_of(
    names: Sequence[str], ids: Sequence[int], known: Mapping[str, Mapping[str, int]]
) -> str | None:
    """The composition whose ions stand in the ratio that a configuration's do; None if there is none.

    `names`, `ids`: name and number of each atom's ion; `known`: number of each ion by composition.
    """
    kind_of = dict(zip(ids, names, strict=True))
    mine = reduced(Counter(kind_of.values()))
    return next((label for label, counts in known.items() if reduced(counts) == mine), None)


def reduced(counts: Mapping[str, int]) -> dict[str, int]:
    """Numbers divided by what they have in common; zeros are left out."""
    common = reduce(gcd, counts.values(), 0) or 1
    return {name: number // common for name, number in counts.items() if number}
