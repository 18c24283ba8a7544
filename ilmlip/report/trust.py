"""The spread of committees along runs, beside their true error: over time, and as a calibration."""

from __future__ import annotations

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

TABLE, PAGE, FIGURE = "committee.csv", "committee.md", "committee.png"
MOST = 4
"""Runs whose course the figure shows."""
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Trusted:
    """One run: spread and error of the force vector of an atom, meV/Å."""

    name: str
    about: Mapping[str, Any]
    times: Array
    """(frames,), fs."""
    spread: Array
    """(frames,): root mean square over the atoms."""
    error: Array
    """(frames,): of the committee's mean, likewise."""
    spearman_atoms: float | None
    spearman_frames: float | None
    calibration: float
    """RMS error over RMS spread, all atoms of all frames."""
    bins: tuple[Array, Array]
    """RMS spread and error in bins of atoms by ascending spread."""


def page(found: Sequence[Trusted], lacking: int) -> str:
    """For people: a line a run."""
    head = ["run", "frames", "error, meV/Å", "spread, meV/Å", "error / spread"]
    head += ["Spearman over atoms", "Spearman over frames"]
    rows = []
    for one in found:
        error, spread = (float(np.sqrt(np.mean(v**2))) for v in (one.error, one.spread))
        ranks = [
            "–" if v is None else f"{v:.2f}" for v in (one.spearman_atoms, one.spearman_frames)
        ]
        both = [three_digits(error), three_digits(spread), f"{one.calibration:.2g}"]
        rows.append([one.name, str(len(one.times)), *both, *ranks])
    left = f"\n{counted(lacking, 'run', 'has')} no labelled frames.\n" if lacking else ""
    return (
        "# Does the committee know its error?\n\n"
        "On the labelled frames of each run: the spread is the standard deviation of the members' "
        "force on an atom as a vector, the error that of their mean against the reference; root mean "
        "squares. Spearman's ρ is 1 where the spread ranks the error without fail and 0 where it says "
        "nothing; over frames only what differs between frames counts. An error above the spread is "
        f"one that all members share.\n\n{markdown(head, rows)}\n{left}\n"
        + (f"![Spread and error]({FIGURE})\n" if found else "")
    )


@always_drawn
def draw(path: Path, found: Sequence[Trusted]) -> bool:
    """Left: spread and error over time. Right: error against spread in bins.

    Returns whether there was anything to draw.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not found:
        return False
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    for number, one in enumerate(found[:MOST]):
        colour = f"C{number}"
        time = one.times / 1000
        left.plot(time, one.error, "o-", color=colour, markersize=3, linewidth=0.9, label=one.name)
        left.plot(time, one.spread, "s--", color=colour, markersize=3, linewidth=0.9)
        right.plot(*one.bins, "o-", color=colour, markersize=4, linewidth=0.9)
    values = np.concatenate([v for one in found[:MOST] for v in one.bins] or [np.array([1.0])])
    values = values[values > 0]
    if len(values):
        ends = [values.min(), values.max()]
        right.plot(ends, ends, "k:", linewidth=0.9, label="error = spread")
        right.legend(frameon=False, fontsize=8)
        for axis in (left, right):
            axis.set_yscale("log")
        right.set_xscale("log")
        for scale in (left.yaxis, right.yaxis, right.xaxis):
            _plain_numbers(scale)
    left.plot([], [], "ko-", markersize=3, linewidth=0.9, label="error")
    left.plot([], [], "ks--", markersize=3, linewidth=0.9, label="spread")
    left.set_xlabel("Time / ps")
    left.set_ylabel("Force on an atom / meV Å$^{-1}$ (rms)")
    right.set_xlabel("Spread / meV Å$^{-1}$ (bins of atoms)")
    right.set_ylabel("Error / meV Å$^{-1}$")
    for axis in (left, right):
        axis.grid(alpha=0.2, which="both")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    figure.savefig(path, dpi=130, metadata={"Software": None})
    return True


def _plain_numbers(axis: Any) -> None:
    """Ticks at 1, 2 and 5 of each decade: matplotlib's own run into each other within one."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
