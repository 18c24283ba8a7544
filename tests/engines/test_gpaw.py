"""Labels by GPAW: against derivatives of its own energy, and how it fails."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from derivatives import MOVED, force, small_pair, strained
from outside import require

from ilmlip.engines import gpaw
from ilmlip.engines.labelling import NotConvergedError, open_session
from ilmlip.errors import StageError
from ilmlip.spec.dft import D3, Gpaw, Rung
from ilmlip.spec.load import load
from ilmlip.stages.labelling import tried

FRAME = Path(__file__).parents[1] / "data" / "lipf6.extxyz"
CHEAP = Gpaw(
    cutoff=400,
    energy_convergence=1e-7,
    density_convergence=1e-5,
    kpoints=(1, 1, 1),
)
LABELS = (pytest.mark.engine, pytest.mark.slow, pytest.mark.usefixtures("installed"))


@pytest.fixture
def installed() -> None:
    require(not gpaw.lacks(), "GPAW (make gpaw)")


@pytest.fixture
def pair() -> Atoms:
    return small_pair()


def marked(*marks: pytest.MarkDecorator):
    def mark(test):
        for one in marks:
            test = one(test)
        return test

    return mark


@marked(*LABELS)
def test_forces_are_the_negative_gradient(pair: Atoms, tmp_path: Path) -> None:
    d3 = D3(damping="d3", three_body=True)
    with open_session("gpaw", CHEAP, tmp_path, d3=d3) as session:
        found = session.label(pair)
        for atom, axis in MOVED:  # from the last wavefunctions
            slope = force(lambda moved: session.label(moved).energy, pair, atom, axis)
            assert found.forces[atom, axis] == pytest.approx(slope, abs=0.01)
        again = session.label(pair)
        assert set(session.tools()) == {"gpaw", "gpaw-data", "dftd3"}
    assert again.energy == pytest.approx(found.energy, abs=2e-5)
    assert found.terms["d3"] < 0 and sum(found.terms.values()) == pytest.approx(found.energy)


@marked(*LABELS)
def test_stress_is_the_strain_derivative(pair: Atoms, tmp_path: Path) -> None:
    """A swelling box keeps its plane waves when the cutoff falls by the square of its edge.

    At a fixed cutoff it gains some, and the energy falls: 0.12 eV/Å³ at 400 eV (Pulay stress).
    """
    strain = 0.004
    with open_session("gpaw", CHEAP, tmp_path) as session:
        found = session.label(pair)
    assert found.stress is not None
    ends = []
    for sign in (1, -1):
        factor = 1 + sign * strain
        same_waves = CHEAP.model_copy(update={"cutoff": CHEAP.cutoff / factor**2})
        with open_session("gpaw", same_waves, tmp_path) as session:
            ends.append(session.label(strained(pair, factor * np.eye(3))).energy)
    slope = (ends[0] - ends[1]) / (2 * strain * pair.get_volume())
    assert found.stress[:3].sum() == pytest.approx(slope, abs=0.0015)


@marked(*LABELS)
def test_a_label_that_does_not_converge_is_tried_again(pair: Atoms, tmp_path: Path) -> None:
    with open_session("gpaw", CHEAP, tmp_path) as session:
        ladder = (Rung(max_steps=3), Rung(mixing=0.1, max_steps=80))
        with pytest.raises(NotConvergedError, match="did not converge in 2 steps"):
            session.label(pair, Rung(max_steps=2))
        found, tries = tried(lambda r: session.label(pair, r or Rung(max_steps=2)), ladder)
    assert [bool(one["reason"]) for one in tries] == [True, True, False]
    assert np.isfinite(found.energy)


@marked(*LABELS)
def test_a_single_atom_has_its_spin(tmp_path: Path) -> None:
    """GPAW counts from the reference atom without spin: PBE's spin polarisation of H is left."""
    with open_session("gpaw", CHEAP, tmp_path) as session:
        assert session.atom("H", 7.0) == pytest.approx(-1.1, abs=0.2)


def test_without_the_extra_the_remedy_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpaw, "find_spec", lambda name: None)
    with pytest.raises(StageError, match="make gpaw"):
        open_session("gpaw", CHEAP, tmp_path)


def test_the_shipped_settings_and_what_a_rung_changes() -> None:
    chosen = load(["dft=gpaw_pbe_d3"]).dft.gpaw
    assert chosen is not None
    assert gpaw.parameters(chosen)["mode"] == {"name": "pw", "ecut": chosen.cutoff}
    changed = gpaw.parameters(chosen, Rung(mixing=0.02, max_steps=7))
    assert (changed["mixer"]["beta"], changed["maxiter"]) == (0.02, 7)
    assert "gpaw" not in sys.modules or gpaw.lacks() == ""
