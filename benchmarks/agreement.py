"""Engines of labels on the same two geometries of LiPF6, at the shipped settings: do they agree?"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.report import Table
from ilmlip.chemistry.boxes import read_one
from ilmlip.engines import gpaw
from ilmlip.engines.labelling import Labelled, open_session
from ilmlip.plan.frames import engine_params
from ilmlip.spec.load import load
from ilmlip.stages.labelling import Labelling
from ilmlip.units import BAR

FRAME = Path(__file__).parents[1] / "tests" / "data" / "lipf6.extxyz"
ENGINES = ("qe_pbe_d3", "qe_pbe_d3_nc", "cp2k_pbe_d3", "gpaw_pbe_d3", "gfn1_xtb")
"""The first is what the others are compared with."""
KBAR = 1000 * BAR


def labels(option: str) -> tuple[list[Labelled], float, str]:
    """The labels of both geometries, the seconds they took, and the engine's version."""
    dft = load([f"dft={option}"]).dft
    first = read_one(FRAME, 0)
    second = first.copy()
    second.rattle(0.08, seed=7)
    chosen = Labelling.model_validate(engine_params(dft, first.get_chemical_symbols()))
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        name = chosen.engine()
        with open_session(name, getattr(chosen, name), Path(folder)) as session:
            found = [session.label(atoms) for atoms in (first, second)]
            said = ", ".join(f"{tool} {number}" for tool, number in session.tools().items())
        return found, time.monotonic() - began, said


def main(quick: bool) -> Table:
    """A row an engine; with `quick`, tight binding alone."""
    rows: list[tuple[str, ...]] = []
    reference: list[Labelled] = []
    for option in ENGINES[-1:] if quick else ENGINES:
        if option == "gpaw_pbe_d3" and gpaw.lacks():
            continue  # an optional extra
        found, seconds, tools = labels(option)
        reference = reference or found
        here = np.concatenate([one.forces.ravel() for one in found])
        there = np.concatenate([one.forces.ravel() for one in reference])
        pressures = [-one.stress[:3].mean() / KBAR for one in found if one.stress is not None]
        rows.append(
            (
                f"`{option}` ({tools})",
                f"{np.abs(here).max():.3f}",
                f"{np.abs(here - there).max():.3f}",
                f"{np.sqrt(np.mean((here - there) ** 2)):.3f}",
                f"{np.corrcoef(here, there)[0, 1]:.5f}",
                f"{found[1].energy - found[0].energy:.3f}",
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
            "energy difference of the two geometries, eV",
            "pressures, kbar",
            "both labels, s",
        ),
        rows,
    )
