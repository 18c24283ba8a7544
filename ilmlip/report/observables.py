"""Observables of the runs of a study's models: a table, and what stands and moves as a figure."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ilmlip.grammar import counted
from ilmlip.observables.expansion import Expansion
from ilmlip.report.always import always_drawn
from ilmlip.report.dataset import markdown
from ilmlip.report.densities import DENSITIES
from ilmlip.report.observed import Observed
from ilmlip.report.runs import MOST

TABLE, PAGE, FIGURE = "observables.csv", "observables.md", "observables.png"
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """Density against temperature of one model and composition."""

    name: str
    temperatures: tuple[float, ...]
    found: Expansion


def write_csv(path: Path, found: Sequence[Observed]) -> None:
    """One line per run and quantity; words are in `value`, too. What is missing has its reason."""
    about = list(found[0].about) if found else []
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*about, "quantity", "value", "stderr", "reason"])
        for one in found:
            row = ["" if v is None else v for v in one.about.values()]
            for name, value in one.values.items():
                if name == "reasons" or name.endswith("_stderr"):
                    continue
                shown = f"{value:.8g}" if isinstance(value, float) else value
                error = one.values.get(f"{name}_stderr")
                shown_error = "" if error is None else f"{error:.4g}"
                writer.writerow([*row, name, shown, shown_error, ""])
            for name, why in one.values.get("reasons", {}).items():
                writer.writerow([*row, name, "", "", why])


def page(found: Sequence[Observed], lines: Sequence[Line], lacking: int, source: str = "") -> str:
    """What people look at first, a line a run; what is missing, and why."""
    parts = [
        "# What the runs say of the liquid\n\nStandard errors by blocks or jackknife. Averages are "
        "over the second half of each run, of a ladder of pressures over the first one after it "
        f"settled. Everything else is in {TABLE}.{_of_experiment(source)}\n\n"
        f"{markdown(_HEAD, [_row(one) for one in found])}\n"
    ]
    if moved := [row for one in found for row in _moved(one)]:
        head = ["run", "ion", "D, 10⁻⁹ m²/s", "regime", "transference"]
        parts.append(f"## How the ions move\n\n{markdown(head, moved)}\n")
    if paired := [row for one in found for row in _paired(one)]:
        head = ["run", "pair", "lifetime, ps", "with parting and meeting again, ps"]
        parts.append(f"## How long ions stay together\n\n{markdown(head, paired)}\n")
    if lines:
        head = ["model, composition", "T, K", "dρ/dT, 10⁻³ g/cm³/K", "α_P, 10⁻⁴/K", "χ² / freedom"]
        rows = [_expansion(line) for line in lines]
        parts.append(f"## Thermal expansion\n\n{markdown(head, rows)}\n")
    if missing := _missing(found):
        parts.append("## Not there\n\n" + "\n".join(missing) + "\n")
    if lacking:
        parts.append(f"{counted(lacking, 'run', 'has')} no result.\n")
    if any(_drawn(one) for one in found):
        parts.append(f"![How ions stand and move]({FIGURE})\n")
    if any("density" in one.values for one in found):
        parts.append(f"![Density against temperature]({DENSITIES})\n")
    return "\n".join(parts)


def _missing(found: Sequence[Observed]) -> list[str]:
    """One line per reason: the quantities that it takes away, and the runs."""
    quantities: dict[str, dict[str, None]] = {}
    runs: dict[str, dict[str, None]] = {}
    for one in found:
        for name, why in one.values.get("reasons", {}).items():
            quantities.setdefault(why, {})[name] = None
            runs.setdefault(why, {})[one.name] = None
    lines = []
    for why, names in quantities.items():
        of = list(runs[why])
        where = f"all {len(found)} runs" if len(of) == len(found) > 1 else "; ".join(of)
        lines.append(f"- {', '.join(name.replace('_', ' ') for name in names)}: {why} ({where})")
    return lines


def _drawn(one: Observed) -> bool:
    """Whether a run has a curve to draw."""
    return any(name.endswith(("_r", "_fs")) for name in one.curves)


def _of_experiment(source: str) -> str:
    return f" Experiment: {source}." if source else ""


_HEAD = [
    "run",
    "bonds hold",
    "density, g/cm³",
    "experiment",
    "settled after, ps",
    "drift, g/cm³/ps",
]
_HEAD += ["κ_T by fluctuations, 10⁻¹⁰/Pa", "σ (Nernst–Einstein), S/m"]


def _row(one: Observed) -> list[str]:
    values = one.values
    held = values.get("bonds_hold")
    bonds = "–" if held is None else "Y" if held else f"**N**: {values['first_broken']}"
    drift = _with_error(values, "drift_g_cm3_ps")
    if values.get("drifts"):
        drift = f"**{drift}**"
    settled = values.get("settled_ps")
    sigma = _with_error(values, "conductivity")
    if sigma == "–":
        sigma = str(values.get("regime_conductivity", "–"))
    if "conductivity_nernst_einstein" in values:
        sigma += f" ({_with_error(values, 'conductivity_nernst_einstein')})"
    return [
        one.name,
        bonds,
        _with_error(values, "density"),
        _experiment(one),
        "–" if settled is None else f"{settled:.3g}",
        drift,
        _with_error(values, "compressibility", 1e5),
        sigma,
    ]


def _experiment(one: Observed) -> str:
    """The measured density, with its temperature where it is another one."""
    shown = _with_error(one.values, "experiment")
    there = one.values.get("experiment_temperature")
    off = there is not None and abs(there - float(one.about["temperature"])) > 1e-6
    return f"{shown} (at {there:g} K)" if off else shown


def _moved(one: Observed) -> list[list[str]]:
    return [
        [
            one.name,
            ion,
            _with_error(one.values, f"diffusion_{ion}", 1e9),
            str(one.values[f"regime_{ion}"]),
            _with_error(one.values, f"transference_{ion}"),
        ]
        for ion in one.regimes()
    ]


def _paired(one: Observed) -> list[list[str]]:
    names = {*one.ions("lifetime_continuous"), *one.ions("lifetime_intermittent")}
    return [
        [
            one.name,
            pair.replace("_", "–"),
            _with_error(one.values, f"lifetime_continuous_{pair}"),
            _with_error(one.values, f"lifetime_intermittent_{pair}"),
        ]
        for pair in sorted(names)
    ]


def _expansion(line: Line) -> list[str]:
    slope, alpha = line.found.slope, line.found.expansion
    chi2 = "–" if line.found.chi2 is None else f"{line.found.chi2:.3g} / {line.found.freedom}"
    return [
        line.name,
        ", ".join(f"{t:g}" for t in line.temperatures),
        f"{1e3 * slope.value:.3g} ± {1e3 * slope.error:.2g}",
        f"{1e4 * alpha.value:.3g} ± {1e4 * alpha.error:.2g}",
        chi2,
    ]


def _with_error(values: Mapping[str, Any], name: str, unit: float = 1.0) -> str:
    if name not in values:
        return "–"
    return f"{values[name] * unit:.4g} ± {values[f'{name}_stderr'] * unit:.2g}"


@always_drawn
def draw(path: Path, found: Sequence[Observed]) -> bool:
    """g(r) of the ions' centres, and their mean-square displacement; one column per run with either.

    Returns whether there was anything to draw.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [one for one in found if _drawn(one)][: MOST // 3]
    if not shown:
        return False
    columns = len(shown)
    figure = Figure(figsize=(3.6 * columns + 0.6, 6.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, columns, squeeze=False)
    for column, one in enumerate(shown):
        top, bottom = axes[0, column], axes[1, column]
        top.set_title(one.name, fontsize=8, loc="left")
        for name, values in one.curves.items():
            if name.endswith("_r"):
                label = name.removeprefix("g_").removesuffix("_r").replace("_", "–")
                top.plot(values, one.curves[name.removesuffix("_r")], linewidth=0.9, label=label)
            if name.endswith("_fs"):
                own = one.curves[name.removesuffix("_fs")]
                label = name.removeprefix("msd_").removesuffix("_fs")
                bottom.loglog(values[1:] / 1000, own[1:], linewidth=0.9, label=label)
        top.set_xlabel("r / Å")
        bottom.set_xlabel("Time / ps")
        for axis in (top, bottom):
            axis.grid(alpha=0.2)
            if axis.get_legend_handles_labels()[0]:
                axis.legend(frameon=False, fontsize=7)
    axes[0, 0].set_ylabel("g(r) of centres of mass")
    axes[1, 0].set_ylabel("Mean-square displacement / Å$^2$")
    figure.savefig(path, dpi=130, metadata={"Software": None})
    return True
