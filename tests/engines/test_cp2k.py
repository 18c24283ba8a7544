"""Labels by CP2K: against derivatives of its own energy, warm against cold, and how it fails."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import psutil
import pytest
from ase import Atoms
from derivatives import FRAME, MOVED, STRAINED, force, stress
from outside import require, use_pseudopotentials

from ilmlip.chemistry.boxes import read_one
from ilmlip.engines import cp2k
from ilmlip.engines.labelling import NotConvergedError, open_session
from ilmlip.engines.process import KilledError
from ilmlip.errors import StageError
from ilmlip.spec.dft import Cp2k, Rung
from ilmlip.stages.labelling import tried

pytestmark = [pytest.mark.engine, pytest.mark.slow]

CHEAP = Cp2k(
    cutoff=280,
    rel_cutoff=50,
    eps_scf=1e-7,
    basis="DZVP-MOLOPT-SR-GTH",
    potential="GTH-PBE",
    xc_derivative="spline2_smooth",
)


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = shutil.which("cp2k_shell.psmp") or shutil.which("cp2k_shell")
    require(there is not None, "cp2k_shell (Debian: cp2k, cp2k-data)")
    use_pseudopotentials(tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def pair() -> Atoms:
    return read_one(FRAME, 0)


def scf_steps(work: Path) -> int:
    return (work / cp2k.LOG).read_text(encoding="utf-8").count(" OT ")


def test_forces_and_stress_are_derivatives_of_the_energy(pair: Atoms, tmp_path: Path) -> None:
    with open_session("cp2k", CHEAP, tmp_path) as session:
        found = session.label(pair)
        cold = scf_steps(tmp_path)

        def energy(moved: Atoms) -> float:
            return session.label(moved).energy

        for atom, axis in MOVED:
            slope = force(energy, pair, atom, axis)
            # the grid of 280 Ry shows when an atom moves through it
            assert found.forces[atom, axis] == pytest.approx(slope, abs=0.03)
        warm = (scf_steps(tmp_path) - cold) / 4
        assert warm < 0.7 * cold, (warm, cold)
        again = session.label(pair)
        assert again.energy == pytest.approx(found.energy, abs=2e-5)
        assert found.stress is not None
        for component, (i, j) in STRAINED:
            slope = stress(energy, pair, i, j, 0.004)
            assert found.stress[component] == pytest.approx(slope, abs=0.002)
    assert not list(tmp_path.glob("*.wfn*"))


def test_forces_do_not_depend_on_where_the_grid_lies(pair: Atoms, tmp_path: Path) -> None:
    """As they do with gradients by plane waves, whose sum is far from zero."""
    net = {}
    for name in ("pw", "spline2_smooth"):
        folder = tmp_path / name
        folder.mkdir()
        settings = CHEAP.model_copy(update={"xc_derivative": name, "cutoff": 400.0})
        with open_session("cp2k", settings, folder) as session:
            forces = session.label(pair).forces
        net[name] = np.linalg.norm(forces.sum(axis=0)) / len(pair)
    assert net["spline2_smooth"] < 0.01, net
    assert net["pw"] > 0.05, net


def test_a_label_that_does_not_converge_is_tried_again(pair: Atoms, tmp_path: Path) -> None:
    with open_session("cp2k", CHEAP, tmp_path) as session:
        ladder = (Rung(max_steps=3), Rung(max_steps=120))
        with pytest.raises(NotConvergedError, match="did not converge"):
            session.label(pair, Rung(max_steps=2))
        found, tries = tried(lambda r: session.label(pair, r or Rung(max_steps=2)), ladder)
    assert [bool(one["reason"]) for one in tries] == [True, True, False]
    assert np.isfinite(found.energy)


def test_a_process_that_is_killed_is_told_and_the_next_label_starts_another(
    pair: Atoms, tmp_path: Path
) -> None:
    with open_session("cp2k", CHEAP, tmp_path) as session:
        session.label(pair)
        for child in psutil.Process().children(recursive=True):
            if "cp2k" in child.name():
                child.kill()
        pair.rattle(0.01, seed=5)
        with pytest.raises(KilledError, match="CP2K was killed by SIGKILL"):
            session.label(pair)
        assert np.isfinite(session.label(pair).energy)


def test_what_takes_too_long_is_ended(
    pair: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_pseudopotentials(tmp_path, monkeypatch, cp2k={"time_limit": 2.0})
    with (
        open_session("cp2k", CHEAP, tmp_path) as session,
        pytest.raises(StageError, match="longer than its time limit of 2 s"),
    ):
        session.label(pair)


def test_an_element_without_a_basis_set_is_told(tmp_path: Path) -> None:
    odd = CHEAP.model_copy(update={"basis": "NO-SUCH-BASIS"})
    with (
        open_session("cp2k", odd, tmp_path) as session,
        pytest.raises(StageError, match="CP2K stopped"),
    ):
        session.label(read_one(FRAME, 0))


def test_a_folder_may_have_a_long_name(pair: Atoms, tmp_path: Path) -> None:
    """CP2K's names are of at most 80 characters, and stores are where users have them."""
    folder = tmp_path / ("a_long_name_" * 8) / ("and_another_" * 8)
    folder.mkdir(parents=True)
    with open_session("cp2k", CHEAP, folder) as session:
        assert np.isfinite(session.label(pair).energy)
    assert (folder / cp2k.LOG).is_file() and Path.cwd() == tmp_path
