"""Runs of molecular dynamics with the models: a table, and their course over time."""

from __future__ import annotations

import csv
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

TABLE, PAGE, FIGURE = "md.csv", "md.md", "md.png"
SHOWN = (
    ("temperature_K", "Temperature / K"),
    ("density_g_cm3", "Density / g cm$^{-3}$"),
    ("potential_eV", "Potential energy, from its first value / meV atom$^{-1}$"),
    ("largest_force_eV_A", "Largest force / eV Å$^{-1}$"),
)
MEANS = ("temperature_K", "density_g_cm3", "pressure_bar", "potential_eV")
MOST = 12
"""Runs that the legend names."""
POINTS = 1000
"""Most points of a line."""
WIDE = 30
"""Ratio of forces from which their axis is logarithmic."""


@dataclass(frozen=True)
class Course:
    """One run: its name, what it is of, the values of its result, and the columns of its table."""

    name: str
    about: Mapping[str, Any]
    values: Mapping[str, Any]
    columns: Mapping[str, NDArray[np.float64]]


def write_csv(path: Path, courses: Sequence[Course]) -> None:
    """One line per run: what it is of, how it ended, and its means."""
    about = list(courses[0].about)
    columns = [name for mean in MEANS for name in (mean, f"{mean}_stderr")]
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*about, "stable", "reason", "steps", "of_steps", *columns, "drift"])
        for one in courses:
            values = one.values
            numbers = [values.get(name) for name in (*columns, "drift")]
            writer.writerow(
                [
                    *("" if one.about[name] is None else one.about[name] for name in about),
                    "Y" if values["stable"] else "N",
                    values.get("reason", ""),
                    values["steps"],
                    values["of_steps"],
                    *("" if number is None else f"{number:.8g}" for number in numbers),
                ]
            )


def page(courses: Sequence[Course], lacking: int) -> str:
    """The table for people, as Markdown."""
    rows = []
    for one in courses:
        values = one.values
        last = float(one.columns["time_fs"][-1])
        ended = "to its end" if values["stable"] else f"**unstable**: {values['reason']}"
        rows.append(
            [
                one.name,
                str(one.about["kind"]),
                f"{last / 1000:.4g}",
                ended,
                _mean(values, "temperature_K"),
                _mean(values, "density_g_cm3"),
                _mean(values, "pressure_bar"),
                f"{values['drift']:.3g}" if "drift" in values else "–",
            ]
        )
    head = ["model, composition", "ensemble", "ps", "ended", "T, K", "density, g/cm³"]
    head += ["pressure, bar", "drift of what is conserved, meV/atom/ps"]
    left = f"\n{counted(lacking, 'run', 'has')} no result.\n" if lacking else ""
    return (
        "# Dynamics with the models\n\nMeans over the second half of each run, of a ladder of "
        "pressures at the first one after it settled, with standard errors by blocks; none of a run "
        f"that became unstable or is too short for an error.\n\n{markdown(head, rows)}\n{left}\n"
        f"![Course of the runs]({FIGURE})\n"
    )


def _mean(values: Mapping[str, Any], name: str) -> str:
    if name not in values:
        return "–"
    error = values[f"{name}_stderr"]
    if error <= 1e-9 * abs(values[name]):  # none, or of rounding alone: what the ensemble fixes
        return f"{values[name]:.4g}"
    digits = max(0, 1 - int(np.floor(np.log10(error))))
    return f"{values[name]:.{digits}f} ± {three_digits(error)}"


@always_drawn
def draw(path: Path, courses: Sequence[Course]) -> None:
    """Temperature, density, energy and largest force against time; a cross where a run broke off."""
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 6.6), layout="constrained")
    FigureCanvasAgg(figure)
    colours = colormaps["tab20" if len(courses) > 10 else "tab10"]
    for axis, (column, title) in zip(figure.subplots(2, 2).ravel(), SHOWN, strict=True):
        for i, one in enumerate(courses):
            values = one.columns[column]
            if not len(values):
                continue
            if column == "potential_eV":
                values = 1000 * (values - values[0]) / one.values["n_atoms"]
            every = -(-len(values) // POINTS)
            time = one.columns["time_fs"][::every] / 1000
            axis.plot(time, values[::every], color=colours(i % colours.N), linewidth=0.8)
            if not one.values["stable"]:
                end = one.columns["time_fs"][-1] / 1000
                axis.plot(end, values[-1], "x", color=colours(i % colours.N))
        axis.set_title(title, fontsize=10, loc="left")
        axis.set_xlabel("Time / ps")
        axis.grid(alpha=0.2)
        low, high = axis.get_ylim()
        positive = any(np.any(line.get_ydata() > 0) for line in axis.lines)
        if column == "largest_force_eV_A" and positive and high > WIDE * max(low, 1e-3):
            axis.set_yscale("log")
    for i, one in enumerate(courses[:MOST]):
        figure.axes[0].plot([], [], color=colours(i % colours.N), label=one.name)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    figure.savefig(path, dpi=130, metadata={"Software": None})
