"""Errors against the number of frames: what a sweep over `dataset.frames` is for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ilmlip.report.always import always_drawn
from ilmlip.report.heatmap import PANELS, three_digits, ticks
from ilmlip.report.matrix import shown_name
from ilmlip.report.sweep import summary

FIELD = "dataset.frames"


@always_drawn
def draw(path: Path, swept: Sequence[Mapping[str, Any]], matrices: Sequence[Path | None]) -> None:
    """Write the figure: means over the test compositions, a line a model and setting, log-log."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [(title, lines) for q, title in PANELS if (lines := curves(swept, matrices, q))]
    figure = Figure(figsize=(4.2 * max(len(panels), 1), 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    for axis, (title, lines) in zip(
        figure.subplots(1, max(len(panels), 1), squeeze=False)[0], panels, strict=False
    ):
        for name, points in lines.items():
            axis.plot(*zip(*sorted(points), strict=True), "o-", label=name, markersize=4)
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.minorticks_off()
        frames = sorted({n for points in lines.values() for n, _ in points})
        axis.set_xticks(frames, [str(n) for n in frames])
        values = [v for points in lines.values() for _, v in points]
        marks = ticks(min(values), max(values))
        axis.set_yticks(marks, [three_digits(mark) for mark in marks])
        axis.set_title(title, fontsize=10, loc="left")
        axis.set_xlabel("Frames a composition")
        axis.grid(alpha=0.2)
    if panels:
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8
        )
    figure.savefig(path, dpi=150, metadata={"Software": None})


def curves(
    swept: Sequence[Mapping[str, Any]], matrices: Sequence[Path | None], quantity: str
) -> dict[str, list[tuple[int, float]]]:
    """Points (frames, mean error) of each model; what else was swept stands in its name."""
    found: dict[str, list[tuple[int, float]]] = {}
    for values, matrix in zip(swept, matrices, strict=True):
        if matrix is None:
            continue
        others = " ".join(f"{key}={value}" for key, value in values.items() if key != FIELD)
        for model, mean, _ in summary(matrix, quantity):
            if 0 < mean < math.inf:
                name = f"{shown_name(model)} {others}".strip()
                found.setdefault(name, []).append((int(values[FIELD]), mean))
    return found
