"""Which ions a configuration is made of, found from its bonds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import reduce
from math import gcd
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ilmlip.chemistry.isomorphism import matching

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


def ions_in(
    atoms: Atoms,
    ions: Mapping[str, Sequence[str]],
    bonds: Mapping[str, Sequence[tuple[int, int]]] | None = None,
) -> tuple[list[int], list[str]]:
    """The number of the ion that each atom belongs to, and that ion's name.

    `ions`: the elements of each ion by its name; none for a crystal, where each atom is one of its
    own. `bonds`: the bonded atoms of each ion, numbers from 0 in the order of its elements; without
    them only formulas are compared. Elements that only stand alone (Li) are bonded to nothing.
    Raises UnknownIonError.
    """
    symbols = atoms.get_chemical_symbols()
    if not ions:
        return list(range(len(symbols))), symbols
    ids, names = [0] * len(symbols), [""] * len(symbols)
    for number, (name, members) in enumerate(molecules(atoms, ions, bonds)):
        for i in members:
            ids[i], names[i] = number, name
    return ids, names


def molecules(
    atoms: Atoms,
    ions: Mapping[str, Sequence[str]],
    bonds: Mapping[str, Sequence[tuple[int, int]]] | None = None,
) -> list[tuple[str, list[int]]]:
    """The name of each ion of a configuration, and its atoms in the order of the ion's data.

    As `ions_in`; without `bonds` atoms are in the configuration's order.
    """
    symbols = atoms.get_chemical_symbols()
    by_formula: dict[str, list[str]] = {}
    for name, elements in ions.items():
        by_formula.setdefault(formula_of(elements), []).append(name)
    if not bonds and (same := next((n for n in by_formula.values() if len(n) > 1), None)):
        raise UnknownIonError(
            f"{same[0]} and {same[1]} are both {formula_of(ions[same[0]])} and cannot be told apart by "
            "bonds"
        )
    i, j = bonded(atoms, _alone(ions))
    fragment = _fragments(len(symbols), i, j)
    members: dict[int, list[int]] = {}
    for atom, label in enumerate(fragment):
        members.setdefault(label, []).append(atom)
    near: dict[int, list[tuple[int, int]]] = {label: [] for label in members}
    for a, b in zip(i.tolist(), j.tolist(), strict=True):
        if a < b:
            near[fragment[a]].append((a, b))
    return [
        _identified([symbols[k] for k in mine], mine, near[label], by_formula, ions, bonds)
        for label, mine in members.items()
    ]


def _identified(
    elements: Sequence[str],
    members: list[int],
    near: Sequence[tuple[int, int]],
    by_formula: Mapping[str, Sequence[str]],
    ions: Mapping[str, Sequence[str]],
    bonds: Mapping[str, Sequence[tuple[int, int]]] | None,
) -> tuple[str, list[int]]:
    """The ion that a molecule is, and its atoms in the order of the ion's data."""
    formula = formula_of(elements)
    names = by_formula.get(formula, ())
    if not names:
        known = ", ".join(f"{n} ({f})" for f, same in by_formula.items() for n in same)
        raise UnknownIonError(f"holds a molecule {formula}, which is none of the ions {known}")
    if not bonds:
        return names[0], members
    place = {atom: at for at, atom in enumerate(members)}
    here = tuple((place[a], place[b]) for a, b in near)
    for name in names:
        wanted = tuple((int(a), int(b)) for a, b in bonds[name])
        if not wanted and here:
            return name, members  # its data has no bonds to compare with
        order = matching(tuple(ions[name]), wanted, tuple(elements), here)
        if order is not None:
            return name, [members[at] for at in order]
    raise UnknownIonError(
        f"holds a molecule {formula} (atoms {members[0]} to {members[-1]}, from 0) whose bonds are not "
        f"those of {' or '.join(names)}"
    )


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


def _fragments(number: int, i: Pairs, j: Pairs) -> list[int]:
    """The connected part that each atom belongs to."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(i)), (i, j)), shape=(number, number))
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
