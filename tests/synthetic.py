"""Series whose law is known, and a small box of ions."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from scipy.signal import lfilter


def autoregressive(
    rng: np.random.Generator, shape: tuple[int, ...], phi: float
) -> NDArray[np.float64]:
    """AR(1) series along the last axis, mean 0 and variance 1, in equilibrium from the first number.

    Statistical inefficiency of a long one: (1 + φ)/(1 − φ).
    """
    noise = rng.normal(size=shape) * np.sqrt(1 - phi**2)
    noise[..., 0] /= np.sqrt(1 - phi**2)
    return np.asarray(lfilter([1], [1, -phi], noise, axis=-1))


def lipf6(pairs: int = 2, edge: float = 6.5) -> Atoms:
    """So many Li and PF6, in a row of cubes."""
    out = 1.6 * np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    one = [[edge / 2] * 3, *(out + edge / 2), [0.3, 0.3, 0.3]]
    positions = [np.add(one, (edge * i, 0, 0)) for i in range(pairs)]
    return Atoms(
        "PF6Li" * pairs, np.concatenate(positions), cell=[edge * pairs, edge, edge], pbc=True
    )
