"""What a program's own output says of its steps: how many are whole, and which did not converge.

ASE's readers give what they can read and are silent about the rest: a step that was cut off, a
second run in the same file, a self-consistency that stopped at its limit. Here the file is read
once more for that alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from ilmlip.chemistry.extxyz import open_text


@dataclass(frozen=True)
class Outcome:
    """The steps of an output, in the order in which ASE gives them as frames."""

    steps: int | None = None
    """Whole steps, which ASE must give; None if that cannot be counted."""
    unconverged: Mapping[int, str] = field(default_factory=dict)
    """By step: what the program said."""
    cut: str = ""
    """What is missing at the end; empty if nothing is."""


def outcome(path: Path, format: str) -> Outcome:
    """What the output says. Raises ValueError for one that holds more than ASE would read."""
    reader = READERS.get(format)
    if reader is not None:
        return reader(path)
    return _marked(path, *MARKS[format]) if format in MARKS else Outcome()


# --- VASP

MISSED, REACHED = "EDIFF was not reached", "EDIFF is reached"


def _vasprun(path: Path) -> Outcome:
    """vasprun.xml: a step that used all NELM iterations did not converge."""
    most, steps, open_step = 60, 0, False
    unconverged: dict[int, str] = {}
    cut = ""
    try:
        # ASE reads by the name, uncompressed
        for event, element in ElementTree.iterparse(path, events=("start", "end")):
            if event == "start":
                open_step = open_step or element.tag == "calculation"
            elif element.tag == "i" and element.get("name") == "NELM":
                most = int(element.text or most)
            elif element.tag == "calculation":
                used = len(element.findall("scstep"))
                if used >= most:
                    unconverged[steps] = (
                        f"did not converge: it used all {used} electronic iterations (NELM={most})"
                    )
                steps, open_step = steps + 1, False
                element.clear()
    except ElementTree.ParseError as error:
        if "junk after" in str(error):
            raise ValueError(
                f"has content after its end ({error}); put each run into its own file"
            ) from error
        cut = f"is cut off{' inside a step' if open_step else ''} ({error})"
    return Outcome(steps, unconverged, cut)


def _outcar(path: Path) -> Outcome:
    """OUTCAR: each step says whether EDIFF was reached; older ones are judged by NELM."""
    most, steps, runs, used = 60, 0, 0, 0
    missed = reached = False
    unconverged: dict[int, str] = {}
    with open_text(path) as lines:
        for line in lines:
            if "executed on" in line:
                runs += 1
            elif found := re.search(r"\bNELM\s*=\s*(\d+)", line):
                most = int(found.group(1))
            elif "Iteration" in line and "(" in line:
                used += 1
            elif MISSED in line:
                missed = True
            elif REACHED in line:
                reached = True
            elif "FREE ENERGIE OF THE ION-ELECTRON SYSTEM" in line:
                if missed or (not reached and used >= most):
                    unconverged[steps] = (
                        f"did not converge to EDIFF in {used} electronic iterations (NELM={most})"
                    )
                steps, used, missed, reached = steps + 1, 0, False, False
    if runs > 1:
        raise ValueError(f"holds {runs} runs of VASP; put each run into its own file")
    return Outcome(steps, unconverged, "ends inside a step" if used else "")


# --- Quantum ESPRESSO

PW_START, PW_POSITIONS, PW_DONE = "Program PWSCF", "ATOMIC_POSITIONS", "JOB DONE."
PW_RESULTS = ("!    total energy", "Forces acting on atoms", "total   stress",
              "Magnetic moment per site", "End of self-consistent calculation",
              "End of band structure calculation")  # fmt: skip
"""What makes ASE take a configuration for a frame."""


def _pwscf(path: Path) -> Outcome:
    """Output of pw.x: one or several runs, each of one configuration or of a series.

    With scf_must_converge=.false. pw.x says that convergence was achieved when it was not; the
    accuracy that it prints tells.
    """
    steps, cut, threshold = 0, "", float("inf")
    unconverged: dict[int, str] = {}
    has = done = False
    said = ""
    begun = False

    def close() -> None:
        nonlocal steps, cut
        if has and said:
            unconverged[steps] = f"did not converge: {said!r}"
        steps += has
        if not has and not done and begun:
            cut = cut or f"has a configuration without results after {steps} steps"

    with open_text(path) as lines:
        for line in lines:
            if PW_START in line or PW_POSITIONS in line:
                close()
                begun, has, done, said = True, False, False, ""
            elif any(mark in line for mark in PW_RESULTS):
                has = True
            elif found := re.match(r"\s*scf convergence threshold\s*=\s*(\S+)", line):
                threshold = float(found.group(1))
            elif found := re.match(r"\s*estimated scf accuracy\s*<\s*(\S+) Ry", line):
                rough = float(found.group(1)) > 1.01 * threshold + 1e-8  # as printed
                last = f"{' '.join(line.split())}, with a threshold of {threshold:g} Ry"
                said = last if rough else ""
            elif "convergence NOT achieved" in line:
                said = " ".join(line.split())
            elif PW_DONE in line:
                done = True
    close()
    if begun and not done:
        cut = cut or f"ends without {PW_DONE!r}"
    return Outcome(steps, unconverged, cut)


# --- GPAW and others


def _gpaw(path: Path) -> Outcome:
    """Text output of GPAW: a block of positions for each step."""
    steps = whole = 0
    failed = ""
    with open_text(path) as lines:
        for line in lines:
            low = line.lower()
            if low.startswith("positions:"):
                steps += 1
            elif low.startswith("energy contributions relative to"):
                whole += 1
            elif "did not converge" in low:
                failed = " ".join(line.split())
    missing = steps - whole
    unconverged = {whole: f"did not converge: {failed!r}"} if failed else {}
    return Outcome(None, unconverged, "ends inside a step" if missing else "")


ULM = b"- of Ulm"
"""What a file of ASE's own binary format begins with."""


def _trajectory(path: Path) -> Outcome:
    """ASE's .traj: of several files joined into one ASE reads the first."""
    number, tail = 0, b""
    with path.open("rb") as source:
        while chunk := source.read(1 << 20):
            number += (tail + chunk).count(ULM)
            tail = chunk[-len(ULM) + 1 :]
    if number > 1:
        raise ValueError(f"holds {number} trajectories; put each into its own file")
    return Outcome()


MARKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "aims-output": ("Have a nice day", ("Self-consistency cycle not converged",)),
    "castep-castep": ("Total time", ("max. SCF cycles performed",)),
    "abinit-out": ("Calculation completed", ("was not enough scf cycles to converge",)),
    "orca-output": ("ORCA TERMINATED NORMALLY", ("SCF NOT CONVERGED", "not fully converged")),
}
"""Format by ASE's name: what a whole output ends with, and what an unconverged one says."""


def _marked(path: Path, end: str, failures: tuple[str, ...]) -> Outcome:
    """Raises ValueError for an output that says that something did not converge."""
    ended = False
    with open_text(path) as lines:
        for number, line in enumerate(lines, 1):
            ended = ended or end in line
            if any(mark in line for mark in failures):
                raise ValueError(
                    f"says {' '.join(line.split())!r} in line {number}: a step did not converge, and "
                    "it cannot be told which frame that is; leave the file out"
                )
    return Outcome(cut="" if ended else f"ends without {end!r}")


READERS: dict[str, Callable[[Path], Outcome]] = {
    "vasp-xml": _vasprun,
    "vasp-out": _outcar,
    "espresso-out": _pwscf,
    "gpaw-out": _gpaw,
    "traj": _trajectory,
}
