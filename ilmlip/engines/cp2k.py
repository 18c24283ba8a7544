"""CP2K's Quickstep: labels by one process of cp2k_shell, each from the last wavefunction.

D3 is added by `dispersion`: CP2K 2023.1's three-body term differs by 16 % on LiPF6 in 8 Å, and takes
minutes for a liquid (docs/decisions.md).
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import threading
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from ilmlip.chemistry.elements import MULTIPLICITIES
from ilmlip.engines.labelling import Labelled, NotConvergedError, Session
from ilmlip.engines.process import (
    KilledError,
    ending,
    killed,
    last_error,
    program_environment,
    program_words,
)
from ilmlip.errors import StageError
from ilmlip.private import need
from ilmlip.spec.dft import Cp2k, Rung
from ilmlip.spec.profile import profile
from ilmlip.units import RYDBERG

if TYPE_CHECKING:
    from ase import Atoms

    from ilmlip.chemistry.forcefield import ForceField

LABEL = "cp2k"
LOG, INPUT = f"{LABEL}.out", f"{LABEL}.inp"
DATA = ("/usr/share/cp2k", "/usr/local/share/cp2k/data")
"""Where basis sets and pseudopotentials lie if CP2K_DATA_DIR does not say."""
MAX_STEPS, OUTER = 30, 20
"""Steps of an inner loop of the orbital transformation, and outer loops."""
LAST_BREATH = 2.0
"""Seconds that a process which closed its output has to end."""

SCF_FAILED = re.compile(r"SCF run NOT converged|outer SCF loop FAILED|SCF run FAILED")
SOURCE = re.compile(r"\.F:\d+$")
"""Where in its source CP2K stopped, which stands below what it says."""


def sections(settings: Cp2k, rung: Rung | None = None, *, multiplicity: int = 1) -> str:
    """The input, but for the cell, the atoms and what ASE's calculator writes."""
    most = rung.max_steps if rung and rung.max_steps else MAX_STEPS
    # a rung without steps of its own tries the slower, steadier minimiser
    minimiser = "CG" if rung else "DIIS"
    outer = OUTER if most >= MAX_STEPS else 1
    gradient = ""
    if settings.xc_derivative != "pw":
        gradient = f"""
      &XC_GRID
        XC_DERIV {settings.xc_derivative.upper()}
      &END XC_GRID"""
    spin = f"\n    UKS\n    MULTIPLICITY {multiplicity}" if multiplicity > 1 else ""
    return f"""
&FORCE_EVAL
  STRESS_TENSOR ANALYTICAL
  &PRINT
    &STRESS_TENSOR ON
    &END STRESS_TENSOR
  &END PRINT
  &DFT
    BASIS_SET_FILE_NAME BASIS_MOLOPT
    POTENTIAL_FILE_NAME GTH_POTENTIALS{spin}
    &MGRID
      REL_CUTOFF {settings.rel_cutoff:g}
    &END MGRID
    &QS
      EPS_DEFAULT 1.0E-12
      EXTRAPOLATION USE_PREV_WF
    &END QS
    &SCF
      EPS_SCF {settings.eps_scf:g}
      MAX_SCF {most}
      SCF_GUESS RESTART
      &OT ON
        MINIMIZER {minimiser}
        PRECONDITIONER FULL_SINGLE_INVERSE
      &END OT
      &OUTER_SCF ON
        EPS_SCF {settings.eps_scf:g}
        MAX_SCF {outer}
      &END OUTER_SCF
    &END SCF
    &XC
      &XC_FUNCTIONAL PBE
      &END XC_FUNCTIONAL{gradient}
    &END XC
  &END DFT
&END FORCE_EVAL
"""


