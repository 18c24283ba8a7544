"""Series whose law is known."""

from __future__ import annotations

import numpy as np
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
