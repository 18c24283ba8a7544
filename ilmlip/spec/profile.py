"""This machine's programs: where pw.x, CP2K and VASP are, how they start, where pseudopotentials lie.

The profile is a YAML file of the user's own, `$ILMLIP_PROFILE` or `~/.config/ilmlip/profile.yaml`.
It also limits what `ilmlip run` starts unasked. It is no part of a spec, so that a spec from a
stranger names no command; and of no key.
"""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path
from typing import Literal

import yaml
from pydantic import ValidationError

from ilmlip.errors import SpecError
from ilmlip.record import Record, field

ProgramName = Literal["pw.x", "cp2k", "vasp", "lammps"]

DEFAULTS: dict[ProgramName, tuple[str, ...]] = {
    "pw.x": ("pw.x",),
    "cp2k": ("cp2k_shell.psmp", "cp2k_shell"),
    "vasp": ("vasp_std",),
}
"""What is looked for on PATH when the profile says nothing; LAMMPS comes with ilmlip."""

PACKAGES: dict[ProgramName, str] = {
    "pw.x": "Quantum ESPRESSO (Debian: quantum-espresso)",
    "cp2k": "CP2K (Debian: cp2k and cp2k-data)",
    "vasp": "VASP (by its licence)",
}
"""What to install for a program."""


class Program(Record):
    """How one program starts here. Of lammps: the one of its sampling and labels."""

    command: str = field("The program, with arguments; empty: found on PATH", default="")
    launcher: str = field("Words in front of it, such as: mpirun -np 4", default="")
    slurm_launcher: str = field(
        "Words in front of it in a job of Slurm's instead, such as: srun -n {ranks} -c {threads}; "
        "{ranks} and {threads} are what the job was given (cluster.stages)",
        default="",
    )
    environment: dict[str, str] = field("Further environment variables", default={})
    time_limit: float | None = field(
        "Longest wall time of one label; null: that of the job", unit="s", gt=0, default=None
    )


class SlurmHere(Record):
    """What a job of Slurm's needs on this cluster."""

    setup: tuple[str, ...] = field(
        "Lines of shell at the beginning of each job, such as: module load qe", default=()
    )


class Limits(Record):
    """How much work `ilmlip run` starts without being told --yes."""

    core_hours: float = field("Largest estimate of a run", unit="core-hours", gt=0, default=50.0)
    tasks: int = field("Most tasks of a run", ge=1, default=5000)


class Profile(Record):
    """This machine's programs, and how much work a run may be."""

    limits: Limits = field("What a run may take before it asks", default=Limits())

    slurm: SlurmHere = field("What jobs of Slurm's begin with", default=SlurmHere())
    programs: dict[ProgramName, Program] = field("How each program starts", default={})
    tracking: tuple[str, ...] = field(
        "Full tracking URIs, with password or token: one of them is taken where a spec's tracking.uri "
        "is the same without these",
        default=(),
    )
    pseudopotentials: str = field(
        "Folder that holds a folder for each family of pseudopotentials", default=""
    )

    def words(self, name: ProgramName) -> list[str] | None:
        """The command line that starts a program, or None if it is not there."""
        program = self.programs.get(name, Program())
        found = shlex.split(program.command)
        if not found:
            there = next((path for n in DEFAULTS.get(name, ()) if (path := shutil.which(n))), None)
            if there is None:
                return None
            found = [there]
        elif shutil.which(found[0]) is None:
            return None
        return [*self.launcher(name), *found]

    def lacks(self, name: ProgramName) -> str:
        """What of a program is not there, and the remedy; empty if it can start."""
        program = self.program(name)
        launcher = self.launcher(name)
        if launcher and shutil.which(launcher[0]) is None:
            return (
                f"the launcher {launcher[0]} of {name} is not there; fix programs.{name}.launcher "
                f"in {profile_path()}"
            )
        if self.words(name) is not None:
            return ""
        if program.command:
            return (
                f"the command {program.command!r} of {name} is not there; fix "
                f"programs.{name}.command in {profile_path()}"
            )
        return (
            f"{' or '.join(DEFAULTS[name])} is not found on PATH; install {PACKAGES[name]}, or name "
            f"the command in {profile_path()} (programs: {{{name}: {{command: …}}}})"
        )

    def launcher(self, name: ProgramName) -> list[str]:
        """The words in front of a program: in a job of Slurm's, those for it."""
        program = self.program(name)
        if program.slurm_launcher and "SLURM_JOB_ID" in os.environ:
            ranks = os.environ.get("SLURM_NTASKS", "1")
            words = program.slurm_launcher.replace("{ranks}", ranks)
            return shlex.split(words.replace("{threads}", threads()))
        return shlex.split(program.launcher)

    def program(self, name: ProgramName) -> Program:
        """What is said of a program, or the defaults."""
        return self.programs.get(name, Program())


def threads() -> str:
    """The threads of each rank of a program: those of the job of Slurm's, or one."""
    return os.environ.get("SLURM_CPUS_PER_TASK", "1") if "SLURM_JOB_ID" in os.environ else "1"


def profile_path() -> Path:
    """Where this machine's profile is, there or not."""
    named = os.environ.get("ILMLIP_PROFILE")
    return Path(named) if named else Path.home() / ".config" / "ilmlip" / "profile.yaml"


def profile() -> Profile:
    """This machine's profile; the defaults if there is no file.

    Raises SpecError for a file that is no profile, and for one that ILMLIP_PROFILE names and that
    is not there.
    """
    path = profile_path()
    if not path.exists():
        if "ILMLIP_PROFILE" in os.environ:
            raise SpecError(str(path), "is not there; ILMLIP_PROFILE names it")
        return Profile()
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        return Profile.model_validate(data)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SpecError(
            str(path), f"cannot be read as YAML: {' '.join(str(error).split())}"
        ) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        valid = (
            f"; valid keys: {', '.join(Profile.model_fields)}" if "extra" in first["type"] else ""
        )
        raise SpecError(f"{path}: {place}", f"{first['msg']}{valid}") from None