class Cp2kSession(Session):
    """One process of cp2k_shell; started anew only when a try changes the input."""

    def __init__(self, settings: Cp2k, work: Path) -> None:
        self._words, self._settings, self._work = program_words("cp2k"), settings, work
        self._calculator: Any = None
        self._rung: Rung | None = None
        self._read = 0

    def label(self, atoms: Atoms, rung: Rung | None = None) -> Labelled:
        """One self-consistent calculation, from the last wavefunction."""
        if self._calculator is None or rung != self._rung:
            self.close()
            self._calculator, self._rung = self._start(rung), rung
        frame = atoms.copy()
        self._guarded(lambda: self._calculator.calculate(frame, ["energy", "forces", "stress"]))
        results = self._calculator.results
        return Labelled(
            float(results["energy"]),
            np.asarray(results["forces"], float),
            np.asarray(results["stress"], float),
        ).checked("CP2K", LOG)

    def atom(self, element: str, edge: float, rung: Rung | None = None) -> float:
        """Spin-polarised, in the ground state's multiplicity."""
        from ase import Atoms

        self.close()
        self._calculator = self._start(rung, multiplicity=MULTIPLICITIES[element])
        atom = Atoms(element, positions=[[edge / 2] * 3], cell=[edge] * 3, pbc=True)
        self._guarded(lambda: self._calculator.calculate(atom, ["energy"]))
        energy = float(self._calculator.results["energy"])
        self.close()
        return energy

    def _start(self, rung: Rung | None, *, multiplicity: int = 1) -> Any:
        from ase.calculators.cp2k import CP2K

        self._set_environment()
        self._read = 0
        (self._work / LOG).unlink(missing_ok=True)
        settings = self._settings
        try:
            with contextlib.chdir(self._work):
                return CP2K(
                    command=" ".join(self._words),
                    label=LABEL,  # CP2K's project, of at most 80 characters: no path
                    inp=sections(settings, rung, multiplicity=multiplicity),
                    xc=None,
                    max_scf=None,
                    basis_set=settings.basis,
                    pseudo_potential=settings.potential,
                    basis_set_file=None,
                    potential_file=None,
                    poisson_solver=None,
                    stress_tensor=False,
                    cutoff=settings.cutoff * RYDBERG,
                    force_eval_method="Quickstep",
                    print_level="LOW",
                )
        except (AssertionError, OSError, RuntimeError) as error:
            raise StageError(f"cp2k_shell does not start: {error or 'no answer'}") from error

    def _set_environment(self) -> None:
        """What CP2K reads from the environment, which ASE's calculator hands on."""
        os.environ.update(program_environment("cp2k"))
        if "CP2K_DATA_DIR" not in os.environ:
            there = next((folder for folder in DATA if Path(folder).is_dir()), None)
            if there is None:
                raise StageError(
                    f"CP2K's data are in none of {', '.join(DATA)}; name their folder in the profile "
                    "(programs: {cp2k: {environment: {CP2K_DATA_DIR: …}}})"
                )
            os.environ["CP2K_DATA_DIR"] = there

    def _guarded(self, work: Any) -> None:
        """Do it, within the profile's time limit. Raises what the log says went wrong."""
        limit = profile().program("cp2k").time_limit
        late = threading.Event()

        def stop() -> None:
            late.set()
            self._kill()

        timer = threading.Timer(limit, stop) if limit else None
        try:
            if timer:
                timer.start()
            with contextlib.chdir(self._work):
                work()
        except Exception as error:
            status = self._exit_status()
            self._kill()
            if late.is_set():
                raise StageError(
                    f"CP2K took longer than its time limit of {limit:g} s", log=LOG
                ) from None
            if status is not None and killed(status):
                raise KilledError(f"CP2K {ending(status)}", log=LOG) from None
            if SCF_FAILED.search(self._news()):
                raise self._not_converged() from None
            raise StageError(f"CP2K stopped: {self._last_words(error)}", log=LOG) from error
        finally:
            if timer:
                timer.cancel()
        if SCF_FAILED.search(self._news()):
            # what follows would start from a wavefunction that did not converge
            self._kill()
            raise self._not_converged()

    def _news(self) -> str:
        """What the log has got since the last label."""
        log = self._work / LOG
        text = log.read_text(errors="replace", encoding="utf-8") if log.exists() else ""
        new, self._read = text[self._read :], len(text)
        return new

    def _not_converged(self) -> NotConvergedError:
        return NotConvergedError(
            f"CP2K did not converge to {self._settings.eps_scf:g} (max_steps: dft.retries)", log=LOG
        )

    def _last_words(self, error: Exception) -> str:
        log = self._work / LOG
        if not log.exists():
            return " ".join(str(error).split()) or type(error).__name__
        text = log.read_text(errors="replace", encoding="utf-8")
        boxed = re.findall(r"^\s*\*\s+(?:\\___/)?\s*(\S.*?)\s*\*\s*$", text, re.MULTILINE)
        words = [line for line in boxed if re.search("[a-z]{3}", line) and not SOURCE.search(line)]
        return words[-1] if words else last_error(log, ("ABORT", "ERROR", "Error"))

    @staticmethod
    def _shell_of(calculator: Any) -> Any:
        """ASE's shell of CP2K, with its process; None if there is none."""
        if calculator is None:
            return None
        need(calculator, "_shell")
        shell = calculator._shell
        if shell is not None:
            need(shell, "_child")
        return shell

    def _exit_status(self) -> int | None:
        """How the process ended that gives no answer any more; None if it lives."""
        shell = self._shell_of(self._calculator)
        if shell is None:
            return None
        with contextlib.suppress(subprocess.TimeoutExpired):
            shell._child.wait(LAST_BREATH)
        status: int | None = shell._child.poll()
        return status

    def _kill(self) -> None:
        """End the process now, whatever it does, and forget it."""
        calculator, self._calculator = self._calculator, None
        shell = self._shell_of(calculator)
        if shell is None:
            return
        # ASE starts it through a shell, and would ask it to exit once more when it is forgotten
        child, shell._child, shell.isready, calculator._shell = shell._child, None, False, None
        for process in _with_children(child.pid):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        child.communicate()

    def tools(self) -> dict[str, str]:
        """The versions of CP2K and of ASE, whose calculator writes part of the input."""
        log = self._work / LOG
        text = log.read_text(errors="replace", encoding="utf-8")[:20000] if log.exists() else ""
        found = re.search(r"CP2K\| version string:\s*CP2K version (\S+)", text)
        return {"cp2k": found.group(1) if found else "unknown", "ase": version("ase")}

    def close(self) -> None:
        """End the process."""
        self._kill()
        for leftover in self._work.glob(f"{LABEL}*.wfn*"):
            leftover.unlink()


def session(settings: Cp2k, work: Path, forcefield: ForceField | None) -> Session:
    """cp2k_shell at work in a folder."""
    return Cp2kSession(settings, work)


def _with_children(pid: int) -> list[psutil.Process]:
    """A process and all that it started; none if it is gone."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
