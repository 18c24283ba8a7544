"""The matrix as a heat map, in the form of the paper: models × compositions, trained ones marked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ilmlip.report.always import always_drawn
from ilmlip.report.matrix import Row, composition_order, set_of, shown_name, table

PANELS = (
    ("energy_mae", "Energy MAE / meV atom$^{-1}$"),
    ("force_mae", "Force MAE / meV Å$^{-1}$"),
    ("stress_mae", "Stress MAE / meV Å$^{-3}$"),
)
OUTLINE = "#e4572e"
"""The color of the frame around what a model was trained on."""
DARK = 0.55
"""Fraction of the colour scale above which a cell's number is written in dark."""


@always_drawn
def draw(
    path: Path, rows: Sequence[Row], trained: Mapping[str, Sequence[str]], salt: str = ""
) -> None:
    """Write the figure; `rows` are medians over seeds, `trained` the training sets by model.

    `salt`: the one whose mole fractions the compositions are.
    """
    figure = figure_of(rows, trained, salt)
    figure.savefig(path, dpi=160, metadata={"Software": None})


def figure_of(rows: Sequence[Row], trained: Mapping[str, Sequence[str]], salt: str) -> Any:
    """The figure of `draw`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

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
        for i, model in enumerate(models):
            for composition in trained.get(set_of(model), ()):
                if composition in compositions:
                    _outline(axis, compositions.index(composition), i)
    if panels:
        axes[-1, 0].set_xlabel(abscissa(panels[-1][2], salt))
    figure.supylabel("Trained on", fontsize=10)
    outline = Patch(fill=False, ec=OUTLINE, lw=1.5, label="trained on")
    # "outside": a place of its own, over the panels and clear of every label
    figure.legend(handles=[outline], loc="outside upper right", fontsize=8, frameon=False)
    return figure


def abscissa(compositions: Sequence[str], salt: str) -> str:
    """What the compositions are: mole fractions of a salt, or names of mixtures."""
    if not all(composition_order(c)[0] == 0 for c in compositions):
        return "Test set"
    return f"Mole fraction of {salt} in the test set" if salt else "Mole fraction in the test set"


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

    known = [v for row in values for v in row if math.isfinite(v) and v > 0]
    low, high = (min(known), max(known)) if known else (1.0, 10.0)
    high = max(high, 1.5 * low)
    norm = LogNorm(low, high)
    image = axis.imshow(values, cmap="cividis", norm=norm, aspect="auto")
    axis.set_title(title, fontsize=11, loc="left")
    axis.set_xticks(range(len(compositions)), compositions)
    axis.set_yticks(range(len(models)), [shown_name(model) for model in models])
    axis.tick_params(length=0)
    for side in axis.spines.values():
        side.set_visible(False)
    for i, line in enumerate(values):
        for j, value in enumerate(line):
            if not math.isfinite(value):
                axis.text(j, i, "–", ha="center", va="center")
                continue
            colour = "black" if float(norm(value)) > DARK else "white"
            axis.text(j, i, three_digits(value), ha="center", va="center", color=colour)
    bar = figure.colorbar(image, ax=axis, pad=0.02, fraction=0.05)
    bar.outline.set_visible(False)
    bar.minorticks_off()
    marks = ticks(low, high)
    bar.set_ticks(marks, labels=[three_digits(mark) for mark in marks])


def _outline(axis: Any, column: int, row: int) -> None:
    """Mark a cell as trained on."""
    from matplotlib.patches import Rectangle

    corner = (column - 0.46, row - 0.44)
    axis.add_patch(Rectangle(corner, 0.92, 0.88, fill=False, ec=OUTLINE, lw=2))


def ticks(low: float, high: float) -> list[float]:
    """Round numbers on a logarithmic scale from `low` to `high`: as few digits as give two."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1,), (1, 2, 5), range(1, 10)):
        found = [d * 10.0**k for k in decades for d in digits if low <= d * 10.0**k <= high]
        if len(found) > 1:
            return found
    return [low, high]


def three_digits(value: float) -> str:
    """A number as a table shows it: 0.42, 4.2, 42, 421."""
    if value >= 9.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 0.995 else f"{value:.2f}"
