"""Which energies a set of compositions determines: exact linear algebra over ion counts.

A composition is its number of each ion in a box. A potential can learn the energy of a new one only
if its counts lie in the span of those it was trained on (the paper's C = N − M, as a rank).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import gcd

Counts = Mapping[str, int]


def rank(rows: Sequence[Counts]) -> int:
    """The number of independent rows, computed exactly."""
    return len(_echelon(rows))


def in_span(row: Counts, rows: Sequence[Counts]) -> bool:
    """Whether a row is a linear combination of others."""
    return rank([*rows, row]) == rank(rows)


def _echelon(rows: Sequence[Counts]) -> list[list[Fraction]]:
    """Gaussian elimination; the rows that are not zero."""
    names = sorted({name for row in rows for name in row})
    left = [[Fraction(row.get(name, 0)) for name in names] for row in rows]
    found: list[list[Fraction]] = []
    for column in range(len(names)):
        pivot = next((row for row in left if row[column]), None)
        if pivot is None:
            continue
        left.remove(pivot)
        left = [
            [a - b * row[column] / pivot[column] for a, b in zip(row, pivot, strict=True)]
            for row in left
        ]
        found.append(pivot)
    return found


@dataclass(frozen=True)
class Coverage:
    """What training compositions leave open for tests."""

    rank: int
    """Of the training compositions."""
    needed: int
    """Of the training and test compositions together."""
    outside: tuple[int, ...]
    """Indices of the tests whose energy is not determined."""
    unseen: tuple[str, ...]
    """Species of the tests that no training composition holds."""
    differences: tuple[tuple[str, str], ...]
    """Pairs of species of like charge whose energy difference the tests need and training lacks."""
    apart: tuple[tuple[str, str], ...]
    """Pairs of species that a test holds together and no training composition does."""
    exchange: tuple[tuple[str, int], ...] = ()
    """What the first test outside has more (positive) and less of than the only ratio trained on."""


def coverage(
    training: Sequence[Counts], tests: Sequence[Counts], charges: Mapping[str, int]
) -> Coverage:
    """Compare what is trained on with what is tested."""
    everything = [*training, *tests]
    names = sorted({name for row in everything for name, n in row.items() if n})
    trained = {name for row in training for name, n in row.items() if n}
    differences = [
        (a, b)
        for a, b in combinations(names, 2)
        if charges.get(a) == charges.get(b)
        and {a, b} <= trained
        and in_span({a: 1, b: -1}, everything)
        and not in_span({a: 1, b: -1}, training)
    ]
    outside = tuple(i for i, row in enumerate(tests) if not in_span(row, training))
    return Coverage(
        rank=rank(training),
        needed=rank(everything),
        outside=outside,
        unseen=tuple(name for name in names if name not in trained),
        differences=tuple(differences),
        apart=tuple(sorted(_together(tests) - _together(training))),
        exchange=exchange(training[0], tests[outside[0]])
        if outside and rank(training) == 1
        else (),
    )


def differences(rows: Sequence[Counts], charges: Mapping[str, int]) -> list[dict[str, int]]:
    """The differences of energies that rows of counts determine, as numbers of species.

    Those of two species of like charge; where there is none, that of exchanging species as the rows
    do, with more of them on the positive side: Li + S − Cl.
    """
    names = sorted({name for row in rows for name, n in row.items() if n})
    pairs = [{a: 1, b: -1} for a, b in combinations(names, 2) if charges.get(a) == charges.get(b)]
    if found := [pair for pair in pairs if in_span(pair, rows)]:
        return found
    other = next((row for row in rows[1:] if not in_span(row, rows[:1])), None)
    if other is None:
        return []
    amounts = dict(exchange(rows[0], other))
    sign = 1 if sum(n > 0 for n in amounts.values()) >= sum(n < 0 for n in amounts.values()) else -1
    return [{name: sign * n for name, n in amounts.items()}]


def exchange(trained: Counts, test: Counts) -> tuple[tuple[str, int], ...]:
    """What a composition has more and less of than a multiple of another, in smallest whole numbers.

    The multiple is the one that leaves fewest species: beside Li6.5PS5.5Cl0.5, at equal P, Li6PS5Cl has
    Cl where that has Li and S.
    """
    names = sorted({*trained, *test})
    found: list[dict[str, int]] = []
    for name in (name for name in names if trained.get(name) and test.get(name)):
        # test − (test[name] / trained[name]) × trained, times trained[name]
        left = {n: test.get(n, 0) * trained[name] - test[name] * trained.get(n, 0) for n in names}
        common = gcd(*left.values()) or 1
        found.append({n: value // common for n, value in left.items() if value})
    best = min(found, key=lambda left: (len(left), sum(map(abs, left.values()))), default={})
    return tuple(best.items())


def _together(rows: Sequence[Counts]) -> set[tuple[str, str]]:
    """Pairs of species that some row holds both of."""
    return {pair for row in rows for pair in combinations(sorted(n for n in row if row[n]), 2)}


def to_add(training: Sequence[Counts], candidates: Sequence[Counts]) -> list[int]:
    """Which candidates to train on as well, so that all of them are determined: their indices.

    One after the other, each time that which raises the rank, puts most of the pairs together that
    are trained apart, holds most species, and leaves the problem best conditioned.
    """
    have, found = list(training), list[int]()
    while (before := rank(have)) < rank([*have, *candidates]):
        useful = [i for i, row in enumerate(candidates) if rank([*have, row]) > before]
        best = max(useful, key=lambda i: _worth(have, candidates, i))
        found.append(best)
        have.append(candidates[best])
    return found


def joining(training: Sequence[Counts], candidates: Sequence[Counts]) -> int | None:
    """The candidate that puts most of the pairs together that are trained apart, or None."""
    if not candidates:
        return None
    best = max(range(len(candidates)), key=lambda i: _worth(training, candidates, i))
    return best if _joined(training, candidates, best) else None


def _worth(have: Sequence[Counts], candidates: Sequence[Counts], i: int) -> tuple[int, int, float]:
    """What a candidate is worth as a further training composition."""
    species = sum(1 for number in candidates[i].values() if number)
    return _joined(have, candidates, i), species, _conditioned(have, candidates[i])


def _joined(have: Sequence[Counts], candidates: Sequence[Counts], index: int) -> int:
    apart = _together(candidates) - _together(have)
    return len(apart & _together([candidates[index]]))


def _conditioned(have: Sequence[Counts], row: Counts) -> float:
    """The smallest singular value that counts, of the rows scaled to length one."""
    import numpy as np

    rows = [*have, row]
    names = sorted({name for one in rows for name in one})
    matrix = np.array([[one.get(name, 0) for name in names] for one in rows], dtype=float)
    matrix /= np.linalg.norm(matrix, axis=1)[:, None]
    return round(float(np.linalg.svd(matrix, compute_uv=False)[rank(rows) - 1]), 9)
