"""Labels by pw.x: against derivatives of its own energy, and how it fails."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from derivatives import MOVED, STRAINED, force, small_pair, stress
from outside import PSEUDO, require, require_pseudopotentials, use_pseudopotentials

from ilmlip.engines import qe
from ilmlip.engines.files import frames
from ilmlip.engines.labelling import Labelled, NotConvergedError, open_session
from ilmlip.errors import StageError
from ilmlip.spec.derived import Aimd, Relax
from ilmlip.spec.dft import Qe, Rung
from ilmlip.spec.files import Reading
from ilmlip.spec.load import load
from ilmlip.stages.labelling import tried

pytestmark = [pytest.mark.engine, pytest.mark.slow]


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require(shutil.which("pw.x") is not None, "pw.x (Debian: quantum-espresso)")
    require_pseudopotentials()
    use_pseudopotentials(tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def pair() -> Atoms:
    return small_pair()


@pytest.fixture
def cheap() -> Qe:
    """Norm-conserving, at half the cutoff of production."""
    chosen = load(["dft=qe_pbe_d3_nc"]).dft.qe
    assert chosen is not None
    return chosen.model_copy(update={"ecutwfc": 40.0, "ecutrho": 160.0, "conv_thr": 1e-10})


def energy(atoms: Atoms, settings: Qe, work: Path) -> float:
    work.mkdir(exist_ok=True)
    with open_session("qe", settings, work) as session:
        return session.label(atoms).energy


def imported_as_labelled(log: Path, label: Labelled) -> None:
    """pw.x's own output, read as a file of labels, says the same."""
    how = Reading(format="espresso-out", stress_key="stress")
    (one,) = frames(log, how)
    found = one.label
    assert found is not None
    assert found.energy == pytest.approx(label.energy, abs=1e-5)
    assert np.allclose(found.forces, label.forces, atol=1e-4)
    assert label.stress is not None
    assert np.allclose(found.stress, label.stress, atol=1e-5)


def test_forces_are_the_negative_gradient(pair: Atoms, cheap: Qe, tmp_path: Path) -> None:
    with open_session("qe", cheap, tmp_path) as session:
        found = session.label(pair)
        imported_as_labelled(tmp_path / qe.LOG, found)
        for atom, axis in MOVED:  # warm, from the last density
            slope = force(lambda moved: session.label(moved).energy, pair, atom, axis)
            assert found.forces[atom, axis] == pytest.approx(slope, abs=0.01)
    assert abs(found.forces.sum(axis=0)).max() < 0.02
    assert not (tmp_path / qe.SCRATCH).exists() and not (tmp_path / qe.PSEUDO).exists()


def test_stress_is_the_strain_derivative(pair: Atoms, cheap: Qe, tmp_path: Path) -> None:
    """At a cutoff of 90 Ry: below, the change of the basis with the cell shows (Pulay stress)."""
    fine = cheap.model_copy(update={"ecutwfc": 90.0, "ecutrho": 360.0})
    with open_session("qe", fine, tmp_path) as session:
        found = session.label(pair)
    assert found.stress is not None
    for component, (i, j) in STRAINED:
        slope = stress(lambda moved: energy(moved, fine, tmp_path / "strained"), pair, i, j, 0.005)
        # 1 kbar is 0.00062 eV/Å³; the stress itself is up to 0.06
        assert found.stress[component] == pytest.approx(slope, abs=0.0015)


def test_a_label_that_does_not_converge_is_tried_again(
    pair: Atoms, cheap: Qe, tmp_path: Path
) -> None:
    with open_session("qe", cheap, tmp_path) as session:
        with pytest.raises(NotConvergedError, match="did not converge"):
            session.label(pair, Rung(max_steps=3))
        assert (tmp_path / qe.LOG).exists()
        ladder = (Rung(max_steps=3), Rung(mixing=0.5, max_steps=80))
        found, tries = tried(lambda r: session.label(pair, r or Rung(max_steps=2)), ladder)
    assert [bool(one["reason"]) for one in tries] == [True, True, False]
    assert tries[-1]["changed"] == {"mixing": 0.5, "max_steps": 80}
    cold = energy(pair, cheap, tmp_path / "cold")
    assert found.energy == pytest.approx(cold, abs=1e-6)


def test_dynamics_and_relaxation_in_one_run(pair: Atoms, cheap: Qe, tmp_path: Path) -> None:
    with open_session("qe", cheap, tmp_path) as session:
        steps = session.native(pair, Aimd(steps=2), 300.0)
        assert steps is not None and [step.number for step in steps] == [0, 1, 2]
        assert np.allclose(steps[0].atoms.positions, pair.positions, atol=1e-6)
        assert (steps[2].atoms.get_array("ion_id") == pair.get_array("ion_id")).all()
        again = energy(steps[2].atoms, cheap, tmp_path / "again")
        assert steps[2].label.energy == pytest.approx(again, abs=1e-5)
        relaxed = session.native(pair, Relax(steps=2), 0.0)
    assert relaxed is not None and len(relaxed) == 3
    assert relaxed[2].label.energy < relaxed[1].label.energy < relaxed[0].label.energy


def test_a_single_atom_has_its_spin(cheap: Qe, tmp_path: Path) -> None:
    """Hydrogen with PBE is bound by 13.60 eV (0.5 hartree for the exact one: 13.606)."""
    with open_session("qe", cheap, tmp_path) as session:
        assert session.atom("H", 8.0) == pytest.approx(-13.60, abs=0.12)


def test_what_takes_too_long_is_ended(
    pair: Atoms, cheap: Qe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_pseudopotentials(tmp_path, monkeypatch, **{"pw.x": {"time_limit": 1.0}})
    with (
        open_session("qe", cheap, tmp_path) as session,
        pytest.raises(StageError, match="longer than its time limit of 1 s"),
    ):
        session.label(pair)


def test_a_crash_is_told_in_its_own_words(pair: Atoms, cheap: Qe, tmp_path: Path) -> None:
    pair.positions[7] = pair.positions[0]
    with (
        open_session("qe", cheap, tmp_path) as session,
        pytest.raises(StageError, match=r"overlap|Error in routine") as raised,
    ):
        session.label(pair)
    assert raised.value.log == qe.LOG


def test_an_input_runs_bare(pair: Atoms, cheap: Qe, tmp_path: Path) -> None:
    """The input that a label leaves, in another folder, with nothing of ilmlip around it."""
    import subprocess

    with open_session("qe", cheap, tmp_path) as session:
        label = session.label(pair)
        (name,) = session.files()
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(tmp_path / name, bare)
    (bare / "pseudo").symlink_to(PSEUDO / cheap.family)
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    with (bare / "out").open("w", encoding="utf-8") as out:
        environment = {**os.environ, **root}
        subprocess.run(["pw.x", "-in", name], cwd=bare, stdout=out, check=True, env=environment)
    assert qe.read_steps(bare / "out")[-1].label.energy == pytest.approx(label.energy, abs=1e-8)
