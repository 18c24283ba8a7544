"""Molecular dynamics with a trained model, by ASE or LAMMPS: watched, killed and gone on with.

Every `restart` steps the whole state of the integrator is kept as plain arrays, with how long
the trajectory and the table were then. A run that goes on cuts both there and ends as one that was
never killed, to the bit.
"""

from __future__ import annotations

import gzip
import io
import os
import shutil
import time
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ilmlip.chemistry.boxes import density, labelled
from ilmlip.engines import integrators, lammps_model
from ilmlip.engines.attempts import attempts
from ilmlip.engines.moves import kelvin, start_velocities
from ilmlip.engines.thermo import COLUMNS as SHARED
from ilmlip.engines.thermo import THERMO
from ilmlip.errors import StageError
from ilmlip.spec.ensemble import Engine, Guards, Run
from ilmlip.units import BAR

if TYPE_CHECKING:
    from ase import Atoms

TRAJECTORY, RESTART = "trajectory.extxyz.gz", "restart.npz"
COLUMNS = (*SHARED, "conserved_eV", "largest_force_eV_A")
"""Of thermo.csv. `conserved_eV` is what the equations of motion conserve, thermostat included."""
WALL_TIME = "wall time"
"""How the reason begins where a run ended for its wall time, not for what its atoms did."""
LOOK = 10
"""Steps between looks at the guards; distances are looked at with each line of the table."""


@dataclass(frozen=True)
class Every:
    """Steps between what is written."""

    thermo: int
    frame: int
    restart: int


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    steps: int
    """Steps that were done."""
    reason: str = ""
    """Which guard tripped, with its value and limit; empty: the run came to its end."""
    begun: int | None = None
    """The step that it went on from; None: from its start."""


def run(
    atoms: Atoms,
    calculator: Any,
    made: Run,
    seed: int,
    every: Every,
    guards: Guards,
    work: Path,
    earlier: Path | None = None,
    engine: Engine = "ase",
) -> Ended:
    """Do a run in a folder; writes TRAJECTORY, THERMO and, as it goes, RESTART.

    atoms: the start; velocities are drawn for the run's temperature. `earlier`: folder of an attempt
    at the very same run that was broken off. A guard that trips ends the run; that is a result.
    """
    began = time.monotonic()
    atoms = atoms.copy()
    atoms.calc = calculator
    taken = (_take_over(folder, work) for folder in attempts(earlier))
    begun = next((step for step in taken if step is not None), None)
    if begun is None:
        start_velocities(atoms, made.temperature, seed)
    if engine == "lammps":
        mover: Any = lammps_model.Mover(atoms, made, work)
    else:
        mover = integrators.integrator(atoms, made)
    if begun is not None:
        _restore(mover, work / RESTART)
    steps = round(made.whole() / made.timestep)
    with _Book(work, atoms, mover, made, every, fresh=begun is None) as book:
        at = begun or 0
        reason = "" if begun else book.note(0, guards)
        while at < steps and not reason:
            if made.pressures:
                integrators.set_pressure(mover, made.pressure_at(at))
            mover.step()
            at += 1
            reason = book.note(at, guards) or _tripped(atoms, made, guards, at, began)
        if reason:
            book.last_frame(at)
    if isinstance(mover, lammps_model.Mover):
        mover.close()
    return Ended(at, reason, begun)


def _state(mover: Any) -> dict[str, NDArray[Any]]:
    """All that the next step depends on."""
    return mover.state() if isinstance(mover, lammps_model.Mover) else integrators.state(mover)


def _restore(mover: Any, path: Path) -> None:
    with np.load(path, allow_pickle=False) as held:
        if isinstance(mover, lammps_model.Mover):
            mover.restore(held)
        else:
            integrators.restore(mover, held)


def _take_over(earlier: Path, work: Path) -> int | None:
    """Copy what an attempt had written at its last restart; the step of it, None if there is none."""
    try:
        with np.load(earlier / RESTART, allow_pickle=False) as held:
            step, sizes = int(held["step"]), held["sizes"].tolist()
        for name, size in zip((TRAJECTORY, THERMO), sizes, strict=True):
            if (earlier / name).stat().st_size < size:
                return None
            shutil.copyfile(earlier / name, work / name)
            os.truncate(work / name, size)
        shutil.copyfile(earlier / RESTART, work / RESTART)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # half a file, or none
    return step


def _tripped(atoms: Atoms, made: Run, guards: Guards, step: int, began: float) -> str:
    """The guard that trips at this step, if any; cheap enough for every tenth step."""
    if step % LOOK:
        return ""
    forces = atoms.calc.results["forces"]
    if not np.isfinite(forces).all():
        return "a force is no finite number"
    limits: list[tuple[str, float, float | None, float | None, str]] = [
        ("temperature", kelvin(atoms), None, guards.temperature, "K"),
        ("largest force", _largest(forces), None, guards.force, "eV/Å"),
        ("density", density(atoms), guards.densities[0], guards.densities[1], "g/cm³"),
    ]
    if guards.hours is not None:
        limits.append((WALL_TIME, (time.monotonic() - began) / 3600, None, guards.hours, "h"))
    for name, value, low, high, unit in limits:
        if low is not None and value < low:
            return f"{name} {value:.4g} {unit} is below {low:g} {unit}"
        if high is not None and value > high:
            return f"{name} {value:.4g} {unit} is above {high:g} {unit}"
    return ""


def _largest(forces: NDArray[np.float64]) -> float:
    return float(np.sqrt((forces**2).sum(axis=1).max()))


