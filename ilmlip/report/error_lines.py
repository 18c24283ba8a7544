"""Errors against the composition: a line for each model, a band for what its seeds span."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ilmlip.report.always import always_drawn
from ilmlip.report.heatmap import PANELS, abscissa, three_digits, ticks
from ilmlip.report.matrix import Row, composition_order, is_trained, shown_name, table

MARKS = "osD^vP*X<>hp"
"""One for each model, so that lines are told apart without colours too."""


@always_drawn
def draw(path: Path, rows: Sequence[Row], salt: str = "") -> None:
    """Write the figure: rows of seeds and their medians; filled marks where a model is trained.

    `salt`: the one whose mole fractions the compositions are.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [(title, quantity) for quantity, title in PANELS if table(rows, quantity)[0]]
    figure = Figure(figsize=(8.2, 0.6 + 2.9 * max(len(panels), 1)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(max(len(panels), 1), 1, squeeze=False, sharex=True)[:, 0]
    for axis, (title, quantity) in zip(axes, panels, strict=False):
        _panel(axis, rows, quantity)
        axis.set_title(title, fontsize=11, loc="left")
    axes[0].set_title("filled: trained on; band: all seeds", fontsize=8, loc="right")
    if panels:
        axes[-1].set_xlabel(abscissa(table(rows, panels[-1][1])[1], salt))
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=8)
    figure.savefig(path, dpi=160, metadata={"Software": None})


def _panel(axis: Any, rows: Sequence[Row], quantity: str) -> None:
    from matplotlib import colormaps

    models, compositions, values = table(rows, quantity)
    numbers = all(composition_order(c)[0] == 0 for c in compositions)
    places = [float(c) for c in compositions] if numbers else list(range(len(compositions)))
    colours = colormaps["tab20" if len(models) > 10 else "tab10"]
    for i, (model, line) in enumerate(zip(models, values, strict=True)):
        colour = colours(i % colours.N)
        low, high = _span(rows, quantity, model, compositions)
        axis.fill_between(places, low, high, color=colour, alpha=0.18, linewidth=0)
        axis.plot(places, line, color=colour, linewidth=1.4)
        trained = [is_trained(model, c) for c in compositions]
        for filled in (True, False):
            axis.plot(
                [p for p, t in zip(places, trained, strict=True) if t == filled],
                [v for v, t in zip(line, trained, strict=True) if t == filled],
                MARKS[i % len(MARKS)],
                color=colour,
                markersize=5,
                markerfacecolor=colour if filled else "white",
            )
        axis.plot([], [], MARKS[i % len(MARKS)] + "-", color=colour, label=shown_name(model))
    if known := [v for v in _values(rows, quantity) if math.isfinite(v) and v > 0]:
        axis.set_yscale("log")
        axis.minorticks_off()
        marks = ticks(min(known), max(known))
        axis.set_yticks(marks, [three_digits(mark) for mark in marks])
    axis.set_xticks(places, compositions)
    axis.grid(alpha=0.2, which="both")


def _values(rows: Sequence[Row], quantity: str) -> list[float]:
    return [row.value for row in rows if row.quantity == quantity]


def _span(
    rows: Sequence[Row], quantity: str, model: str, compositions: Sequence[str]
) -> tuple[list[float], list[float]]:
    """The least and the greatest value over seeds, at each composition."""
    low, high = [], []
    for composition in compositions:
        own = [
            row.value
            for row in rows
            if (row.model, row.quantity, row.composition) == (model, quantity, composition)
        ]
        low.append(min(own, default=math.nan))
        high.append(max(own, default=math.nan))
    return low, high
