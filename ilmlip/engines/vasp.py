"""VASP: labels by a run each. INCAR, KPOINTS and POSCAR are written, vasprun.xml is read.

VASP is not free: the user has the program and its POTCAR files. None of these is kept in a store.
D3 is added by `dispersion`, since VASP's has no three-body term.
"""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

import numpy as np
from numpy.typing import NDArray

from ilmlip.chemistry.elements import MULTIPLICITIES
from ilmlip.engines.labelling import Labelled, NotConvergedError, Session, same_box
from ilmlip.engines.process import execute, last_error, program_environment, program_words
from ilmlip.engines.pseudopotentials import checked_files
from ilmlip.errors import SpecError, StageError
from ilmlip.spec.dft import Rung, Vasp
from ilmlip.spec.profile import profile

if TYPE_CHECKING:
    from ase import Atoms

    from ilmlip.chemistry.forcefield import ForceField

INCAR, KPOINTS, POSCAR, POTCAR = "INCAR", "KPOINTS", "POSCAR", "POTCAR"
RESULT, DETAILS, LOG = "vasprun.xml", "OUTCAR", "vasp.out"
WAVES = "WAVECAR"
MAX_STEPS = 100
"""Most iterations of the electrons (VASP's own default is 60)."""
REACHED, MISSED = "aborting loop because EDIFF is reached", "EDIFF was not reached"
COMPLAINTS = ("VERY BAD NEWS", "EDDDAV", "ZBRENT", "internal error", "ERROR", "Error")


# --- write


def tags(
    settings: Vasp, rung: Rung | None = None, *, warm: bool = False
) -> dict[str, str | int | float]:
    """INCAR of a single point; `warm` starts from the wavefunctions in WAVECAR."""
    most = rung.max_steps if rung and rung.max_steps else MAX_STEPS
    found: dict[str, str | int | float] = {
        "GGA": "PE",
        "PREC": "Accurate",
        "ENCUT": settings.encut,
        "EDIFF": settings.ediff,
        "NELM": most,
        "ISMEAR": 0,
        "SIGMA": settings.sigma,
        "LREAL": ".FALSE.",
        "IBRION": -1,
        "NSW": 0,
        "ISIF": 2,
        "ISYM": 0,
        "ISTART": int(warm),
        "LWAVE": ".TRUE.",
        "LCHARG": ".FALSE.",
    }
    if rung and rung.mixing:
        found["AMIX"] = rung.mixing
    return found


def atomic_tags(settings: Vasp, rung: Rung | None, multiplicity: int) -> dict[str, Any]:
    """INCAR of a single atom in its ground state's spin."""
    unpaired = multiplicity - 1
    return tags(settings, rung) | {"ISPIN": 2, "MAGMOM": unpaired, "NUPDOWN": unpaired}


def incar_text(chosen: dict[str, Any]) -> str:
    """INCAR, a tag a line."""
    shown = {k: f"{v:g}" if isinstance(v, float) else str(v) for k, v in chosen.items()}
    return "".join(f"{name} = {value}\n" for name, value in shown.items())


def kpoints_text(mesh: tuple[int, int, int]) -> str:
    """KPOINTS of a mesh that is centred on Γ."""
    return f"mesh\n0\nGamma\n{mesh[0]} {mesh[1]} {mesh[2]}\n0 0 0\n"


def by_element(atoms: Atoms) -> NDArray[np.intp]:
    """The order of the atoms in POSCAR: elements by the alphabet, each in the frame's order."""
    return np.argsort(np.array(atoms.get_chemical_symbols()), kind="stable")


def poscar_text(atoms: Atoms) -> str:
    """POSCAR, the elements in the order of POTCAR."""
    from ase import Atoms as Frame
    from ase.io.vasp import write_vasp

    ordered = atoms[by_element(atoms)]
    out = StringIO()
    # positions and cell alone: momenta would follow as velocities
    write_vasp(
        out, Frame(ordered.numbers, positions=ordered.positions, cell=ordered.cell, pbc=True)
    )
    return out.getvalue()


# --- read


def read_label(work: Path, order: NDArray[np.intp]) -> Labelled:
    """Free energy, forces and stress, the atoms in the frame's order again.

    The free energy, of smeared occupations, is what forces and stress are derivatives of. Raises
    StageError for a file that is cut off or lacks one of them.
    """
    from ase.io.vasp import read_vasp_xml

    try:
        frame = next(iter(read_vasp_xml(str(work / RESULT), index=-1)))
        results = frame.calc.results if frame.calc is not None else {}
    except (OSError, ParseError, StopIteration, AttributeError, IndexError, ValueError) as error:
        raise StageError(
            f"VASP left no {RESULT} that can be read: {last_error(work / LOG, COMPLAINTS)}",
            log=LOG,
        ) from error
    missing = [name for name in ("free_energy", "forces", "stress") if results.get(name) is None]
    if missing:
        raise StageError(
            f"VASP gave no {' and no '.join(missing)}: {last_error(work / LOG, COMPLAINTS)}",
            log=LOG,
        )
    forces = np.empty((len(order), 3))
    forces[order] = results["forces"]
    return Labelled(
        float(results["free_energy"]), forces, np.asarray(results["stress"], float)
    ).checked("VASP", LOG)


