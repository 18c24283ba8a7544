"""What a run of a model says of the liquid, as the reports take it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Observed:
    """One run: its name, what it is of, its values and its curves."""

    name: str
    about: Mapping[str, Any]
    values: Mapping[str, Any]
    curves: Mapping[str, Array]

    def model(self) -> str:
        """The model and the composition: what several temperatures of a run share."""
        return f"{self.about['model']} seed {self.about['seed']}, x = {self.about['composition']}"

    def ions(self, quantity: str) -> list[str]:
        """Ions (or pairs, joined by _) that have a quantity, such as `diffusion`."""
        start = f"{quantity}_"
        names = [n.removeprefix(start) for n in self.values if n.startswith(start)]
        return [n for n in names if f"{quantity}_{n}_stderr" in self.values]

    def regimes(self) -> list[str]:
        """Ions whose motion was looked at, whatever its regime."""
        names = [n.removeprefix("regime_") for n in self.values if n.startswith("regime_")]
        return [n for n in names if n != "conductivity"]
