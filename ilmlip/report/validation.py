"""Errors of models in their own dynamics: a table beside those in testing, and energies over time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ilmlip.grammar import counted
from ilmlip.report.always import always_drawn
from ilmlip.report.dataset import markdown
from ilmlip.report.heatmap import three_digits
from ilmlip.units import MEV

TABLE, PAGE, FIGURE = "validation.csv", "validation.md", "validation.png"
MOST = 9
"""Runs that the figure shows."""
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Validated:
    """One run whose frames were labelled."""

    name: str
    about: Mapping[str, Any]
    errors: Mapping[str, tuple[float, float]]
    """By quantity: in dynamics and in testing, meV/atom, meV/Å, meV/Å³."""
    times: Array
    """(frames,), fs."""
    reference: Array
    """(frames,), eV/atom."""
    error: Array
    """(frames,): model less reference, eV/atom."""

    def ratio(self, quantity: str) -> float:
        """The error in dynamics over that in testing; infinite where the latter is zero."""
        ours, testing = self.errors[quantity]
        return ours / testing if testing else math.inf


def ratios(found: Sequence[Validated]) -> dict[str, float]:
    """Medians over the runs of the error in dynamics over that in testing."""
    names = {
        "energy_ratio": "energy_mae",
        "energy_about_mean_ratio": "energy_mae_about_mean",
        "force_ratio": "force_mae",
    }
    return {
        ratio: float(np.median([one.ratio(name) for one in found]))
        for ratio, name in names.items()
        if found
    }


def page(found: Sequence[Validated], lacking: int) -> str:
    """What is to be believed, for people: the headline, and a line a run."""
    rows = []
    for one in found:
        cells = [one.name, str(len(one.times))]
        for name in ("energy_mae", "energy_mae_about_mean", "force_mae"):
            ours, testing = map(three_digits, one.errors[name])
            cells.append(f"{ours} ({testing}), × {one.ratio(name):.2g}")
        cells.append(f"{float(one.error.mean()) / MEV:+.3g}")
        rows.append(cells)
    head = ["run", "frames", "energy, meV/atom", "energy less its mean shift, meV/atom"]
    head += ["forces, meV/Å", "mean shift, meV/atom"]
    said = "No run has labelled frames."
    if over := ratios(found):
        said = (
            f"**The error in MD is × {over['force_ratio']:.2g} of the error in testing for forces, "
            f"× {over['energy_ratio']:.2g} for energies** (medians over the runs)."
        )
    left = f"\n{counted(lacking, 'run', 'has')} no labelled frames.\n" if lacking else ""
    return (
        f"# Models in their own dynamics\n\n{said}\n\nFrames of each run, labelled by the study's "
        "reference: mean absolute errors there (in testing, at the same composition).\n\n"
        f"{markdown(head, rows)}\n{left}\n"
        + (f"![Energies over time]({FIGURE})\n" if found else "")
    )


@always_drawn
def draw(path: Path, found: Sequence[Validated]) -> bool:
    """Energy over time of each run: the reference's, the model's, and the model's less its shift.

    Returns whether there was anything to draw.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = found[:MOST]
    columns = min(3, max(1, len(shown)))
    rows = max(1, -(-len(shown) // columns))
    if not found:
        return False
    figure = Figure(figsize=(4.2 * columns, 3.0 * rows + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, one in zip(axes, shown, strict=False):
        time = one.times / 1000
        reference = (one.reference - one.reference.mean()) / MEV
        error = one.error / MEV
        axis.plot(time, reference, "o-", color="k", markersize=3, linewidth=0.8)
        axis.plot(time, reference + error, "s-", color="C0", markersize=3, linewidth=0.8)
        axis.plot(time, reference + error - error.mean(), "--", color="C0", linewidth=0.8)
        axis.set_title(one.name, fontsize=8, loc="left")
        axis.set_xlabel("Time / ps")
        axis.grid(alpha=0.2)
    for axis in axes[len(shown) :]:
        axis.set_visible(False)
    axes[0].set_ylabel("Energy / meV atom$^{-1}$")
    names = {"reference": "ko-", "model": "C0s-", "model less its mean shift": "C0--"}
    for name, style in names.items():
        axes[0].plot([], [], style, markersize=3, linewidth=0.8, label=name)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    figure.savefig(path, dpi=130, metadata={"Software": None})
    return True
