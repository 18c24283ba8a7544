"""What programs of this machine answer when they are asked: their version, or that they work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packaging.version import Version

from ilmlip.engines.process import program_environment
from ilmlip.spec.profile import PACKAGES, ProgramName

PATIENCE = 60.0
"""Seconds that an answer may take."""
SAYS: dict[ProgramName, tuple[tuple[str, ...], str]] = {
    "pw.x": ((), r"Program PWSCF v\.?\s*(\d+(?:\.\d+)*)"),  # and then that it has no input
    "cp2k": (("--version",), r"CP2K version (\d+(?:\.\d+)*)"),
}
"""Arguments that make a program say its version, and how it stands there. VASP says it in a run."""
SINCE: dict[ProgramName, str] = {"pw.x": "6.7", "cp2k": "2023.1"}
"""The oldest versions that ilmlip was tried with."""
SLURM = {
    "sbatch": ("--version",),
    "srun": ("--version",),
    "squeue": ("--noheader", "--states=PENDING"),
    "scontrol": ("ping",),
    "sacct": ("--noheader", "--allocations", "--starttime=now"),
}
"""What `cluster=slurm` calls, with arguments that change nothing."""


@dataclass(frozen=True)
class Answer:
    """What a program said, and whether it ended well."""

    text: str
    good: bool


def ask(words: Sequence[str], environment: Mapping[str, str] | None = None) -> Answer:
    """Start a program in an empty folder, with nothing to read."""
    with tempfile.TemporaryDirectory(prefix="ilmlip-") as folder:
        try:
            done = subprocess.run(
                words,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=PATIENCE,
                check=False,
                env={**os.environ, **(environment or {})},
            )
        except subprocess.TimeoutExpired:
            return Answer(f"gives no answer in {PATIENCE:g} s", good=False)
        except OSError as error:
            return Answer(f"cannot be started: {error.strerror}", good=False)
    return Answer(done.stdout.decode(errors="replace"), done.returncode == 0)


def version(name: ProgramName, words: Sequence[str]) -> tuple[str, str]:
    """The version of a program of labels as it says itself, and what is wrong with it, if anything.

    words: its command, without a launcher. Both are empty where it can't be asked.
    """
    if name not in SAYS:
        return "", ""
    arguments, pattern = SAYS[name]
    said = ask([*words, *arguments], program_environment(name))
    found = re.search(pattern, said.text)
    if found is None:
        shown = last_line(said.text) or "it says nothing"
        return "", f"{' '.join(words)} does not say its version ({shown}); see if it starts"
    if Version(found[1]) < Version(SINCE[name]):
        wrong = f"is {found[1]}; ilmlip is made for {SINCE[name]} or later: install a later "
        return found[1], wrong + PACKAGES[name]
    return found[1], ""


def slurm(program: str) -> tuple[str, str]:
    """Where a program of Slurm is, and what is wrong with it, if anything."""
    path = shutil.which(program)
    if path is None:
        return "", (
            f"{program} is not found on PATH; install Slurm's programs (Debian: slurm-client), or "
            "start ilmlip on a node from which jobs are submitted"
        )
    said = ask([path, *SLURM[program]])
    if said.good:
        return path, ""
    why = last_line(said.text) or "no reason given"
    remedy = "start ilmlip where the cluster answers, or ask who keeps it (SLURM_CONF, slurmctld)"
    if program == "sacct":
        remedy = "without it the end of a killed job is not seen: it needs Slurm's slurmdbd"
    return path, f"does not answer ({why}); {remedy}"


def last_line(text: str) -> str:
    """The last line that says something, cut if it is long."""
    lines = [line.strip() for line in text.splitlines() if line.strip(" -*%\t")]
    return lines[-1][:200] if lines else ""
