"""Quantum ESPRESSO: labels, dynamics and relaxation by pw.x.

Inputs are plain files: `pw.in` runs bare in its folder once `pseudo` leads to the pseudopotentials.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ilmlip.chemistry.elements import MULTIPLICITIES
from ilmlip.engines import qe_restart
from ilmlip.engines.labelling import Labelled, NotConvergedError, Session, Step, same_box
from ilmlip.engines.process import KilledError, execute, program_environment, program_words
from ilmlip.engines.pseudopotentials import checked_files
from ilmlip.errors import SpecError, StageError
from ilmlip.spec.derived import Aimd, Relax
from ilmlip.spec.dft import D3, Qe, Rung
from ilmlip.spec.profile import profile
from ilmlip.units import RYDBERG_TIME

if TYPE_CHECKING:
    from ase import Atoms

    from ilmlip.chemistry.forcefield import ForceField

INPUT, LOG, SCRATCH, PSEUDO = "pw.in", "pw.out", "scratch", "pseudo"
MIXING, MAX_STEPS = 0.7, 100
"""pw.x's own defaults: share of the new density, and most iterations."""
STEPS_DONE = 3
"""Exit status of a relaxation that has made all its steps."""
UNCONVERGED = "convergence NOT achieved"
UNBUFFERED = {"GFORTRAN_UNBUFFERED_PRECONNECTED": "y"}
"""pw.x's output as it is written: else a killed one lacks a step that its restart files have."""
VERSIONS = {"d3": 3, "d3bj": 4}
"""pw.x's numbers of the damping functions."""


# --- write


def namelists(
    settings: Qe,
    calculation: str = "scf",
    rung: Rung | None = None,
    *,
    d3: D3 | None = None,
    warm: bool = False,
) -> dict[str, dict[str, Any]]:
    """The namelists of an input; `warm` starts from the density and wavefunctions in scratch."""
    mixing = rung.mixing if rung and rung.mixing else MIXING
    most = rung.max_steps if rung and rung.max_steps else MAX_STEPS
    system: dict[str, Any] = {
        "ecutwfc": settings.ecutwfc,
        "ecutrho": settings.ecutrho,
        "occupations": "fixed",
        "nosym": True,
    }
    if d3 is not None:
        system |= {
            "vdw_corr": "dft-d3",
            "dftd3_version": VERSIONS[d3.damping],
            "dftd3_threebody": d3.three_body,
        }
    electrons: dict[str, Any] = {
        "conv_thr": settings.conv_thr,
        "mixing_beta": mixing,
        "electron_maxstep": most,
    }
    if warm:
        electrons |= {"startingpot": "file", "startingwfc": "file"}
    control = {
        "calculation": calculation,
        "outdir": f"./{SCRATCH}",
        "pseudo_dir": f"./{PSEUDO}",
        "tprnfor": True,
        "tstress": True,
    }
    return {"control": control, "system": system, "electrons": electrons}


def input_text(
    settings: Qe,
    atoms: Atoms,
    lists: Mapping[str, Mapping[str, Any]],
) -> str:
    """A whole input."""
    from ase.io.espresso import write_espresso_in

    out = StringIO()
    gamma = settings.kpoints == (1, 1, 1)
    write_espresso_in(
        out,
        atoms,
        input_data={name: dict(values) for name, values in lists.items()},
        pseudopotentials={e: p.file for e, p in settings.pseudopotentials.items()},
        kpts=None if gamma else settings.kpoints,
    )
    return out.getvalue()


