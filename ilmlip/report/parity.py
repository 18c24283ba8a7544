"""Predicted against labelled: energies, stress, forces by element, over all test sets of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ilmlip.report.always import always_drawn
from ilmlip.units import MEV

Array = NDArray[np.float64]
BINS = 90
"""Hexagons along the axis of a panel."""


@dataclass(frozen=True)
class Pairs:
    """What a panel shows."""

    title: str
    unit: str
    labelled: Array
    predicted: Array

    def mae(self) -> float:
        """In thousandths of the unit."""
        return float(np.mean(np.abs(self.predicted - self.labelled))) / MEV


def pairs(predictions: Sequence[Mapping[str, Any]]) -> list[Pairs]:
    """Panels of the arrays of several evaluations: energies about their set's mean, and the others."""
    found = []
    energies = [_about_mean(one) for one in predictions]
    found.append(
        Pairs(
            "Energy about its set's mean",
            "eV/atom",
            *(np.concatenate([e[i] for e in energies]) for i in (0, 1)),
        )
    )
    stress = [
        np.concatenate([np.ravel(one[name]) for one in predictions])
        for name in ("stress_reference", "stress")
    ]
    known = np.isfinite(stress[0])
    if known.any():
        found.append(Pairs("Stress", "eV/Å³", stress[0][known], stress[1][known]))
    symbols = np.concatenate([one["symbols"] for one in predictions])
    forces = [
        np.concatenate([one[name] for one in predictions])
        for name in ("forces_reference", "forces")
    ]
    for element in sorted(set(symbols.tolist())):
        own = symbols == element
        found.append(Pairs(f"Forces on {element}", "eV/Å", *(f[own].ravel() for f in forces)))
    return found


def _about_mean(one: Mapping[str, Any]) -> tuple[Array, Array]:
    """Labelled and predicted energy per atom of a set, both less the labels' mean."""
    labelled = one["energy_reference"] / one["n_atoms"]
    return labelled - labelled.mean(), one["energy"] / one["n_atoms"] - labelled.mean()


@always_drawn
def draw(path: Path, panels: Sequence[Pairs], title: str) -> None:
    """Write the figure: counts on a logarithmic scale, and the MAE of each panel."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(4, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(3.1 * columns, 3.2 * rows + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, one in zip(axes, panels, strict=False):
        _panel(axis, one)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    figure.savefig(path, dpi=130, metadata={"Software": None})


def _panel(axis: Any, one: Pairs) -> None:
    known = np.isfinite(one.labelled) & np.isfinite(one.predicted)
    labelled, predicted = one.labelled[known], one.predicted[known]
    axis.set_title(one.title, fontsize=9, loc="left")
    if not known.any():
        axis.text(0.5, 0.5, "No finite values.", transform=axis.transAxes, ha="center")
        return
    low = float(min(labelled.min(), predicted.min()))
    high = float(max(labelled.max(), predicted.max()))
    room = max(0.03 * (high - low), 1e-6 * max(1.0, abs(low), abs(high)))
    low, high = low - room, high + room
    axis.hexbin(
        labelled,
        predicted,
        gridsize=BINS,
        bins="log",
        mincnt=1,
        cmap="cividis",
        linewidths=0.1,
        extent=(low, high, low, high),
    )
    axis.plot([low, high], [low, high], color="#e4572e", linewidth=0.8)
    axis.set_aspect("equal")
    axis.locator_params(nbins=5)
    axis.set_xlabel(f"Label / {one.unit}", fontsize=8)
    axis.set_ylabel(f"Model / {one.unit}", fontsize=8)
    axis.tick_params(labelsize=7)
    axis.text(
        0.04,
        0.95,
        f"MAE {one.mae():.3g} m{one.unit}",
        transform=axis.transAxes,
        va="top",
        fontsize=8,
    )
