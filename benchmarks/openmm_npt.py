"""NPT by OpenMM of a box that ilmlip sampled, on the same parameters, by the tests' reference."""

from __future__ import annotations

import csv
from pathlib import Path

import openmm as mm
from ase import Atoms
from openmm import unit

from ilmlip.chemistry.boxes import ion_names
from ilmlip.chemistry.elements import MASSES
from ilmlip.spec.types import Spec
from ilmlip.units import AMU_PER_A3
from tests.engines.openmm_reference import NM, Reference

EVERY = 100
"""Steps between densities that are kept."""
BAROSTAT_EVERY = 25
TIMESTEP = 0.001
"""ps, as ilmlip's."""


def run(
    frame: Atoms,
    spec: Spec,
    pressure: float,
    steps: int,
    path: Path,
    *,
    temperature: float,
    cutoff: float,
) -> None:
    """Write the density against time, from `frame` on; `pressure` in bar, `cutoff` in Å."""
    folder = Path(__file__).parents[1] / "conf" / "ion"
    names = ion_names(frame)
    files = {name: folder / f"{name.lower()}.yaml" for name in set(names)}
    scale = spec.system.charge_scale
    reference = Reference(files, names, scale, cutoff, tail=True, ewald=1e-4)
    masses = [MASSES[symbol] for symbol in frame.get_chemical_symbols()]
    for index, mass in enumerate(masses):
        reference.system.setParticleMass(index, mass)
    reference.system.addForce(mm.MonteCarloBarostat(pressure, temperature, BAROSTAT_EVERY))
    reference.system.setDefaultPeriodicBoxVectors(*[mm.Vec3(*row) for row in frame.cell.array * NM])
    integrator = mm.LangevinMiddleIntegrator(temperature, 1.0, TIMESTEP)
    platform = mm.Platform.getPlatformByName("CPU")
    context = mm.Context(reference.system, integrator, platform, {"Threads": "1"})
    context.setPositions(frame.positions * NM)
    context.setVelocitiesToTemperature(temperature, 1)
    partial = path.with_suffix(".partial")
    with partial.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["time_ps", "density_g_cm3"])
        for done in range(EVERY, steps + 1, EVERY):
            integrator.step(EVERY)
            volume = context.getState().getPeriodicBoxVolume().value_in_unit(unit.angstrom**3)
            writer.writerow([done * TIMESTEP, f"{sum(masses) * AMU_PER_A3 / volume:.6f}"])
            out.flush()
    partial.rename(path)
