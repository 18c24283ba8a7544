"""The matrix as a heat map, in the form of the paper: models × compositions, trained ones marked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ilmlip.report.matrix import Row, is_trained, shown_name, table

PANELS = (("energy_mae", "Energy MAE / meV atom$^{-1}$"), ("force_mae", "Force MAE / meV Å$^{-1}$"))
DARK = 0.55
"""Fraction of the colour scale above which a cell's number is written in dark."""


def draw(path: Path, rows: Sequence[Row], trained: Mapping[str, Sequence[str]]) -> None:
    """Write the figure; `rows` are medians over seeds, `trained` the training sets by model."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [(title, *table(rows, quantity)) for quantity, title in PANELS]
    panels = [panel for panel in panels if panel[1]]
    heights = [len(models) for _, models, _, _ in panels]
    columns = max((len(compositions) for _, _, compositions, _ in panels), default=1)
    figure = Figure(
        figsize=(2.6 + 0.78 * columns, 1.1 + sum(0.85 + 0.5 * h for h in heights)),
        layout="constrained",
    )
    FigureCanvasAgg(figure)
    axes = figure.subplots(max(len(panels), 1), 1, squeeze=False, height_ratios=heights or [1])
    for axis, (title, models, compositions, values) in zip(axes[:, 0], panels, strict=False):
        _panel(figure, axis, title, models, compositions, values)
    if panels:
        axes[-1, 0].set_xlabel("Mole fraction of Li salt in the test set")
    figure.supylabel("Trained on", fontsize=10)
    figure.text(0.99, 0.005, "outlined: trained on", ha="right", va="bottom", fontsize=8)
    figure.savefig(path, dpi=160, metadata={"Software": None})


def _panel(
    figure: Any,
    axis: Any,
    title: str,
    models: Sequence[str],
    compositions: Sequence[str],
    values: Sequence[Sequence[float]],
) -> None:
    """One quantity: a colour on a logarithmic scale and a number in each cell."""
    from matplotlib.colors import LogNorm
    from matplotlib.patches import Rectangle

    known = [v for row in values for v in row if math.isfinite(v) and v > 0]
    low, high = (min(known), max(known)) if known else (1.0, 10.0)
    norm = LogNorm(low, high if high > 1.5 * low else 1.5 * low)
    image = axis.imshow(values, cmap="cividis", norm=norm, aspect="auto")
    axis.set_title(title, fontsize=11, loc="left")
    axis.set_xticks(range(len(compositions)), compositions)
    axis.set_yticks(range(len(models)), [shown_name(model) for model in models])
    axis.tick_params(length=0)
    for side in axis.spines.values():
        side.set_visible(False)
    for i, model in enumerate(models):
        for j, composition in enumerate(compositions):
            value = values[i][j]
            if not math.isfinite(value):
                axis.text(j, i, "–", ha="center", va="center")
                continue
            colour = "black" if float(norm(value)) > DARK else "white"
            axis.text(j, i, three_digits(value), ha="center", va="center", color=colour)
            if is_trained(model, composition):
                axis.add_patch(
                    Rectangle((j - 0.46, i - 0.44), 0.92, 0.88, fill=False, ec="#e4572e", lw=2)
                )
    bar = figure.colorbar(image, ax=axis, pad=0.02, fraction=0.05)
    bar.outline.set_visible(False)


def three_digits(value: float) -> str:
    """A number as a table shows it: 0.42, 4.2, 42, 421."""
    if value >= 9.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 0.995 else f"{value:.2f}"
