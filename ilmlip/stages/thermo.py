"""The record of a dynamics run: thermo.csv, the same columns for every engine and stage."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ilmlip.engines import lammps

COLUMNS = (
    "step",
    "time_fs",
    "temperature_K",
    "pressure_bar",
    "density_g_cm3",
    "potential_eV",
    "kinetic_eV",
    "total_eV",
)


def write_thermo(work: Path, timestep: float) -> NDArray[np.float64]:
    """thermo.csv from LAMMPS's log; returns its rows, shape (rows, len(COLUMNS))."""
    rows = lammps.read_thermo(work / lammps.LOG)
    full = np.column_stack([rows[:, 0], rows[:, 0] * timestep, rows[:, 1:]])
    with (work / "thermo.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        for row in full:
            writer.writerow([int(row[0]), *(f"{value:.8g}" for value in row[1:])])
    return full
