"""Curves of a result as MLflow wants them: (step, metric, value)."""

from __future__ import annotations

import csv
from pathlib import Path

from ilmlip.store import Result

POINTS = 500
"""Most points of one curve that are logged; a longer one is thinned evenly, its end kept."""
MD = {
    "temperature_K": "temperature",
    "pressure_bar": "pressure",
    "density_g_cm3": "density",
    "potential_eV": "potential_energy",
    "total_eV": "total_energy",
    "conserved_eV": "conserved_energy",
    "largest_force_eV_A": "largest_force",
}
"""Metric names of the columns of thermo.csv."""

Point = tuple[int, str, float]


def training_curve(result: Result) -> list[Point]:
    """curve.csv: every column against the optimiser step."""
    return _points(result.path / "curve.csv", {})


def sample_curve(result: Result) -> list[Point]:
    """thermo.csv: temperature, pressure, density and energies against the MD step."""
    return _points(result.path / "thermo.csv", MD)


def _points(path: Path, names: dict[str, str]) -> list[Point]:
    if not path.exists():
        return []
    with path.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    rows = rows[:: -max(1, -(-len(rows) // POINTS))][::-1]
    found: list[Point] = []
    for row in rows:
        step = int(float(row["step"]))
        for column, value in row.items():
            if column == "step" or not value or (names and column not in names):
                continue
            found.append((step, names.get(column, column), float(value)))
    return found
