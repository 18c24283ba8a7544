"""Chemical stability: the bonds of each frame of a trajectory against those the ions should have.

A bond has a normal length: the force field's, or the sum of the covalent radii (`radii_sums`:
Cordero et al., Dalton Trans. 2008, 2832, as ASE tabulates them). It breaks when longer than BREAKS
times that, and is whole again when shorter than HEALS times it; between the two it stays what it was,
so that a vibration across one limit is one event and not many. A new bond between two ions is there
below FORMS times the sum of the covalent radii, and gone beyond PARTS times it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ilmlip.observables.periodic import (
    bond_graph,
    minimum_image,
    neighbours,
    trajectory,
    within_half,
)
from ilmlip.observables.series import finite

Array = NDArray[np.float64]
BREAKS = 1.5
HEALS = 1.25
FORMS = 1.15
PARTS = 1.35


@dataclass(frozen=True)
class Event:
    """A bond that broke, or one that formed between two ions."""

    frame: int
    """The first frame that shows it."""
    atoms: tuple[int, int]
    length: float
    """Distance of the two atoms in that frame, Å."""
    until: int | None
    """The first frame in which it is undone; None if it lasts to the end."""


@dataclass(frozen=True)
class Stability:
    """What happened to the bonds, each list in the order of frames."""

    frames: int
    broken: tuple[Event, ...]
    formed: tuple[Event, ...]

    @property
    def first(self) -> Event | None:
        """The bond that broke first; of several in one frame the one that lasts, then the longest."""
        rank = [(e.frame, e.until is not None, -e.length, e) for e in self.broken]
        return min(rank, key=lambda entry: entry[:3])[3] if rank else None

    @property
    def stable_frames(self) -> int:
        """Frames before the first event of either sort; all of them if there is none."""
        return min([e.frame for e in self.broken + self.formed], default=self.frames)


def radii_sums(symbols: Sequence[str], bonds: ArrayLike) -> Array:
    """Sums of the covalent radii over the bonds (n, 2), Å."""
    radii, pairs = _radii(symbols), np.asarray(bonds, int).reshape(-1, 2)
    bond_graph(len(radii), pairs)
    return np.asarray(radii[pairs].sum(axis=1))


def stability(
    positions: ArrayLike,
    cells: ArrayLike,
    symbols: Sequence[str],
    bonds: ArrayLike,
    lengths: ArrayLike | None = None,
) -> Stability:
    """Bonds that break, and bonds that form between ions, over a trajectory.

    positions (frames, atoms, 3) and cells in Å (`periodic`), nearest images; symbols (atoms,);
    bonds (n, 2): pairs of atoms; lengths (n,): their normal lengths in Å, by default `radii_sums`.
    Ions are what the bonds hold together. Atoms without a bond (Li⁺) form none: they come as near to
    others as a bond's length in any liquid. Events between frames go unseen.
    Raises ValueError as `periodic.trajectory` does, for lengths not above zero, and for a cell too
    small for the nearest images of a broken bond.
    """
    r, h = trajectory(positions, cells)
    if len(symbols) != r.shape[1]:
        raise ValueError(f"{len(symbols)} symbols for {r.shape[1]} atoms")
    pairs = np.sort(np.asarray(bonds, int).reshape(-1, 2), axis=1)
    bond_graph(r.shape[1], pairs)
    normal = radii_sums(symbols, pairs) if lengths is None else np.asarray(lengths, float)
    if not len(pairs):
        return Stability(len(r), (), ())
    normal = finite(normal, "lengths", len(pairs))
    if normal.min() <= 0:
        raise ValueError("lengths must be above zero")
    within_half(h, BREAKS * normal.max())
    return Stability(len(r), _broken(r, h, pairs, normal), _formed(r, h, symbols, pairs))


def _broken(r: Array, h: Array, pairs: NDArray[np.int64], normal: Array) -> tuple[Event, ...]:
    watch = _Watch()
    for frame, (x, cell) in enumerate(zip(r, h, strict=True)):
        vectors = minimum_image(x[pairs[:, 1]] - x[pairs[:, 0]], cell)
        length = np.linalg.norm(vectors, axis=1)
        beyond = {
            _atoms(pairs[k]): float(length[k]) for k in np.flatnonzero(length > BREAKS * normal)
        }
        near = {_atoms(pairs[k]) for k in np.flatnonzero(length < HEALS * normal)}
        watch.see(frame, beyond, near & watch.open.keys())
    return watch.events()


def _formed(
    r: Array, h: Array, symbols: Sequence[str], pairs: NDArray[np.int64]
) -> tuple[Event, ...]:
    from scipy.sparse.csgraph import connected_components

    bonded = np.unique(pairs)
    ions = connected_components(bond_graph(r.shape[1], pairs), directed=False)[1][bonded]
    radii, watch = _radii(symbols)[bonded], _Watch()
    cutoff = PARTS * 2 * radii.max()
    for frame, (x, cell) in enumerate(zip(r, h, strict=True)):
        i, j, d = neighbours(x[bonded], cell, cutoff)
        ratio = d / (radii[i] + radii[j])
        chosen = np.flatnonzero((i < j) & (ions[i] != ions[j]) & (ratio <= PARTS))
        near = {_atoms(bonded[[i[k], j[k]]]): k for k in chosen}
        made = {atoms: float(d[k]) for atoms, k in near.items() if ratio[k] < FORMS}
        watch.see(frame, made, watch.open.keys() - near.keys())
    return watch.events()


class _Watch:
    """Events that are going on, and those that ended."""

    def __init__(self) -> None:
        self.open: dict[tuple[int, int], tuple[int, float]] = {}
        self._ended: list[Event] = []

    def see(
        self, frame: int, begun: dict[tuple[int, int], float], undone: set[tuple[int, int]]
    ) -> None:
        for atoms in undone:
            began, length = self.open.pop(atoms)
            self._ended.append(Event(began, atoms, length, frame))
        for atoms, length in begun.items():
            self.open.setdefault(atoms, (frame, length))

    def events(self) -> tuple[Event, ...]:
        lasting = [Event(began, atoms, d, None) for atoms, (began, d) in self.open.items()]
        return tuple(sorted(self._ended + lasting, key=lambda e: (e.frame, e.atoms)))


def _atoms(pair: NDArray[np.int64]) -> tuple[int, int]:
    return int(pair[0]), int(pair[1])


def _radii(symbols: Sequence[str]) -> Array:
    from ase.data import atomic_numbers, covalent_radii

    unknown = sorted(set(symbols) - set(atomic_numbers))
    if unknown:
        raise ValueError(f"no such element: {', '.join(unknown)}")
    return np.asarray(covalent_radii[[atomic_numbers[s] for s in symbols]])