def motion(moves: Aimd | Relax, temperature: float) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Calculation, and what dynamics or relaxation add to namelists `control` and `ions`."""
    if isinstance(moves, Relax):
        # forces never get that small in so few steps: exactly as many steps as asked for
        control = {"nstep": moves.steps + 1, "forc_conv_thr": 1e-8, "etot_conv_thr": 1e-12}
        return "relax", control, {"ion_dynamics": "bfgs"}
    control = {"nstep": moves.steps + 1, "dt": moves.timestep / RYDBERG_TIME}
    ions = {
        "ion_dynamics": "verlet",
        "ion_temperature": "rescaling",
        "tempw": temperature,
        "tolp": moves.tolerance,
        "pot_extrapolation": "second_order",
        "wfc_extrapolation": "second_order",
    }
    return "md", control, ions


def moving(
    settings: Qe,
    moves: Aimd | Relax,
    temperature: float,
    rung: Rung | None = None,
    *,
    d3: D3 | None = None,
) -> dict[str, dict[str, Any]]:
    """The namelists of dynamics, from velocities drawn at `temperature` (K), or of a relaxation."""
    calculation, control, ions = motion(moves, temperature)
    lists = namelists(settings, calculation, rung, d3=d3)
    lists["control"] |= control
    return {**lists, "ions": ions}


def single_atom(
    settings: Qe, element: str, edge: float, rung: Rung | None = None
) -> tuple[Atoms, dict[str, dict[str, Any]]]:
    """A spin-polarised atom with its ground state's magnetisation in a box of `edge` Å; namelists.

    Without dispersion, which is no part of an atom's energy.
    """
    from ase import Atoms

    lists = namelists(settings, "scf", rung or Rung(mixing=0.3, max_steps=300))
    lists["system"] |= {
        "nspin": 2,
        "tot_magnetization": float(MULTIPLICITIES[element] - 1),
    }
    # off the grid's symmetric points, so that a half-filled shell may choose its direction
    atom = Atoms(element, positions=[[0.37 * edge, 0.41 * edge, 0.43 * edge]],
                 cell=[edge] * 3, pbc=True)  # fmt: skip
    atom.set_initial_magnetic_moments([0.5 if MULTIPLICITIES[element] > 1 else 0.0])
    return atom, lists


# --- read


def read_steps(log: Path) -> list[Step]:
    """Every configuration that pw.x gave an energy, forces and stress for, in its order."""
    from ase.io import read

    try:
        frames = read(log, index=":", format="espresso-out")
    except (ValueError, IndexError, KeyError, AssertionError) as error:
        raise StageError(f"pw.x left an output that cannot be read: {error}", log=LOG) from error
    if not isinstance(frames, list):
        frames = [frames]
    temperatures = re.findall(
        r"^\s*temperature\s*=\s*([0-9.]+) K", log.read_text(encoding="utf-8"), re.MULTILINE
    )
    found = []
    for number, frame in enumerate(frames):
        results = frame.calc.results if frame.calc is not None else {}
        if not {"energy", "forces", "stress"} <= set(results):
            break
        label = Labelled(
            float(results["energy"]),
            np.asarray(results["forces"], float),
            np.asarray(results["stress"], float),
        )
        kelvin = float(temperatures[number]) if number < len(temperatures) else None
        found.append(Step(number, frame, label.checked("pw.x", LOG), kelvin))
    return found


def version_of(log: Path) -> str:
    """pw.x's version, as its output says."""
    found = re.search(
        r"Program PWSCF v\.?\s*(\S+)", log.read_text(encoding="utf-8", errors="replace")[:5000]
    )
    return found.group(1) if found else "unknown"


# --- execute


