"""Energies per ion as a table in the form of the paper's Table S8 (crystals: S11), and as a figure."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ilmlip.report.always import always_drawn
from ilmlip.report.dataset import markdown
from ilmlip.report.matrix import shown_name

HEADER = ("model", "seed", "quantity", "value", "unit")
REFERENCE = "reference"


@dataclass(frozen=True)
class Fit:
    """The labels' own energies by a straight line through the mean energies of compositions."""

    compositions: tuple[str, ...]
    residuals: tuple[float, ...]
    """Mean energy less the line at each composition, eV."""
    mae: float
    """Mean size of the residuals, eV."""
    differences: Mapping[str, float | None]
    """eV; None for one that the compositions do not determine."""


@dataclass(frozen=True)
class Of:
    """One model of one seed: energies of the species, averaged over compositions, eV."""

    model: str
    seed: int | None
    energies: Mapping[str, float]
    differences: Mapping[str, float]


def write_csv(path: Path, found: Sequence[Of], fit: Fit) -> None:
    """Long form: one row a model, seed and quantity; `difference_EMIM-Li`, `ion_energy_Li`."""
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(HEADER)
        for one in found:
            seed = "" if one.seed is None else one.seed
            for species, energy in one.energies.items():
                writer.writerow([one.model, seed, f"ion_energy_{species}", f"{energy:.6f}", "eV"])
            for name, value in one.differences.items():
                writer.writerow([one.model, seed, f"difference_{name}", f"{value:.6f}", "eV"])
        for name, known in fit.differences.items():
            if known is not None:
                writer.writerow([REFERENCE, "", f"difference_{name}", f"{known:.6f}", "eV"])
        writer.writerow([REFERENCE, "", "fit_mae", f"{fit.mae:.6f}", "eV"])


def page(found: Sequence[Of], fit: Fit) -> str:
    """The table: mean over seeds ± standard deviation, and how far from the labels' own."""
    species = list(dict.fromkeys(s for one in found for s in one.energies))
    names = list(fit.differences)
    rows = []
    for model in dict.fromkeys(one.model for one in found):
        mine = [one for one in found if one.model == model]
        cells = [_cell([one.energies[s] for one in mine if s in one.energies]) for s in species]
        for name in names:
            values = [one.differences[name] for one in mine if name in one.differences]
            known = fit.differences[name]
            cells.append(_cell(values))
            off = None if known is None or not values else statistics.fmean(values) - known
            cells.append("–" if off is None else f"{off:+.2f}")
        rows.append([shown_name(model), *cells])
    own = [w for n in names for w in (_shown(fit.differences[n]), "0")]
    rows.append(["**labels**", *("–" for _ in species), *own])
    head = ["trained on", *(f"{s}, eV" for s in species)]
    head += [text for n in names for text in (f"{n}, eV", "off by, eV")]
    return (
        "# Energies per ion\n\nThe sum of the model's atomic energies over each ion, averaged over all "
        "test compositions; mean over seeds ± standard deviation. Charge is neutral in every box, so "
        "that energies of single ions are free up to a constant times their charge: only differences "
        "can be compared.\n\n"
        + markdown(head, rows)
        + "\nThe labels' own difference follows from a straight line through the mean energies of "
        f"{len(fit.compositions)} compositions, which leaves {fit.mae:.3g} eV per box in the mean.\n\n"
        "![Energies per ion](ion_energies.png)\n"
    )


def _cell(values: Sequence[float]) -> str:
    if not values:
        return "–"
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.2f}{spread}"


def _shown(value: float | None) -> str:
    return "undetermined" if value is None else f"{value:.2f}"


@always_drawn
def draw(path: Path, found: Sequence[Of], fit: Fit) -> None:
    """What the line leaves of the labels, and each model's difference, a dot a seed."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = [name for name, value in fit.differences.items() if value is not None]
    models = list(dict.fromkeys(one.model for one in found))
    figure = Figure(figsize=(9.0, 1.6 + max(2.4, 0.32 * len(models))), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 1 + len(names), squeeze=False)[0]
    places = range(len(fit.compositions))
    axes[0].axhline(0, color="0.6", linewidth=1)
    axes[0].plot(places, fit.residuals, "o", color="#1f4e79")
    axes[0].set_xticks(places, fit.compositions, rotation=45 if len(fit.compositions) > 8 else 0)
    axes[0].set_xlabel("Composition")
    axes[0].set_ylabel("Mean energy less the line / eV")
    axes[0].set_title(f"Labels (MAE {fit.mae:.2g} eV)", fontsize=11, loc="left")
    for axis, name in zip(axes[1:], names, strict=True):
        _dots(axis, found, models, name, fit.differences[name])
    figure.savefig(path, dpi=160, metadata={"Software": None})


def _dots(
    axis: Any, found: Sequence[Of], models: Sequence[str], name: str, known: float | None
) -> None:
    axis.axvline(known, color="#e4572e", linewidth=1.4)
    for i, model in enumerate(models):
        values = [
            one.differences[name] for one in found if one.model == model and name in one.differences
        ]
        axis.plot(values, [i] * len(values), "o", color="#1f4e79", alpha=0.7, markersize=5)
    axis.set_yticks(range(len(models)), [shown_name(model) for model in models])
    axis.invert_yaxis()
    axis.set_xlabel(f"{name.replace('-', ' − ').replace('+', ' + ')} / eV; line: the labels' own")
    axis.grid(alpha=0.2)
