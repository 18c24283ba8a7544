"""ASE's integrators for a run: made, told another pressure, and kept for a restart.

ASE's Nosé–Hoover chains count 3n degrees of freedom. Momentum is conserved here and zero, which
leaves 3n − 3: the integrators are told so, else the liquid would be too hot by n/(n − 1).
That, the pressures of a ladder and restarts go through private attributes (`ilmlip.private`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ilmlip.private import BAROSTAT_CHAIN, CELL, CHAIN, MOVED, changed, need
from ilmlip.spec.ensemble import Run
from ilmlip.units import BAR

if TYPE_CHECKING:
    from ase import Atoms

Arrays = Mapping[str, NDArray[Any]]


def integrator(atoms: Atoms, made: Run) -> Any:
    """ASE's integrator for the conditions of a run.

    Damping times are the characteristic times of ASE's thermostat and barostat masses. Raises
    StageError if the installed ASE does not count degrees of freedom or keep the pressure as known.
    """
    from ase.md.nose_hoover_chain import IsotropicMTKNPT, NoseHooverChainNVT
    from ase.md.verlet import VelocityVerlet
    from ase.units import fs

    step = made.timestep * fs
    if made.kind == "nve":
        return VelocityVerlet(atoms, timestep=step)
    damping: dict[str, Any] = {"tdamp": (made.thermostat_time or 0.0) * fs}
    if made.kind == "nvt":
        mover: Any = NoseHooverChainNVT(atoms, step, temperature_K=made.temperature, **damping)
    else:
        damping["pdamp"] = (made.barostat_time or 0.0) * fs
        pressure = made.pressure_at(0) * BAR
        mover = IsotropicMTKNPT(
            atoms, step, temperature_K=made.temperature, pressure_au=pressure, **damping
        )
        need(mover, "_pressure_au", *CELL)
        if mover._pressure_au != pressure:
            raise changed(type(mover), "does not hold its pressure in _pressure_au")
    _count_degrees_of_freedom(mover, len(atoms))
    return mover


def _count_degrees_of_freedom(mover: Any, atoms: int) -> None:
    """Have 3n − 3 counted; ASE's classes take n − 1 atoms as that many."""
    need(mover, "_thermostat", *MOVED)
    thermostat = mover._thermostat
    need(thermostat, "_num_atoms_global", *CHAIN)
    counters = [thermostat] + ([mover] if hasattr(mover, "_barostat") else [])
    for one in counters:
        need(one, "_num_atoms_global")
        if one._num_atoms_global != atoms:
            raise changed(type(one), "does not count its atoms in _num_atoms_global")
    n = max(atoms - 1, 1)
    thermostat._Q[0] *= n / atoms
    for one in counters:
        one._num_atoms_global = n


def set_pressure(mover: Any, bar: float) -> None:
    """From now on hold another pressure (an integrator of npt)."""
    need(mover, "_pressure_au")
    mover._pressure_au = bar * BAR


def state(mover: Any) -> dict[str, NDArray[Any]]:
    """All that the next step depends on. Raises StageError if part of it is not where it was."""
    atoms = mover.atoms
    found = {
        "positions": atoms.get_positions(),
        "momenta": atoms.get_momenta(),
        "cell": np.array(atoms.cell.array),
    }
    for part, holder, names in _holders(mover):
        need(holder, *names)
        for name in names:
            found[f"{part}{name}"] = np.array(getattr(holder, name), float)
    return found


def restore(mover: Any, held: Arrays) -> None:
    """Set a new integrator to a `state`."""
    atoms = mover.atoms
    atoms.set_cell(held["cell"], scale_atoms=False)
    atoms.set_positions(held["positions"])
    atoms.set_momenta(held["momenta"])
    holders = _holders(mover)
    for part, holder, names in holders:
        need(holder, *names)
        for name in names:
            value = np.array(held[f"{part}{name}"])
            setattr(holder, name, value if value.ndim else float(value))
    if holders:
        need(mover, *MOVED)
        mover._q, mover._p = atoms.get_positions(), atoms.get_momenta()


def _holders(mover: Any) -> list[tuple[str, Any, tuple[str, ...]]]:
    """Where an integrator's state is beside the atoms: a name, the object, its attributes."""
    found: list[tuple[str, Any, tuple[str, ...]]] = []
    if hasattr(mover, "_thermostat"):
        found.append(("thermostat", mover._thermostat, CHAIN))
    if hasattr(mover, "_barostat"):
        found += [("barostat", mover._barostat, BAROSTAT_CHAIN), ("mover", mover, CELL)]
    return found
