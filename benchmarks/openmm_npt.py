"""A box that ilmlip sampled, by OpenMM on the same parameters (the tests' reference): NPT, pressure."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import openmm as mm
from ase import Atoms
from numpy.typing import NDArray
from openmm import unit

from ilmlip.chemistry.boxes import ion_names
from ilmlip.chemistry.elements import MASSES
from ilmlip.spec.types import Spec
from ilmlip.units import AMU_PER_A3, BAR
from tests.engines.openmm_reference import EV, GROUPS, NM, Reference

TIMESTEP = 0.003
"""ps, between forces of Lennard-Jones and Coulomb; bonded ones are computed INNER times in it."""
INNER = 3
HYDROGEN = 3.0
"""u. Heavier hydrogens allow that time step; no average over positions or volumes depends on them."""
FRICTION = 1.0
"""1/ps, of Langevin's thermostat."""
BAROSTAT_EVERY = 10
"""Steps between changes of the volume that are tried."""
EVERY = 50
"""Steps between rows that are kept."""
COLUMNS = ("time_ps", "density_g_cm3", "potential_eV", "temperature_K")
STRAIN = 1e-3


def context(
    frame: Atoms, spec: Spec, integrator: mm.Integrator, pressure: float | None = None
) -> mm.Context:
    """The box in OpenMM, its cutoff, charges and ensemble those of the spec's sampling."""
    folder = Path(__file__).parents[1] / "conf" / "ion"
    names, sampling = ion_names(frame), spec.sampling
    files = {name: folder / f"{name.lower()}.yaml" for name in set(names)}
    reference = Reference(
        files, names, spec.system.charge_scale, sampling.cutoff, tail=sampling.tail, ewald=1e-4
    )
    symbols = frame.get_chemical_symbols()
    for index, symbol in enumerate(symbols):
        reference.system.setParticleMass(index, HYDROGEN if symbol == "H" else MASSES[symbol])
    if pressure is not None:
        reference.system.addForce(
            mm.MonteCarloBarostat(pressure, sampling.temperature, BAROSTAT_EVERY)
        )
    reference.system.setDefaultPeriodicBoxVectors(*_vectors(frame.cell.array))
    platform = mm.Platform.getPlatformByName("CPU")
    made = mm.Context(reference.system, integrator, platform, {"Threads": "1"})
    made.setPositions(frame.positions * NM)
    return made


def sample(frame: Atoms, spec: Spec, steps: int, path: Path) -> None:
    """NPT at the spec's temperature and pressure from `frame` on; writes COLUMNS to `path`."""
    slow = [(GROUPS[name], 1) for name in ("lj", "coulomb")]
    fast = [(GROUPS[name], INNER) for name in ("bond", "angle", "dihedral", "improper")]
    temperature, pressure = spec.sampling.temperature, spec.sampling.pressure
    integrator = mm.MTSLangevinIntegrator(temperature, FRICTION, TIMESTEP, slow + fast)
    made = context(frame, spec, integrator, pressure)
    made.setVelocitiesToTemperature(temperature, 1)
    mass = sum(MASSES[symbol] for symbol in frame.get_chemical_symbols())
    kelvin = 2 / (3 * len(frame)) / unit.MOLAR_GAS_CONSTANT_R
    partial = path.with_suffix(".partial")
    with partial.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        for done in range(EVERY, steps + 1, EVERY):
            integrator.step(EVERY)
            state = made.getState(getEnergy=True)
            volume = state.getPeriodicBoxVolume().value_in_unit(unit.angstrom**3)
            potential = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole) / EV
            warm = (state.getKineticEnergy() * kelvin).value_in_unit(unit.kelvin)
            values = (done * TIMESTEP, mass * AMU_PER_A3 / volume, potential, warm)
            writer.writerow([f"{value:.7g}" for value in values])
            out.flush()
    partial.rename(path)


def labels(frames: Sequence[Atoms], spec: Spec) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Potential energy (eV) and −dU/dV (bar) of each frame: pressure without its kinetic part."""
    made = context(frames[0], spec, mm.VerletIntegrator(TIMESTEP))

    def energy(frame: Atoms, factor: float) -> float:
        made.setPeriodicBoxVectors(*_vectors(frame.cell.array * factor))
        made.setPositions(frame.positions * NM * factor)
        state = made.getState(getEnergy=True)
        return float(state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)) / EV

    energies, pressures = [], []
    for frame in frames:
        energies.append(energy(frame, 1.0))
        rise = energy(frame, 1 + STRAIN) - energy(frame, 1 - STRAIN)
        volume = frame.get_volume() * ((1 + STRAIN) ** 3 - (1 - STRAIN) ** 3)
        pressures.append(-rise / volume / BAR)
    return np.array(energies), np.array(pressures)


def _vectors(cell: NDArray[np.float64]) -> list[mm.Vec3]:
    return [mm.Vec3(*row) for row in cell * NM]
