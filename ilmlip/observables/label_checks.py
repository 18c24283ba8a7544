"""Whether labels can be right: checks of single frames, and the stress against the energy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SAME = 1e-3
"""How far fractional coordinates of one and the same, scaled, structure may differ."""
FEWEST = 5
"""Volumes of one structure that a slope of the energy is taken from."""


def not_finite(*arrays: Array | None) -> bool:
    """Whether any value is no finite number."""
    return not all(np.isfinite(array).all() for array in arrays if array is not None)


def net_force(forces: Array) -> float:
    """The length of the sum of the forces (n, 3), per atom; eV/Å."""
    return float(np.linalg.norm(forces.sum(axis=0)) / len(forces))


def off_median(energies: Sequence[float], groups: Sequence[str]) -> Array:
    """How far each energy is from the median of its group, of those that are numbers."""
    values, found = np.asarray(energies, float), np.zeros(len(energies))
    for group in set(groups):
        mine = np.array([g == group for g in groups])
        known = values[mine & np.isfinite(values)]
        found[mine] = values[mine] - (np.median(known) if len(known) else 0.0)
    return found


@dataclass(frozen=True)
class Slope:
    """Labelled stress against the derivative of the labelled energy, over scaled copies."""

    frames: tuple[int, ...]
    slope: float
    """Of σ against dE/dV: 1 if both are right."""
    offset: float
    """What is left of σ where dE/dV is zero, eV/Å³; Pulay stress stands here."""


def stress_slopes(
    cells: Sequence[Array],
    scaled: Sequence[Array],
    energies: Sequence[float],
    normal: Sequence[float],
) -> list[Slope]:
    """The slope for each structure of which there are isotropically scaled copies.

    `cells` (3, 3) in Å; `scaled`: fractional coordinates (n, 3); `energies` in eV; `normal`: mean
    of the normal stresses in eV/Å³, positive is tension, as dE/dV is.
    """
    found = []
    for frames in _scaled_copies(cells, scaled):
        volumes = np.array([abs(np.linalg.det(cells[i])) for i in frames])
        chosen = np.array([energies[i] for i in frames])
        if len(np.unique(np.round(volumes, 3))) < FEWEST:
            continue
        middle = volumes.mean()
        cubic = np.polyfit((volumes - middle) / middle, chosen - chosen.mean(), 3)
        derivative = np.polyval(np.polyder(cubic), (volumes - middle) / middle) / middle
        slope, offset = np.polyfit(derivative, np.array([normal[i] for i in frames]), 1)
        found.append(Slope(tuple(frames), float(slope), float(offset)))
    return found


def _scaled_copies(cells: Sequence[Array], scaled: Sequence[Array]) -> list[list[int]]:
    """Indices of the frames that are one structure at several volumes.

    Candidates are neighbors in a tree of a few numbers of each frame, so that the time does not grow
    with the number of pairs.
    """
    sizes: dict[int, list[int]] = defaultdict(list)
    for i, inside in enumerate(scaled):
        sizes[len(inside)].append(i)
    groups: list[list[int]] = []
    for members in sizes.values():
        volumes = [abs(np.linalg.det(cells[i])) for i in members]
        if len(np.unique(np.round(volumes, 3))) >= FEWEST:
            groups += _copies_among(members, cells, scaled)
    return [group for group in groups if len(group) >= FEWEST]


def _copies_among(
    members: Sequence[int], cells: Sequence[Array], scaled: Sequence[Array]
) -> list[list[int]]:
    """Groups of scaled copies among frames with the same number of atoms."""
    from scipy.spatial import cKDTree

    shapes = {i: cells[i] / abs(np.linalg.det(cells[i])) ** (1 / 3) for i in members}
    marks, reach = _marks([scaled[i] for i in members]), 2 * np.pi * SAME
    tree = cKDTree(marks)
    place = {i: at for at, i in enumerate(members)}
    groups: list[list[int]] = []
    taken: set[int] = set()
    for i in members:
        if i in taken:
            continue
        near = sorted(tree.query_ball_point(marks[place[i]], reach, p=np.inf))
        group = [
            j
            for j in (members[at] for at in near)
            if j not in taken
            and np.abs(shapes[i] - shapes[j]).max() < SAME
            and _close(scaled[j] - scaled[j][:1], scaled[i] - scaled[i][:1])
        ]
        taken |= set(group)
        groups.append(group)
    return groups


def _marks(scaled: Sequence[Array]) -> Array:
    """Where three atoms are relative to the first, as cosines and sines: (frames, 18)."""
    chosen = np.unique(np.linspace(0, len(scaled[0]) - 1, 4).astype(int))[1:]
    angles = np.array([2 * np.pi * (one[chosen] - one[:1]).ravel() for one in scaled])
    return np.hstack([np.cos(angles), np.sin(angles), np.zeros((len(scaled), 1))])


def _close(some: Array, others: Array) -> bool:
    apart = some - others
    return bool(np.abs(apart - np.round(apart)).max() < SAME)
