"""What stages of dynamics share: their conditions, and thermo.csv with the same columns."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ilmlip.engines import lammps
from ilmlip.engines.thermo import COLUMNS, THERMO
from ilmlip.record import Record, field


class Dynamics(Record):
    """Conditions of a run of classical dynamics."""

    temperature: float = field("Temperature, at the end if there are ramps", unit="K", gt=0)
    timestep: float = field("Time step", unit="fs", gt=0)
    thermostat_time: float = field("Damping time of the temperature", unit="fs", gt=0)
    cutoff: float = field("Cutoff", unit="Å", gt=0)
    kspace_accuracy: float = field("Relative accuracy of PPPM forces", gt=0)
    seed: int = field("Seed of the structure and its velocities", ge=1)
    tail: bool = field("Mean-field Lennard-Jones beyond the cutoff", default=False, later=True)
    pressure: float | None = field(
        "Pressure of NPT; none: the volume stays", unit="bar", default=None, later=True
    )

    def interactions(self) -> lammps.Interactions:
        """How LAMMPS computes the non-bonded interactions."""
        return lammps.Interactions(self.cutoff, self.kspace_accuracy, self.tail)


def write_thermo(work: Path, timestep: float, *, once: bool = False) -> NDArray[np.float64]:
    """thermo.csv from LAMMPS's log; returns its rows, shape (rows, len(COLUMNS)).

    LAMMPS prints a step at which one run ends and the next begins twice. `once`: kept once, as it
    ended.
    """
    rows = lammps.read_thermo(work / lammps.LOG)
    if once:
        rows = rows[np.concatenate([[True], np.diff(rows[:, 0]) > 0])]
    full = np.column_stack([rows[:, 0], rows[:, 0] * timestep, rows[:, 1:]])
    with (work / THERMO).open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        for row in full:
            writer.writerow([int(row[0]), *(f"{value:.8g}" for value in row[1:])])
    return full
