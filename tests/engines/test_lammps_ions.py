"""Every shipped ion's energy, forces and stress, by LAMMPS against OpenMM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from liquid import CUTOFF, Liquid, shaken
from openmm_reference import Reference

from ilmlip.chemistry.ion import load_ion
from ilmlip.engines import lammps
from ilmlip.engines.labelling import Labelled
from ilmlip.spec.shipped import shipped
from ilmlip.spec.types import System

pytestmark = pytest.mark.engine

RELATIVE = 1e-3
"""What the term-by-term comparison must hold to."""
BOXES = {
    "opls_2009il": (
        {"EMIM": "emim", "BMIM": "bmim", "Li": "li", "PF6": "pf6", "BF4": "bf4", "NTf2": "ntf2"},
        {"EMIM": 5, "BMIM": 5, "Li": 2, "PF6": 4, "BF4": 4, "NTf2": 4},
        0.8,
        16.8,
    ),
    "clandp": ({"FOMIM": "fomim", "C4F9CO2": "c4f9co2"}, {"FOMIM": 7, "C4F9CO2": 7}, 0.7, 17.2),
}
"""Of each box: data files, numbers of ions, charge scaling, edge (Å, more than two cutoffs)."""


def conf(name: str) -> Path:
    return shipped("conf") / "ion" / f"{name}.yaml"


class Case:
    """One box, computed by both."""

    def __init__(self, name: str, work: Path) -> None:
        files, counts, scale, edge = BOXES[name]
        ions = {ion: load_ion(conf(file)) for ion, file in files.items()}
        system = System(name=name, ions=ions, salts={}, charge_scale=scale)
        self.liquid: Liquid = shaken(system, counts, edge, work, 21.0)
        self.positions = self.liquid.atoms.positions
        self.cell = self.liquid.atoms.cell.array
        label = work / "label"
        label.mkdir()
        box = self.liquid.box
        (label / lammps.DATA).write_text(
            lammps.data_file(box, self.positions, [edge] * 3), encoding="utf-8"
        )
        (label / lammps.INPUT).write_text(
            lammps.label_input(box, lammps.Interactions(CUTOFF, 1e-6)), encoding="utf-8"
        )
        lammps.run(label)
        self.ours: Labelled = lammps.read_label(label)
        paths = {ion: conf(file) for ion, file in files.items()}
        self.theirs = Reference(paths, box.names, scale, CUTOFF)


@pytest.fixture(scope="module", params=BOXES)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    return Case(request.param, Path(tmp_path_factory.mktemp(request.param)))


def test_each_term_agrees_with_openmm(case: Case) -> None:
    theirs = case.theirs.terms(case.positions, case.cell)
    for term, energy in theirs.items():
        assert abs(energy) > 0.01, term  # eV; a term that vanishes would prove nothing
        assert case.ours.terms[term] == pytest.approx(energy, rel=RELATIVE), term
    assert case.ours.energy == pytest.approx(sum(theirs.values()), rel=RELATIVE)


def test_forces_agree_with_openmm(case: Case) -> None:
    theirs = case.theirs.forces(case.positions, case.cell)
    scale = np.sqrt((theirs**2).mean())
    assert np.abs(case.ours.forces - theirs).max() < RELATIVE * scale


def test_stress_is_the_strain_derivative_of_openmms_energy(case: Case) -> None:
    theirs = case.theirs.stress(case.positions, case.cell)
    assert np.abs(theirs).max() > 1e-3  # eV/Å³
    assert np.abs(case.ours.stress - theirs).max() < 2e-3 * np.abs(theirs).max()
