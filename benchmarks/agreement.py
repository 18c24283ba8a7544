"""Engines of labels on the same geometries of LiPF6, at the shipped settings: do they agree?"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Table
from ilmlip.chemistry.boxes import read_one
from ilmlip.engines import gpaw
from ilmlip.engines.labelling import Labelled, open_session
from ilmlip.plan.frames import engine_params
from ilmlip.spec.load import load
from ilmlip.stages.labelling import Labelling
from ilmlip.units import BAR

DATA = Path(__file__).parents[1] / "tests" / "data"
ENGINES = ("qe_pbe_d3", "qe_pbe_d3_nc", "cp2k_pbe_d3", "gpaw_pbe_d3", "gfn1_xtb")
"""The first is what the others are compared with."""
KBAR = 1000 * BAR


def labels(option: str) -> tuple[list[Labelled], float, str]:
    """The labels of all geometries, the seconds they took, and the engine's version.

    Two with strained bonds, and one near the minimum of tight binding.
    """
    dft = load([f"dft={option}"]).dft
    first, near = (read_one(DATA / name, 0) for name in ("lipf6.extxyz", "lipf6_relaxed.extxyz"))
    second = first.copy()
    second.rattle(0.08, seed=7)
    chosen = Labelling.model_validate(engine_params(dft, first.get_chemical_symbols()))
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        name = chosen.engine()
        with open_session(
            name, getattr(chosen, name), Path(folder), d3=chosen.dispersion
        ) as session:
            found = [session.label(atoms) for atoms in (first, second, near)]
            said = ", ".join(f"{tool} {number}" for tool, number in session.tools().items())
        return found, time.monotonic() - began, said


def rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(values**2)))


def main(quick: bool) -> Table:
    """A row an engine; with `quick`, tight binding alone."""
    rows: list[tuple[str, ...]] = []
    reference: list[Labelled] = []
    for option in ENGINES[-1:] if quick else ENGINES:
        if option == "gpaw_pbe_d3" and gpaw.lacks():
            continue  # an optional extra
        found, seconds, tools = labels(option)
        reference = reference or found
        here, there = (np.array([one.forces for one in ones]) for ones in (found, reference))
        apart = here - there
        pressures = [-one.stress[:3].mean() / KBAR for one in found if one.stress is not None]
        rows.append(
            (
                f"`{option}` ({tools})",
                f"{np.abs(here[:2]).max():.2f}; {np.abs(here[2]).max():.2f}",
                f"{np.abs(apart[:2]).max():.3f}; {np.abs(apart[2]).max():.3f}",
                f"{rms(apart[:2]):.3f}; {rms(apart[2]):.3f}",
                f"{np.corrcoef(here.ravel(), there.ravel())[0, 1]:.5f}",
                ", ".join(f"{one.energy - found[0].energy:.3f}" for one in found[1:]),
                ", ".join(f"{pressure:.1f}" for pressure in pressures),
                f"{seconds:.0f}",
            )
        )
    return Table(
        "agreement",
        ("ase", "tblite"),
        (
            "engine",
            "largest force component, eV/Å",
            "largest difference, eV/Å",
            "RMS difference, eV/Å",
            "correlation of components",
            "energies of the second and third less that of the first, eV",
            "pressures, kbar",
            "three labels, s",
        ),
        rows,
    )
