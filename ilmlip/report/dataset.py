"""What a data set holds: ranges and histograms of its labels, by composition and element."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ilmlip.chemistry.elements import MASSES
from ilmlip.chemistry.labelled import Frame
from ilmlip.report.always import always_drawn
from ilmlip.units import AMU_PER_A3, BAR

Array = NDArray[np.float64]
RANGES = {
    "energy_eV_atom": "energy, eV/atom",
    "density_g_cm3": "density, g/cm³",
    "pressure_bar": "pressure, bar",
    "max_force_eV_A": "largest force, eV/Å",
}
"""Ranges of a composition, with their heads in a table."""


@dataclass(frozen=True)
class Contents:
    """The numbers of a data set, frame by frame, and forces by element."""

    part: tuple[str, ...]
    """Such as train, val, test; one a frame."""
    formula: tuple[str, ...]
    energy: Array
    """eV/atom."""
    density: Array
    """g/cm³."""
    pressure: Array
    """bar, without kinetic part; NaN where there is no stress."""
    max_force: Array
    """eV/Å."""
    forces: Mapping[str, Array]
    """All components by element, eV/Å."""


def contents(parts: Mapping[str, Sequence[Frame]]) -> Contents:
    """Gather the numbers of the frames of each part."""
    frames = [(name, frame) for name, members in parts.items() for frame in members]
    forces: dict[str, list[Array]] = {}
    for _, frame in frames:
        symbols = np.array(frame.symbols)
        for element in sorted(set(frame.symbols)):
            forces.setdefault(element, []).append(frame.forces[symbols == element].ravel())
    volumes = np.array([abs(np.linalg.det(frame.cell)) for _, frame in frames])
    masses = np.array([sum(MASSES[s] for s in frame.symbols) for _, frame in frames])
    return Contents(
        tuple(name for name, _ in frames),
        tuple(frame.formula() for _, frame in frames),
        np.array([frame.energy / len(frame) for _, frame in frames]),
        masses * AMU_PER_A3 / volumes,
        np.array([np.nan if f.stress is None else -f.stress[:3].mean() / BAR for _, f in frames]),
        np.array([np.linalg.norm(frame.forces, axis=1).max() for _, frame in frames]),
        {element: np.concatenate(found) for element, found in sorted(forces.items())},
    )


def summary(found: Contents) -> dict[str, Any]:
    """Numbers of frames, elements, ranges: as JSON."""
    by_formula = {}
    for formula in sorted(set(found.formula)):
        mine = np.array([f == formula for f in found.formula])
        by_formula[formula] = {
            "frames": {
                part: int(sum(p == part and m for p, m in zip(found.part, mine, strict=True)))
                for part in dict.fromkeys(found.part)
            },
            "energy_eV_atom": _range(found.energy[mine]),
            "density_g_cm3": _range(found.density[mine]),
            "pressure_bar": _range(found.pressure[mine]),
            "max_force_eV_A": _range(found.max_force[mine]),
        }
    return {
        "frames": len(found.energy),
        "elements": list(found.forces),
        "compositions": by_formula,
        "forces_eV_A": {
            element: {"rms": float(np.sqrt(np.mean(values**2))), **_range(np.abs(values))}
            for element, values in found.forces.items()
        },
    }


def page(said: Mapping[str, Any]) -> str:
    """The summary as Markdown, with the figure dataset.png beside it.

    `said`: as `summary` gives it, with the lists `warnings`, `missing`, `dropped` and
    `stress_slopes` if any.
    """
    rows = [
        [
            formula,
            ", ".join(f"{part} {n}" for part, n in one["frames"].items() if n),
            *(_shown(one[name]) for name in RANGES),
        ]
        for formula, one in said["compositions"].items()
    ]
    forces = [
        [element, f"{one['rms']:.3f}", f"{one['most']:.3f}"]
        for element, one in said["forces_eV_A"].items()
    ]
    parts = [
        f"# Data set\n\n{said['frames']} frames of {', '.join(said['elements'])}. "
        "Ranges are least … mean … most.\n",
        markdown(("formula", "frames", *RANGES.values()), rows),
        markdown(("element", "force RMS, eV/Å", "largest component, eV/Å"), forces),
        "![Histograms](dataset.png)\n",
    ]
    for one in said.get("stress_slopes", ()):
        parts.append(
            f"Over {one['frames']} volumes of one structure the stress follows {one['slope']:.3f} × "
            f"dE/dV, with {one['offset_eV_A3'] / BAR / 1e4:+.2f} GPa where that is zero.\n"
        )
    for name, head in (
        ("warnings", "Warnings"),
        ("dropped", "Left out"),
        ("missing", "Missing"),
    ):
        if said.get(name):
            parts.append(f"{head}:\n\n" + "".join(f"- {one}\n" for one in said[name]))
    return "\n".join(parts)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _shown(found: Mapping[str, float]) -> str:
    return " … ".join(f"{found[name]:.5g}" for name in ("least", "mean", "most")) if found else "–"


def _range(values: Array) -> dict[str, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return {}
    return {"least": float(known.min()), "mean": float(known.mean()), "most": float(known.max())}


@always_drawn
def draw(path: Path, found: Contents) -> None:
    """Histograms: energies about their composition's mean, forces by element, pressure, density."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 6.8), layout="constrained")
    FigureCanvasAgg(figure)
    energy, force, pressure, density = figure.subplots(2, 2).ravel()
    for formula in sorted(set(found.formula)):
        mine = np.array([f == formula for f in found.formula])
        about = 1000 * (found.energy[mine] - found.energy[mine].mean())
        label = f"{formula} ({mine.sum()})"
        bars(energy, about, 24, least=1e-5, linewidth=1.6, label=label)
        bars(density, found.density[mine], 24, least=1e-5, linewidth=1.6)
        bars(pressure, found.pressure[mine] / 1000, 24, least=1e-5, linewidth=1.6)
    energy.legend(fontsize=7, frameon=False)
    energy.set_xlabel("Energy about its composition's mean / meV atom$^{-1}$")
    energy.set_ylabel("Frames")
    for element, values in found.forces.items():
        bars(force, values, 80, least=1e-6, linewidth=1.4, label=element, density=True)
    force.set_yscale("log")
    force.legend(fontsize=8, frameon=False, ncols=2)
    force.set_xlabel("Force component / eV Å$^{-1}$")
    force.set_ylabel("Density")
    pressure.set_xlabel("Pressure / kbar")
    pressure.set_ylabel("Frames")
    density.set_xlabel("Mass density / g cm$^{-3}$")
    density.set_ylabel("Frames")
    for axis in (energy, force, pressure, density):
        axis.grid(alpha=0.2)
    figure.savefig(path, dpi=150, metadata={"Software": None})


def bars(axis: Any, values: Array, number: int, *, least: float, **style: Any) -> None:
    """A histogram of the finite values; values that differ by less than `least` are one bar.

    None finite: nothing is drawn.
    """
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    if not len(known):
        return
    low, high = float(known.min()), float(known.max())
    least = max(least, 1e-6 * max(abs(low), abs(high)))
    if high - low < least:
        axis.hist(known, bins=[low - least, high + least], histtype="step", **style)
    else:
        axis.hist(known, bins=number, histtype="step", **style)