class QeSession(Session):
    """pw.x at work: a run for each label, from the last density where the cell is the same."""

    def __init__(self, settings: Qe, work: Path, d3: D3 | None = None) -> None:
        self._words, self._settings, self._work = program_words("pw.x"), settings, work
        self._d3 = d3
        self._version = "unknown"
        self._last: Atoms | None = None

    def label(self, atoms: Atoms, rung: Rung | None = None) -> Labelled:
        """One self-consistent calculation."""
        warm = self._last is not None and same_box(self._last, atoms)
        lists = namelists(self._settings, "scf", rung, d3=self._d3, warm=warm)
        steps = self._run(atoms, input_text(self._settings, atoms, lists))
        if not steps:
            raise StageError("pw.x gave no energy, forces and stress", log=LOG)
        self._last = atoms.copy()
        return steps[-1].label

    def native(
        self,
        atoms: Atoms,
        moves: Aimd | Relax,
        temperature: float,
        rung: Rung | None = None,
        earlier: Path | None = None,
    ) -> Sequence[Step]:
        """Dynamics or relaxation in one run; an unconverged step ends the series before it.

        The velocities are drawn by pw.x, from other random numbers each time: pw.x 6.7 makes no
        number of velocities that are given together with rescaling.
        """
        lists = moving(self._settings, moves, temperature, rung, d3=self._d3)
        calculation = lists["control"]["calculation"]
        self._last = None
        text = input_text(self._settings, atoms, lists)
        done = qe_restart.take_over(
            earlier, self._work, text, calculation, LOG, SCRATCH, read_steps
        )
        steps = self._gone_on(atoms, lists, done, moves.steps + 1) if done else None
        if steps is None:
            qe_restart.forget(self._work)
            self.close()
            steps = self._moved(atoms, text, lambda: read_steps(self._work / LOG))
        (self._work / INPUT).write_text(text, encoding="utf-8")
        return [
            Step(step.number, _with_arrays(atoms, step.atoms), step.label, step.temperature)
            for step in steps[: moves.steps + 1]
        ]

    def _moved(self, atoms: Atoms, text: str, read: Callable[[], list[Step]]) -> list[Step]:
        """The steps of a run, or those before the one that did not converge."""
        try:
            self._run(atoms, text)
        except NotConvergedError:
            steps = read()
            if not steps:
                raise
            return steps
        return read()

    def _gone_on(
        self, atoms: Atoms, lists: dict[str, dict[str, Any]], done: list[Step], wanted: int
    ) -> list[Step] | None:
        """All steps, of which some are done; None if pw.x cannot go on from these."""
        (self._version,) = set(qe_restart.versions(self._work, version_of))
        if len(done) >= wanted:
            return done
        own = self._version
        control = lists["control"] | {"restart_mode": "restart", "nstep": wanted - len(done)}
        text = input_text(self._settings, atoms, {**lists, "control": control})
        try:
            steps = self._moved(
                atoms, text, lambda: qe_restart.joined(self._work, read_steps, self._work / LOG)
            )
        except KilledError:
            raise
        except StageError:
            return None
        return steps if self._version == own else None

    def atom(self, element: str, edge: float, rung: Rung | None = None) -> float:
        """A spin-polarised calculation with the ground state's magnetisation, without dispersion."""
        atom, lists = single_atom(self._settings, element, edge, rung)
        steps = self._run(atom, input_text(self._settings, atom, lists))
        if not steps:
            raise StageError("pw.x gave no energy", log=LOG)
        return steps[-1].label.energy

    def _run(self, atoms: Atoms, text: str) -> list[Step]:
        self._link_pseudopotentials(atoms)
        (self._work / INPUT).write_text(text, encoding="utf-8")
        try:
            execute(
                [*self._words, "-in", INPUT],
                self._work,
                LOG,
                environment={**UNBUFFERED, **program_environment("pw.x")},
                errors=("Error in routine", "Error condition", UNCONVERGED),
                time_limit=profile().program("pw.x").time_limit,
                accepted=(0, STEPS_DONE),
            )
        except KilledError:
            self._last = None  # its density may be half written
            raise
        except StageError as error:
            if self._unconverged():
                raise self._not_converged(error.command) from None
            raise StageError(
                f"{error.reason}{_crash_words(self._work)}", command=error.command, log=error.log
            ) from None
        self._version = version_of(self._work / LOG)
        if self._unconverged():
            raise self._not_converged(" ".join(self._words))
        return read_steps(self._work / LOG)

    def _unconverged(self) -> bool:
        log = self._work / LOG
        return log.exists() and UNCONVERGED in log.read_text(errors="replace", encoding="utf-8")

    def _not_converged(self, command: str) -> NotConvergedError:
        text = (self._work / LOG).read_text(errors="replace", encoding="utf-8")
        last = re.findall(r"estimated scf accuracy\s*<\s*(\S+) Ry", text)
        shown = f", at {last[-1]} Ry of {self._settings.conv_thr:g}" if last else ""
        return NotConvergedError(
            f"pw.x did not converge{shown} (mixing_beta and electron_maxstep: dft.retries)",
            command=command,
            log=LOG,
        )

    def _link_pseudopotentials(self, atoms: Atoms) -> None:
        link = self._work / PSEUDO
        if link.exists():
            return
        chosen = self._settings
        try:
            files = checked_files(
                chosen.family, chosen.pseudopotentials, atoms.get_chemical_symbols(), "dft.qe"
            )
        except SpecError as error:
            raise StageError(str(error)) from None
        link.symlink_to(next(iter(files.values())).parent.resolve(), target_is_directory=True)

    def tools(self) -> dict[str, str]:
        """The version of pw.x."""
        return {"quantum-espresso": self._version}

    def files(self) -> tuple[str, ...]:
        """The last input."""
        return (INPUT,)

    def close(self) -> None:
        """Remove densities and wavefunctions; they are large."""
        shutil.rmtree(self._work / SCRATCH, ignore_errors=True)
        (self._work / PSEUDO).unlink(missing_ok=True)


def session(
    settings: Qe, work: Path, forcefield: ForceField | None, d3: D3 | None = None
) -> Session:
    """pw.x at work in a folder."""
    return QeSession(settings, work, d3)


def _with_arrays(start: Atoms, moved: Atoms) -> Atoms:
    """The start with the positions of another, so that it keeps its ions; no jump of a cell."""
    found: Atoms = start.copy()
    found.positions = moved.positions
    return found


def _crash_words(work: Path) -> str:
    """What pw.x wrote into CRASH, on one line."""
    crash = work / "CRASH"
    if not crash.exists():
        return ""
    words = [
        w
        for w in crash.read_text(errors="replace", encoding="utf-8").split()
        if not set(w) <= {"%"}
    ]
    return f" ({' '.join(words)[:300]})"
