"""Which atom of a molecule is which atom of an ion's data: bond graphs laid upon each other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from ilmlip.hashing import digest

Bonds = tuple[tuple[int, int], ...]


@lru_cache(maxsize=4096)
def matching(
    elements: tuple[str, ...], bonds: Bonds, others: tuple[str, ...], their_bonds: Bonds
) -> tuple[int, ...] | None:
    """For each atom of a graph the atom of another that it corresponds to; None if they differ.

    Bonds are pairs of numbers from 0. Atoms that already correspond in their order stay as they are.
    """
    if sorted(elements) != sorted(others) or len(bonds) != len(their_bonds):
        return None
    if elements == others and _as_set(bonds) == _as_set(their_bonds):
        return tuple(range(len(elements)))
    near, theirs = _neighbors(len(elements), bonds), _neighbors(len(others), their_bonds)
    mine, other = _colors(elements, near), _colors(others, theirs)
    if sorted(mine) != sorted(other):
        return None
    return _search(_order(near, mine), near, theirs, mine, other)


def _as_set(bonds: Bonds) -> set[frozenset[int]]:
    return {frozenset(pair) for pair in bonds}


def _neighbors(number: int, bonds: Bonds) -> list[set[int]]:
    found: list[set[int]] = [set() for _ in range(number)]
    for a, b in bonds:
        found[a].add(b)
        found[b].add(a)
    return found


def _colors(elements: Sequence[str], near: Sequence[set[int]]) -> list[str]:
    """A name of each atom's surroundings up to the third bond, the same for atoms that are alike."""
    names = list(elements)
    for _ in range(3):
        names = [
            digest("ilmlip.surroundings", [names[i], sorted(names[j] for j in near[i])])
            for i in range(len(names))
        ]
    return names


def _order(near: Sequence[set[int]], colors: Sequence[str]) -> list[int]:
    """Atoms so that each is bonded to an earlier one, where it can be; the rarest first."""
    rare = sorted(range(len(near)), key=lambda i: (colors.count(colors[i]), colors[i], i))
    found: list[int] = []
    for root in rare:
        queue = [root]
        while queue:
            at = queue.pop(0)
            if at not in found:
                found.append(at)
                queue += sorted(near[at] - set(found), key=rare.index)
    return found


def _search(
    order: Sequence[int],
    near: Sequence[set[int]],
    theirs: Sequence[set[int]],
    mine: Sequence[str],
    other: Sequence[str],
) -> tuple[int, ...] | None:
    """The first assignment that keeps every bond, depth first."""
    chosen: dict[int, int] = {}

    def fits(atom: int, candidate: int) -> bool:
        return (
            mine[atom] == other[candidate]
            and candidate not in chosen.values()
            and all((chosen[b] in theirs[candidate]) == (b in near[atom]) for b in chosen)
        )

    def extend(depth: int) -> bool:
        if depth == len(order):
            return True
        atom = order[depth]
        for candidate in range(len(other)):
            if fits(atom, candidate):
                chosen[atom] = candidate
                if extend(depth + 1):
                    return True
                del chosen[atom]
        return False

    return tuple(chosen[i] for i in range(len(order))) if extend(0) else None