def _too_close(atoms: Atoms, limit: float) -> str:
    """The closest pair of atoms, if it is closer than `limit` Å."""
    from ase.neighborlist import neighbor_list

    if not np.isfinite(atoms.positions).all():
        return "a position is no finite number"
    first, second, distances = neighbor_list("ijd", atoms, limit)
    if not len(distances):
        return ""
    i = int(distances.argmin())
    pair = f"{atoms.symbols[first[i]]}{first[i]} and {atoms.symbols[second[i]]}{second[i]}"
    return f"smallest distance {distances[i]:.3g} Å, of {pair}, is below {limit:g} Å"


class _Book:
    """Writes what a run leaves, each file only ever longer."""

    def __init__(
        self, work: Path, atoms: Atoms, mover: Any, made: Run, every: Every, *, fresh: bool
    ) -> None:
        self.work, self.atoms, self.mover, self.every, self.made = work, atoms, mover, every, made
        self.frames = (work / TRAJECTORY).open("wb" if fresh else "ab")
        self.table = (work / THERMO).open("w" if fresh else "a", newline="")
        if fresh:
            self.table.write(",".join(COLUMNS) + "\n")

    def __enter__(self) -> _Book:
        return self

    def __exit__(self, *_: object) -> None:
        self.frames.close()
        self.table.close()

    def note(self, step: int, guards: Guards) -> str:
        """Write what is due at a step; the guard of distances, which is looked at here."""
        reason = ""
        if step % self.every.thermo == 0:
            self.table.write(",".join(self._row(step)) + "\n")
            self.table.flush()
            reason = _too_close(self.atoms, guards.distance)
        if step % self.every.frame == 0:
            self.frames.write(self._frame(step))
        if step and step % self.every.restart == 0:
            self._keep(step)
        return reason

    def last_frame(self, step: int) -> None:
        """The frame at which a guard tripped, if it is not there."""
        if step % self.every.frame:
            self.frames.write(self._frame(step))

    def _row(self, step: int) -> list[str]:
        atoms = self.atoms
        stress = atoms.get_stress(voigt=False, include_ideal_gas=True)
        potential, kinetic = float(atoms.get_potential_energy()), float(atoms.get_kinetic_energy())
        conserved = getattr(self.mover, "get_conserved_energy", lambda: potential + kinetic)()
        values = (
            step * self.made.timestep,
            kelvin(atoms),
            -float(np.trace(stress)) / 3 / BAR,
            density(atoms),
            potential,
            kinetic,
            potential + kinetic,
            conserved,
            _largest(atoms.calc.results["forces"]),
        )
        return [str(step), *(f"{value:.10g}" for value in values)]

    def _frame(self, step: int) -> bytes:
        """One frame as a gzip member of its own: a file of whole members can be cut and read."""
        from ase.io import write

        kept = self.atoms.copy()
        del kept.arrays["momenta"]
        kept.info = {"step": step, "time_fs": step * self.made.timestep}
        held = self.atoms.calc.results
        said = {name: held[name] for name in ("energy", "forces", "stress") if name in held}
        text = io.StringIO()
        write(text, labelled(kept, said), format="extxyz")
        return gzip.compress(text.getvalue().encode(), mtime=0)

    def _keep(self, step: int) -> None:
        for stream in (self.frames, self.table):
            stream.flush()
            os.fsync(stream.fileno())
        state: Mapping[str, Any] = _state(self.mover) | {
            "step": np.array(step),
            "sizes": np.array([self.frames.tell(), self.table.tell()]),
        }
        part = self.work / f"{RESTART}.part"
        with part.open("wb") as out:
            np.savez(out, **state)
            out.flush()
            os.fsync(out.fileno())
        part.replace(self.work / RESTART)


CHUNK = 1 << 16
"""Bytes of a trajectory that are read at once."""


def read_thermo(path: Path) -> dict[str, NDArray[np.float64]]:
    """The columns of thermo.csv. Raises StageError if it is cut short or is none."""
    try:
        with path.open(encoding="utf-8") as lines:
            names: Sequence[str] = lines.readline().strip().split(",")
            rows = np.loadtxt(lines, delimiter=",", ndmin=2)
        return dict(zip(names, rows.T, strict=True))
    except (OSError, ValueError) as error:
        raise StageError(f"{path.name} is no table of a run: {error}") from error


def read_trajectory(path: Path) -> Iterator[Atoms]:
    """The frames of a trajectory, one after the other.

    Raises StageError, naming the last whole frame, where the file is cut or damaged.
    """
    from ase.io import read

    number = -1
    try:
        for text in _members(path):
            frame: Any = read(io.StringIO(text.decode()), format="extxyz")
            number += 1
            yield frame
    except (OSError, ValueError, KeyError, IndexError, zlib.error) as error:
        raise StageError(
            f"{path.name} breaks off after frame {number} (from 0): {error}"
        ) from error


def _members(path: Path) -> Iterator[bytes]:
    """The content of each gzip member of a file. Raises ValueError if the last one is cut short."""
    with path.open("rb") as source:
        rest = source.read(CHUNK)
        while rest:
            member = zlib.decompressobj(wbits=31)  # 31: gzip
            parts = [member.decompress(rest)]
            while not member.eof:
                rest = source.read(CHUNK)
                if not rest:
                    raise ValueError("its end is missing")
                parts.append(member.decompress(rest))
            rest = member.unused_data or source.read(CHUNK)
            yield b"".join(parts)