def converged(work: Path, most: int) -> bool:
    """Whether the electrons converged: by OUTCAR's own words, else by steps below the most."""
    details = work / DETAILS
    words = details.read_text(errors="replace", encoding="utf-8") if details.exists() else ""
    if MISSED in words:
        return False
    if REACHED in words:
        return True
    return (
        0 < (work / RESULT).read_text(errors="replace", encoding="utf-8").count("<scstep>") < most
    )


def version_of(result: Path) -> str:
    """VASP's version, as vasprun.xml says."""
    with result.open(encoding="utf-8", errors="replace") as lines:
        found = re.search(r'name="version"[^>]*>\s*(\S+?)\s*<', lines.read(2000))
    return found.group(1) if found else "unknown"


# --- execute


class VaspSession(Session):
    """VASP at work: a run for each label, from the last wavefunctions where the cell is the same."""

    def __init__(self, settings: Vasp, work: Path) -> None:
        self._words, self._settings, self._work = program_words("vasp"), settings, work
        self._version = "unknown"
        self._last: Atoms | None = None

    def label(self, atoms: Atoms, rung: Rung | None = None) -> Labelled:
        """One self-consistent calculation."""
        warm = self._last is not None and same_box(self._last, atoms)
        self._last = None
        found = self._run(atoms, tags(self._settings, rung, warm=warm), self._settings.kpoints)
        self._last = atoms.copy()
        return found

    def atom(self, element: str, edge: float, rung: Rung | None = None) -> float:
        """At Γ, spin-polarised, in the ground state's multiplicity."""
        from ase import Atoms

        chosen = atomic_tags(self._settings, rung, MULTIPLICITIES[element])
        atom = Atoms(element, positions=[[edge / 2] * 3], cell=[edge] * 3, pbc=True)
        self._last = None
        return self._run(atom, chosen, (1, 1, 1)).energy

    def _run(self, atoms: Atoms, chosen: dict[str, Any], mesh: tuple[int, int, int]) -> Labelled:
        work = self._work
        self._join_potentials(atoms)
        (work / INCAR).write_text(incar_text(chosen), encoding="utf-8")
        (work / KPOINTS).write_text(kpoints_text(mesh), encoding="utf-8")
        (work / POSCAR).write_text(poscar_text(atoms), encoding="utf-8")
        for old in (RESULT, DETAILS, *(() if chosen["ISTART"] else (WAVES,))):
            (work / old).unlink(missing_ok=True)
        execute(
            self._words,
            work,
            LOG,
            environment=program_environment("vasp"),
            errors=COMPLAINTS,
            time_limit=profile().program("vasp").time_limit,
        )
        found = read_label(work, by_element(atoms))
        self._version = version_of(work / RESULT)
        if not converged(work, int(chosen["NELM"])):
            raise NotConvergedError(
                f"VASP did not converge to {self._settings.ediff:g} eV in {chosen['NELM']} steps "
                "(AMIX and NELM: dft.retries)",
                command=" ".join(self._words),
                log=LOG,
            )
        return found

    def _join_potentials(self, atoms: Atoms) -> None:
        chosen = self._settings
        try:
            files = checked_files(
                chosen.family,
                chosen.pseudopotentials,
                atoms.get_chemical_symbols(),
                "dft.vasp",
                inside=POTCAR,
            )
        except SpecError as error:
            raise StageError(str(error)) from None
        joined = b"".join(files[element].read_bytes() for element in sorted(files))
        (self._work / POTCAR).write_bytes(joined)

    def tools(self) -> dict[str, str]:
        """The version of VASP."""
        return {"vasp": self._version}

    def files(self) -> tuple[str, ...]:
        """The last inputs but POTCAR, which its licence keeps from being handed on."""
        return (INCAR, KPOINTS, POSCAR)

    def close(self) -> None:
        """Remove POTCAR, and what is large."""
        for name in (POTCAR, WAVES, "CHG", "CHGCAR"):
            (self._work / name).unlink(missing_ok=True)


def session(settings: Vasp, work: Path, forcefield: ForceField | None) -> Session:
    """VASP at work in a folder."""
    return VaspSession(settings, work)
