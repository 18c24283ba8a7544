"""Energy, pressure and largest force against the step of derived series (the paper's S5 to S9)."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ilmlip.report.always import always_drawn

KBAR = 1000.0
AXES = {
    "aimd": "Step of the dynamics",
    "relax": "Step of the relaxation",
    "volume_scan": "Density / g cm$^{-3}$",
    "rattle": "Rattle",
}


@dataclass(frozen=True)
class Curve:
    """One series; arrays of one length, NaN where there is no number."""

    step: NDArray[np.float64]
    density: NDArray[np.float64]
    """g/cm³."""
    energy: NDArray[np.float64]
    """eV."""
    pressure: NDArray[np.float64]
    """bar."""
    force: NDArray[np.float64]
    """Largest, eV/Å."""


def read_curve(path: Path) -> Curve:
    """The series.csv of one series."""
    with path.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))

    def column(name: str) -> NDArray[np.float64]:
        return np.array([float(row[name] or "nan") for row in rows])

    return Curve(
        column("step"),
        column("density_g_cm3"),
        column("energy_eV"),
        column("pressure_bar"),
        column("max_force_eV_A"),
    )


@always_drawn
def draw(path: Path, kind: str, curves: Sequence[tuple[Curve, int]], taken: Sequence[int]) -> None:
    """Write the figure; each curve with its number of atoms. `taken`: steps that are marked."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 7.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(3, 1, sharex=True)
    titles = (
        "Energy change / meV atom$^{-1}$",
        "Pressure / kbar",
        "Largest force / eV Å$^{-1}$",
    )
    for axis, title, values in zip(axes, titles, _values(curves), strict=True):
        abscissae = [c.density if kind == "volume_scan" else c.step for c, _ in curves]
        for x, y in zip(abscissae, values, strict=True):
            axis.plot(x, y, color="#4c72b0", alpha=0.35 if len(curves) > 1 else 1.0, linewidth=1.0)
        if len(curves) > 1:
            x, y = _mean(abscissae, values)
            axis.plot(x, y, color="#1b2a49", linewidth=2.2, label=f"mean of {len(curves)} frames")
        if kind in ("aimd", "relax"):
            for number, step in enumerate(taken):
                axis.axvline(
                    step, color="#c44e52", linewidth=1.2, linestyle="--",
                    label="taken" if number == 0 else None,
                )  # fmt: skip
        axis.set_ylabel(title, fontsize=9)
        axis.grid(alpha=0.25)
    handles, _ = axes[0].get_legend_handles_labels()
    if handles:
        axes[0].legend(fontsize=9, frameon=False)
    axes[-1].set_xlabel(AXES[kind])
    if kind != "volume_scan":
        axes[-1].xaxis.get_major_locator().set_params(integer=True)
    figure.savefig(path, dpi=150, metadata={"Software": None})


def _values(
    curves: Sequence[tuple[Curve, int]],
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Energies (meV/atom), pressures (kbar) and largest forces of all curves."""
    return (
        [1000 * (c.energy - c.energy[0]) / atoms for c, atoms in curves],
        [c.pressure / KBAR for c, _ in curves],
        [c.force for c, _ in curves],
    )


def _mean(
    abscissae: Sequence[NDArray[np.float64]], values: Sequence[NDArray[np.float64]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean over the curves that reach a point."""
    x = np.unique(np.round(np.concatenate(abscissae), 6))
    y = []
    for point in x:
        there = [v[np.isclose(a, point, atol=1e-5)] for a, v in zip(abscissae, values, strict=True)]
        y.append(float(np.mean(np.concatenate(there))))
    return np.asarray(x, np.float64), np.array(y)
