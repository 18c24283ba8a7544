"""One ion alone, by LAMMPS: does its force field hold it together and conserve energy?

The cutoff is longer than the ion ever gets, and there are no images: forces are exact derivatives,
and what the energy changes is the time step's doing. Velocity Verlet conserves ½ v² +
½ ω² x² (1 − (ω Δt)²/4) of a vibration, so that its energy E is off by at most E (ω Δt)²/4, with
a standard deviation of E (ω Δt)²/4/√8. The run starts at the minimum with velocities at T: E is
½ kT χ², of mean ½ kT and variance ½ (kT)², and vibrations of one frequency keep in step, so that
their parts add up. Nothing else makes the energy drift.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.units import kB
from numpy.typing import NDArray

from ilmlip.chemistry.check import HYDROGEN_PERIOD, period
from ilmlip.chemistry.forcefield import Box
from ilmlip.engines import lammps
from ilmlip.engines.lammps_dynamics import Clock, minimise, nve, velocities
from ilmlip.errors import StageError
from ilmlip.units import PS

Positions = NDArray[np.float64]

TIMESTEP, DURATION = 0.5, 5000.0
"""fs"""
TEMPERATURE, SEED = 300.0, 11
EDGE, CUTOFF = 400.0, 150.0
"""Å, of the box and of all non-bonded interactions."""
EVERY = 5
"""Steps between energies: several in each vibration."""
COUPLING = 2.0
"""The largest ω² of an atom's joint vibration with its neighbours, in that of one bond."""
SIGMAS = 3.0
"""Standard deviations that the vibrations' energy may be above its mean."""


@dataclass(frozen=True)
class Run:
    """How an ion moved."""

    duration: float
    """fs"""
    fluctuation: float
    """Standard deviation of the total energy about its trend, eV."""
    drift: float
    """Change of the total energy's trend over the run, eV."""
    tolerance: float
    """Of both, eV."""
    stretch: float
    """The farthest that a bond was off its r₀, Å."""
    worst: tuple[int, int]
    """The atoms of that bond, numbered from 0."""

    @property
    def conserves(self) -> bool:
        """Whether the energy kept to the tolerance."""
        return self.fluctuation <= self.tolerance and abs(self.drift) <= self.tolerance


def tolerance(box: Box) -> float:
    """What the energy of an ion may be off by, eV; see the module.

    There is one vibration for each bond; all others are slower. Where an atom has several bonds,
    their joint vibration has up to twice the ω² of one alone (linear, light centre).
    """
    masses = box.masses
    parts = []
    for i, j, _, k in box.bonds:
        one = max(period(k, masses[i], masses[j]), HYDROGEN_PERIOD)
        parts.append(COUPLING * (2 * math.pi / one * TIMESTEP) ** 2 / 4)
    mean = sum(parts) / 2
    scatter = math.sqrt(sum(part**2 for part in parts) / 2)
    return kB * TEMPERATURE * (mean + SIGMAS * scatter) / math.sqrt(8)


def alone(box: Box, positions: Positions, work: Path) -> Run:
    """Run one ion, `positions` (atoms, 3) in Å, in a work folder. Raises StageError if that fails."""
    middle = positions - positions.mean(axis=0) + EDGE / 2
    (work / lammps.DATA).write_text(lammps.data_file(box, middle, [EDGE] * 3), encoding="utf-8")
    (work / lammps.INPUT).write_text("\n".join(_input(box)) + "\n", encoding="utf-8")
    lammps.run(work)
    rows = lammps.read_thermo(work / lammps.LOG)
    start = np.flatnonzero(rows[:, 0] == 0)[-1]
    time, energy = rows[start:, 0] * TIMESTEP, rows[start:, 6]
    if not np.isfinite(energy).all():
        raise StageError("the energy became infinite", log=lammps.LOG)
    slope, level = np.polyfit(time, energy, 1)
    frames = np.array([frame.values for frame in lammps.read_dump(work / "run.dump")])
    stretch, worst = _stretch(box, frames)
    return Run(
        DURATION,
        float((energy - slope * time - level).std()),
        float(slope * DURATION),
        tolerance(box),
        stretch,
        worst,
    )


def _input(box: Box) -> list[str]:
    clock = Clock(TIMESTEP, 100.0, 1000.0)
    return [
        "units metal",
        "atom_style full",
        "boundary f f f",
        *lammps.bonded_styles(box),
        f"special_bonds lj/coul 0.0 0.0 {box.fudge:.10g}",
        f"pair_style lj/cut/coul/cut {CUTOFF:g}",
        "pair_modify mix geometric",
        f"comm_modify cutoff {CUTOFF + 10:g}",
        f"read_data {lammps.DATA}",
        "neighbor 2.0 nsq",
        "neigh_modify every 1 delay 0 check yes",
        f"timestep {TIMESTEP / PS:g}",
        *lammps.thermo(1000),
        *minimise(clock, SEED),
        *velocities(TEMPERATURE, SEED),
        "reset_timestep 0",
        *lammps.thermo(EVERY),
        f"dump run all custom {4 * EVERY} run.dump id x y z",
        "dump_modify run sort id format float %.8f",
        *nve(clock, DURATION),
    ]


def _stretch(box: Box, frames: Positions) -> tuple[float, tuple[int, int]]:
    """The largest |r − r₀| of all bonds in all frames (frames, atoms, 3), Å, and its atoms."""
    largest, worst = 0.0, (0, 0)
    for i, j, length, _ in box.bonds:
        distances = np.linalg.norm(frames[:, i] - frames[:, j], axis=1)
        off = float(np.abs(distances - length).max())
        if off > largest or not math.isfinite(off):
            largest, worst = off, (i, j)
    return largest, worst
