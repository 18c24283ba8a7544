"""Compressibilities of runs that rise in pressure: tables, densities with the Tait equation."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ilmlip.grammar import counted
from ilmlip.observables.compressibility import Tait
from ilmlip.observables.series import Estimate
from ilmlip.report.always import always_drawn
from ilmlip.report.dataset import markdown

TABLE, LADDER = "compressibility.csv", "tait_ladder.csv"
PAGE, FIGURE = "compressibility.md", "compressibility.png"
PER_PA = 1e5
"""How many 1e-10/Pa are 1/bar, which is 1e-5/Pa."""
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Ladder:
    """One run that rose in pressure."""

    name: str
    about: Mapping[str, Any]
    pressures: Array
    """(pressures,), bar: those that were held for their whole time."""
    densities: Array
    """(pressures,), g/cm³."""
    errors: Array | None
    """(pressures,), standard errors; None where the run is too short for them."""
    tait: Tait | None
    fluctuation: Estimate | None
    """κ_T of the volume's fluctuations at the first pressure, 1/bar."""
    reasons: tuple[str, ...]
    """Why something is not there."""

    def apart(self) -> float | None:
        """How far both compressibilities are from each other, in their joint standard error."""
        if self.tait is None or self.fluctuation is None:
            return None
        one, other = self.tait.compressibility, self.fluctuation
        return (one.value - other.value) / float(np.hypot(one.error, other.error))


def write_csv(work: Path, found: Sequence[Ladder]) -> None:
    """TABLE with a line a run, κ_T in 1/bar; LADDER with a line a pressure."""
    about = list(found[0].about) if found else []
    with (work / TABLE).open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(
            [*about, "pressures", "reference_bar", "tait_1_bar", "tait_stderr", "C", "C_stderr",
             "B_bar", "chi2", "freedom", "fluctuation_1_bar", "fluctuation_stderr", "apart", "reasons"]
        )  # fmt: skip
        for one in found:
            fit, own = one.tait, one.fluctuation
            numbers: list[float | None] = [None] * 8
            if fit is not None:
                numbers = [
                    fit.reference,
                    *fit.compressibility,
                    *fit.c,
                    fit.b,
                    fit.chi2,
                    fit.freedom,
                ]
            numbers += [None, None] if own is None else list(own)
            cells = ["" if v is None else f"{v:.8g}" for v in (*numbers, one.apart())]
            writer.writerow([*_about(one), len(one.pressures), *cells, "; ".join(one.reasons)])
    with (work / LADDER).open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*about, "pressure_bar", "density_g_cm3", "density_stderr"])
        for one in found:
            for i, (pressure, density) in enumerate(zip(one.pressures, one.densities, strict=True)):
                error = "" if one.errors is None else f"{one.errors[i]:.6g}"
                writer.writerow([*_about(one), f"{pressure:g}", f"{density:.8g}", error])


def _about(one: Ladder) -> list[Any]:
    return ["" if value is None else value for value in one.about.values()]


def page(found: Sequence[Ladder], lacking: int) -> str:
    """The table for people, in 1e-10/Pa as papers have it."""
    rows = []
    for one in found:
        fit, apart = one.tait, one.apart()
        rows.append(
            [
                one.name,
                str(len(one.pressures)),
                _density(one),
                "–" if fit is None else _per_pa(fit.compressibility),
                _per_pa(one.fluctuation),
                "–" if apart is None else f"{apart:+.1f} σ",
                "–" if fit is None or fit.chi2 is None else f"{fit.chi2:.3g} / {fit.freedom}",
                "; ".join(one.reasons),
            ]
        )
    head = ["run", "pressures", "density at the first, g/cm³", "κ_T by Tait, 10⁻¹⁰/Pa"]
    head += ["κ_T by fluctuations, 10⁻¹⁰/Pa", "apart", "χ² / freedom", ""]
    left = f"\n{counted(lacking, 'run', 'has')} no result.\n" if lacking else ""
    return (
        "# Isothermal compressibility\n\nThe Tait equation through the densities at rising pressures, "
        "and the fluctuations of the volume at the first of them, with standard errors.\n\n"
        f"{markdown(head, rows)}\n{left}\n"
        + (
            f"![Density against pressure]({FIGURE})\n"
            if any(len(o.densities) for o in found)
            else ""
        )
    )


def _density(one: Ladder) -> str:
    if not len(one.densities):
        return "–"
    return f"{one.densities[0]:.4g}" + ("" if one.errors is None else f" ± {one.errors[0]:.2g}")


def _per_pa(value: Estimate | None) -> str:
    return "–" if value is None else f"{value.value * PER_PA:.3g} ± {value.error * PER_PA:.2g}"


@always_drawn
def draw(path: Path, found: Sequence[Ladder]) -> bool:
    """Density against pressure, with the fitted Tait equations.

    Returns whether there was anything to draw.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not any(len(one.densities) for one in found):
        return False
    figure = Figure(figsize=(5.6, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    for i, one in enumerate(found):
        colour = f"C{i % 10}"
        axis.errorbar(
            one.pressures / 1000, one.densities, one.errors, fmt="o", color=colour, markersize=4,
            capsize=2, label=one.name,
        )  # fmt: skip
        if one.tait is not None:
            fine = np.linspace(one.pressures[0], one.pressures[-1], 200)
            axis.plot(fine / 1000, 1 / one.tait.volumes(fine), color=colour, linewidth=0.9)
    axis.set_xlabel("Pressure / kbar")
    axis.set_ylabel("Density / g cm$^{-3}$")
    axis.grid(alpha=0.2)
    if found:
        axis.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=130, metadata={"Software": None})
    return True
