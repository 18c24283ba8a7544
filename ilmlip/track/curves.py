"""Curves of a result as MLflow wants them: (step, metric, value)."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from ilmlip.store import Result

POINTS = 250
"""Rows of a curve that are all logged; of as many more each second one, of twice as many each fourth …
A row is logged or not whatever comes after it, so that a curve can be logged while it grows."""
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
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    kept = [row for i, row in enumerate(rows) if is_kept(i) or i == len(rows) - 1]
    return [point for row in kept for point in row_points(row, names)]


def is_kept(row: int) -> bool:
    """Whether a row of a table, from 0, is logged; so is the last one."""
    return row % (1 << (row // POINTS).bit_length()) == 0


def row_points(row: Mapping[str, str], names: Mapping[str, str]) -> list[Point]:
    """The points of one row: of the columns in `names` by those names, or of all if it is empty."""
    step = int(float(row["step"]))
    return [
        (step, names.get(column, column), float(value))
        for column, value in row.items()
        if column != "step" and value and (column in names or not names)
    ]
