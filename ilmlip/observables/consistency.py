"""Whether the labels of a set agree with each other, and with what bonds are like.

None of these needs a reference method. Each is a straight line through many frames whose slope is
known to be 1, or near it. A wrong unit or sign changes the slope; where other contributions are
large the correlation is low, and nothing can be said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ilmlip.observables.periodic import ions_of, minimum_image, whole

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


CLOSE = 0.3
"""Å: root mean square displacement up to which ½(F₁ + F₂) is the mean force on the way."""


@dataclass(frozen=True)
class Line:
    """A straight line through points."""

    slope: float
    correlation: float
    points: int


def line(x: ArrayLike, y: ArrayLike) -> Line:
    """The line y = slope · x of points about zero, with their correlation."""
    a, b = np.asarray(x, float).ravel(), np.asarray(y, float).ravel()
    xx, yy, xy = float(a @ a), float(b @ b), float(a @ b)
    if not (len(a) and xx > 0 and yy > 0):
        return Line(float("nan"), 0.0, len(a))
    return Line(xy / xx, xy / np.sqrt(xx * yy), len(a))


def work(
    cells: Sequence[Array],
    positions: Sequence[Array],
    forces: Sequence[Array],
    energies: Sequence[float],
    kinds: Sequence[Hashable],
) -> Line:
    """Energy differences of successive frames against the work −½(F₁ + F₂)·Δr; slope 1.

    Frames of one kind (the same elements in the same order) in the same cell are compared. `cells`
    (3, 3), `positions` (n, 3) in Å, `forces` (n, 3) in eV/Å, `energies` in eV.
    """
    done, gained = [], []
    for i, j in zip(range(len(cells) - 1), range(1, len(cells)), strict=True):
        if kinds[i] != kinds[j] or np.abs(cells[i] - cells[j]).max() > 1e-6:
            continue
        step = minimum_image(positions[j] - positions[i], cells[i])
        if np.sqrt(np.mean(step**2)) > CLOSE:
            continue
        done.append(-0.5 * float(np.sum((forces[i] + forces[j]) * step)))
        gained.append(energies[j] - energies[i])
    return line(done, gained)


def virial(
    cells: Sequence[Array],
    positions: Sequence[Array],
    forces: Sequence[Array],
    stresses: Sequence[Array],
    bonds: Sequence[Whole],
    kinds: Sequence[Hashable],
) -> Line:
    """Changes of the stress against those of the molecules' virial −Σ (r − r̄)⊗F / V; slope 1.

    Vibrations of molecules dominate how the stress changes from frame to frame. Where the cells
    differ the pressure is left out, which follows the volume. `stresses` (6,) in eV/Å³, positive is
    tension; `bonds` (n, 2) each.
    """
    groups: dict[Hashable, list[tuple[Array, Array]]] = defaultdict(list)
    for cell, place, force, stress, pairs, kind in zip(
        cells, positions, forces, stresses, bonds, kinds, strict=True
    ):
        if len(pairs):
            groups[kind].append((_molecular(cell, place, force, pairs), stress))
    x: list[Array] = []
    y: list[Array] = []
    fixed = all(np.abs(cell - cells[0]).max() < 1e-3 for cell in cells)
    for members in groups.values():
        for values, out in ((np.array([a for a, _ in members]), x),
                            (np.array([b for _, b in members]), y)):  # fmt: skip
            if not fixed:
                values[:, :3] -= values[:, :3].mean(axis=1, keepdims=True)
            out.append((values - values.mean(axis=0)).ravel())
    return line(np.concatenate(x), np.concatenate(y)) if x else line([], [])


def _molecular(cell: Array, positions: Array, forces: Array, bonds: Whole) -> Array:
    """(6,): the virial of molecules about their centers by volume; xx, yy, zz, yz, xz, xy."""
    label = ions_of(len(positions), bonds)
    unbroken = whole(positions, cell, bonds)
    sums = np.zeros((label.max() + 1, 3))
    np.add.at(sums, label, unbroken)
    arms = unbroken - (sums / np.bincount(label)[:, None])[label]
    full = -arms.T @ forces / abs(np.linalg.det(cell))
    full = (full + full.T) / 2
    return np.asarray(full.ravel()[[0, 4, 8, 5, 2, 1]])


MDYN = 6.241509
"""eV/Å² in one mdyn/Å."""
NEAREST = {(1, 1): 0.025, (1, 2): 0.335, (1, 3): 0.585, (2, 2): 0.680, (2, 3): 0.900, (3, 3): 1.180}
"""Å: d of Badger's rule by the rows of the periodic table."""


def badger(first: str, second: str, length: float) -> float | None:
    """The force constant of a covalent bond, eV/Å²; None beyond chlorine.

    Badger's rule, k = 1.86 mdyn Å² / (r − d)³ (J. Chem. Phys. 3, 710, 1935).
    """
    from ase.data import atomic_numbers

    rows = sorted(1 if z <= 2 else 2 if z <= 10 else 3 if z <= 18 else 4
                  for z in (atomic_numbers[first], atomic_numbers[second]))  # fmt: skip
    d = NEAREST.get((rows[0], rows[1]))
    if d is None or length < d + 0.2:
        return None
    return 1.86 * MDYN / (length - d) ** 3


def stiffness(
    cells: Sequence[Array],
    positions: Sequence[Array],
    forces: Sequence[Array],
    symbols: Sequence[Sequence[str]],
    bonds: Sequence[Whole],
) -> Line:
    """Forces along the bonds of atoms that have one bond, against those by Badger's rule; slope near 1.

    Lengths and forces are taken about the mean of bonds of one kind: the two elements and the
    number of bonds of the inner atom.
    """
    found: dict[tuple[str, str, int], list[tuple[float, float]]] = defaultdict(list)
    for cell, place, force, names, pairs in zip(
        cells, positions, forces, symbols, bonds, strict=True
    ):
        both = np.concatenate([pairs, pairs[:, ::-1]])
        degree = np.bincount(pairs.ravel(), minlength=len(place))
        ends = both[(degree[both[:, 0]] == 1) & (degree[both[:, 1]] > 1)]
        if not len(ends):
            continue
        arms = minimum_image(place[ends[:, 0]] - place[ends[:, 1]], cell)
        lengths = np.linalg.norm(arms, axis=1)
        pulls = -np.sum(force[ends[:, 0]] * arms, axis=1) / lengths
        for (a, b), length, pull in zip(ends, lengths, pulls, strict=True):
            found[names[a], names[b], int(degree[b])].append((float(length), float(pull)))
    x: list[float] = []
    y: list[float] = []
    for (outer, inner, _), points in found.items():
        values = np.array(points)
        constant = badger(outer, inner, float(values[:, 0].mean()))
        if constant is not None and len(points) > 2:
            about = values - values.mean(axis=0)
            x += list(constant * about[:, 0])
            y += list(about[:, 1])
    return line(x, y)
