"""Disordered cells of a crystal: elements at random on the sites they share, mobile ions between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ilmlip.chemistry.crystal import Crystal, Site

Array = NDArray[np.float64]
GRID = 0.5
"""Å between the points that are tried for mobile ions beyond the sites."""
CONTACTS = 2.2
"""Å, the usual distance of a mobile cation to whatever is beside it: a little below Li–S."""


class CrowdedError(ValueError):
    """There is no room for all mobile ions."""


@dataclass(frozen=True)
class Cell:
    """One disordered cell of n atoms: the framework's in the order of its sites, then the mobile."""

    elements: tuple[str, ...]
    positions: Array
    """(n, 3), Å."""
    lengths: tuple[float, float, float]
    """Edges of the orthogonal box, Å."""


def disordered(
    crystal: Crystal, counts: Mapping[str, int], repeats: tuple[int, int, int], seed: int
) -> Cell:
    """A box of `repeats` cells that holds `counts` atoms of each element.

    Where elements share sites, each distribution is equally likely. Mobile ions take sites at
    random, none nearer to another than `crystal.closest`; those that find none go where there is
    most room. Raises CrowdedError when there is none.
    """
    rng = np.random.default_rng(seed)
    lengths = np.array(repeats, float) * crystal.edge
    framework = [positions_of(crystal, site, repeats) for site in crystal.sites]
    elements = _framework(crystal, counts, [len(one) for one in framework], rng)
    fixed = np.concatenate(framework)
    mobile = crystal.mobile.elements[0]
    placed = _mobile(crystal, fixed, counts.get(mobile, 0), repeats, lengths, rng)
    return Cell(
        (*elements, *[mobile] * len(placed)),
        np.concatenate([fixed, placed]) % lengths,
        (float(lengths[0]), float(lengths[1]), float(lengths[2])),
    )


def positions_of(crystal: Crystal, site: Site, repeats: tuple[int, int, int]) -> Array:
    """All positions (Å) of a site in the box. Raises ValueError if their number is not as stated."""
    from ase.spacegroup import Spacegroup

    found, _ = Spacegroup(crystal.space_group).equivalent_sites([site.at])
    if len(found) != site.number:
        raise ValueError(
            f"system.crystal: {site.at} stands for {len(found)} sites of space group "
            f"{crystal.space_group}, and {site.number} are stated"
        )
    shifts = np.array([(i, j, k) for i in range(repeats[0]) for j in range(repeats[1])
                       for k in range(repeats[2])])  # fmt: skip
    shifted = np.asarray(found)[None] + shifts[:, None]
    return np.asarray(shifted.reshape(-1, 3) * crystal.edge)


def _framework(
    crystal: Crystal, counts: Mapping[str, int], sizes: list[int], rng: np.random.Generator
) -> list[str]:
    """The element on each site of the framework, those that share theirs in random order."""
    left = dict(counts)
    for site, size in zip(crystal.sites, sizes, strict=True):
        if len(site.elements) == 1:
            left[site.elements[0]] -= size
    pools: dict[tuple[str, ...], list[str]] = {}
    for site in crystal.sites:
        if len(site.elements) > 1 and site.elements not in pools:
            pool = [e for e in sorted(site.elements) for _ in range(left.get(e, 0))]
            pools[site.elements] = [pool[i] for i in rng.permutation(len(pool))]
    found: list[str] = []
    for site, size in zip(crystal.sites, sizes, strict=True):
        if len(site.elements) == 1:
            found += [site.elements[0]] * size
        else:
            found += [pools[site.elements].pop() for _ in range(size)]
    return found


def _mobile(
    crystal: Crystal,
    fixed: Array,
    number: int,
    repeats: tuple[int, int, int],
    lengths: Array,
    rng: np.random.Generator,
) -> Array:
    """Positions of the mobile ions."""
    sites = positions_of(crystal, crystal.mobile, repeats)
    placed = np.empty((0, 3))
    for i in rng.permutation(len(sites)):
        if len(placed) == number:
            break
        if distances(sites[i : i + 1], placed, lengths).min(initial=np.inf) >= crystal.closest:
            placed = np.vstack([placed, sites[i]])
    if len(placed) < number:
        axes = [np.arange(0, length, length / np.ceil(length / GRID)) for length in lengths]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        grid = grid + rng.uniform(0, GRID, 3)
        nearest = distances(grid, fixed, lengths).min(axis=1)
    while len(placed) < number:
        room = np.minimum(
            nearest / CONTACTS, distances(grid, placed, lengths).min(axis=1) / crystal.closest
        )
        if room.max() < 0.85:
            raise CrowdedError(
                f"{number} mobile ions do not fit: {len(placed)} are placed, and the next would be "
                f"{room.max() * CONTACTS:.2f} Å from its neighbours"
            )
        free = np.flatnonzero(room > 0.97 * room.max())
        placed = np.vstack([placed, grid[rng.choice(free)]])
    return placed


def distances(some: Array, others: Array, lengths: Array) -> Array:
    """(n, m) distances in Å between two sets of positions, by the nearest image."""
    apart = some[:, None] - others[None]
    apart -= np.round(apart / lengths) * lengths
    return np.asarray(np.linalg.norm(apart, axis=2))
