"""Training curves of a study in one figure: losses and validation errors against the step."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

PANELS = (
    ("train_loss", "Training loss"),
    ("val_loss", "Validation error, weighted"),
    ("val_energy_mae", "Validation: energy MAE / meV atom$^{-1}$"),
    ("val_force_mae", "Validation: force MAE / meV Å$^{-1}$"),
)
MOST = 12
"""Models that the legend names."""


def read(path: Path) -> list[dict[str, float]]:
    """The rows of a curve.csv; what an epoch lacks is left out."""
    with path.open(encoding="utf-8", newline="") as lines:
        return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(lines)]


def draw(curves: Mapping[str, Sequence[Sequence[Mapping[str, float]]]]) -> bytes:
    """PNG: a colour for each model (by name), a thin line for each of its trainings."""
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 6.6), layout="constrained")
    FigureCanvasAgg(figure)
    colours = colormaps["tab20" if len(curves) > 10 else "tab10"]
    for axis, (name, title) in zip(figure.subplots(2, 2).ravel(), PANELS, strict=True):
        for i, runs in enumerate(curves.values()):
            for rows in runs:
                points = [(row["step"], row[name]) for row in rows if row.get(name, 0) > 0]
                if points:
                    steps, values = zip(*points, strict=True)
                    axis.plot(steps, values, color=colours(i % colours.N), linewidth=1, alpha=0.8)
        axis.set_yscale("log")
        axis.set_title(title, fontsize=10, loc="left")
        axis.grid(alpha=0.2, which="both")
        axis.set_xlabel("Step")
    for i, model in enumerate(list(curves)[:MOST]):
        figure.axes[0].plot([], [], color=colours(i % colours.N), label=model)
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    out = io.BytesIO()
    figure.savefig(out, dpi=130, format="png", metadata={"Software": None})
    return out.getvalue()
