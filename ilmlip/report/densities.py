"""Density against temperature: runs of models, and the experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ilmlip.report.always import always_drawn
from ilmlip.report.observed import Observed

DENSITIES = "densities.png"
Points = Mapping[str, Sequence[tuple[float, float, float]]]
"""By composition: temperature (K), density and uncertainty (g/cm³)."""


@always_drawn
def draw_densities(path: Path, found: Sequence[Observed], measured: Points, source: str) -> bool:
    """One line per model and composition, with standard errors; broken molecules as open symbols.

    Returns whether any run has a density to draw.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines: dict[str, list[Observed]] = {}
    for one in found:
        if "density" in one.values:
            lines.setdefault(one.model(), []).append(one)
    if not lines:
        return False
    figure = Figure(figsize=(5.6, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    for number, (name, own) in enumerate(lines.items()):
        _line(axis, f"C{number % 10}", name, own)
    for composition, points in measured.items():
        if points:
            at, density, error = zip(*sorted(points), strict=True)
            label = f"x = {composition}, {source.split(',', maxsplit=1)[0] or 'experiment'}"
            axis.errorbar(at, density, error, fmt="ks", markersize=4, capsize=2, label=label)
    axis.set_xlabel("Temperature / K")
    axis.set_ylabel("Density / g cm$^{-3}$")
    axis.grid(alpha=0.2)
    axis.legend(frameon=False, fontsize=7)
    figure.savefig(path, dpi=130, metadata={"Software": None})
    return True


def _line(axis: Any, colour: str, name: str, own: Sequence[Observed]) -> None:
    own = sorted(own, key=lambda one: float(one.about["temperature"]))
    for place, one in enumerate(own):
        broken = one.values.get("bonds_hold") is False
        axis.errorbar(
            float(one.about["temperature"]),
            one.values["density"],
            one.values.get("density_stderr", 0.0),
            fmt="o",
            color=colour,
            markerfacecolor="white" if broken else colour,
            markersize=5,
            capsize=2,
            label=name if place == 0 else None,
        )
    at = [float(one.about["temperature"]) for one in own]
    axis.plot(at, [one.values["density"] for one in own], color=colour, linewidth=0.8)
