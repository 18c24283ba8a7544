"""D3: one damping, three-body term and cutoff in all engines of PBE."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from derivatives import FRAME, force
from outside import require, require_pseudopotentials, use_pseudopotentials

from ilmlip.chemistry.boxes import read_one
from ilmlip.engines.dispersion import Dispersed, d3_energy
from ilmlip.engines.labelling import Labelled, Session, open_session
from ilmlip.errors import SpecError
from ilmlip.plan.frames import engine_params
from ilmlip.spec.dft import D3, Cp2k
from ilmlip.spec.load import load

PW_X = {
    ("d3", True): -0.0988294,
    ("d3", False): -0.0994134,
    ("d3bj", True): -0.1887592,
    ("d3bj", False): -0.1893432,
}
"""eV, of tests/data/lipf6.extxyz: pw.x 6.7 with `vdw_corr='dft-d3'` minus without, 15/90 Ry."""


@pytest.fixture
def pair() -> Atoms:
    return read_one(FRAME, 0)


@pytest.mark.parametrize(("damping", "three_body"), PW_X)
def test_it_is_pw_x_s(pair: Atoms, damping: str, three_body: bool) -> None:
    d3 = D3(damping=damping, three_body=three_body)
    assert d3_energy(d3, pair).energy == pytest.approx(PW_X[damping, three_body], abs=5e-7)


def test_forces_and_stress_are_derivatives(pair: Atoms) -> None:
    d3 = D3(damping="d3", three_body=True)
    found = d3_energy(d3, pair)
    slope = force(lambda moved: d3_energy(d3, moved).energy, pair, 3, 1)
    assert found.forces[3, 1] == pytest.approx(slope, abs=1e-5)
    energies = []
    for scale in (1.001, 0.999):
        scaled = pair.copy()
        scaled.set_cell(pair.cell * scale, scale_atoms=True)
        energies.append(d3_energy(d3, scaled).energy)
    trace = (energies[0] - energies[1]) / 0.002 / pair.get_volume()
    assert found.stress is not None
    assert found.stress[:3].sum() == pytest.approx(trace, abs=1e-7)


class Nothing(Session):
    """An engine whose every label is 1 eV and no force."""

    def label(self, atoms: Atoms, rung: object = None) -> Labelled:
        return Labelled(1.0, np.zeros((len(atoms), 3)), np.zeros(6))

    def tools(self) -> dict[str, str]:
        return {"nothing": "1"}


def test_it_is_added_to_what_has_none(pair: Atoms) -> None:
    d3 = D3(damping="d3bj", three_body=False)
    session = Dispersed(Nothing(), d3)
    found, alone = session.label(pair), d3_energy(d3, pair)
    assert found.energy == pytest.approx(1 + alone.energy) and found.terms["pbe"] == 1
    assert np.allclose(found.forces, alone.forces) and np.allclose(found.stress, alone.stress)
    assert set(session.tools()) == {"nothing", "dftd3"}


@pytest.mark.parametrize("option", ["qe_pbe_d3", "qe_pbe_d3_nc", "cp2k_pbe_d3", "gpaw_pbe_d3"])
def test_every_option_has_what_the_paper_s_pw_x_had(option: str) -> None:
    dft = load([f"dft={option}"]).dft
    assert dft.d3() == D3(damping="d3", three_body=True)
    assert engine_params(dft, ["Li"])["dispersion"] == {"damping": "d3", "three_body": True}
    changed = load([f"dft={option}", "dft.dispersion=d3bj", "dft.three_body=false"]).dft
    assert changed.d3() == D3(damping="d3bj", three_body=False)
    assert load([f"dft={option}", "dft.dispersion=none"]).dft.d3() is None


def test_dispersion_is_of_the_engines_of_pbe() -> None:
    with pytest.raises(SpecError, match=r"is of qe_pbe_d3, .* leave it out"):
        load(["dft=gfn1_xtb", "+dft.dispersion=d3"])
    assert "dispersion" not in engine_params(load(["dft=vasp_pbe"]).dft, ["Li"])


def difference(name: str, settings: object, pair: Atoms, folder: Path, d3: D3) -> list[np.ndarray]:
    """What D3 adds to an engine's energy, forces and stress."""
    labels = []
    for part in (d3, None):
        work = folder / str(part is None)
        work.mkdir()
        with open_session(name, settings, work, d3=part) as session:
            label = session.label(pair)
            labels.append([np.array(label.energy), label.forces, label.stress])
    return [a - b for a, b in zip(*labels, strict=True)]


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.parametrize(("damping", "three_body"), [("d3", True), ("d3bj", False)])
def test_pw_x_adds_the_same(
    pair: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damping: str, three_body: bool
) -> None:
    """D3 does not depend on the density: at any cutoff the difference is exact."""
    require(shutil.which("pw.x") is not None, "pw.x (Debian: quantum-espresso)")
    require_pseudopotentials()
    use_pseudopotentials(tmp_path, monkeypatch)
    chosen = load(["dft=qe_pbe_d3"]).dft.qe
    assert chosen is not None
    low = chosen.model_copy(update={"ecutwfc": 15.0, "ecutrho": 90.0, "conv_thr": 1e-9})
    d3 = D3(damping=damping, three_body=three_body)
    energy, forces, stress = difference("qe", low, pair, tmp_path, d3)
    wanted = d3_energy(d3, pair)
    assert energy == pytest.approx(wanted.energy, abs=1e-6)
    assert np.allclose(forces, wanted.forces, atol=2e-4)  # pw.x prints 1e-8 Ry/Bohr, converged less
    assert np.allclose(stress, wanted.stress, atol=2e-6)


@pytest.mark.engine
@pytest.mark.slow
def test_cp2k_adds_the_same(pair: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = shutil.which("cp2k_shell.psmp") or shutil.which("cp2k_shell")
    require(there is not None, "cp2k_shell (Debian: cp2k, cp2k-data)")
    use_pseudopotentials(tmp_path, monkeypatch)
    low = Cp2k(cutoff=100, rel_cutoff=30, eps_scf=1e-7, basis="DZVP-MOLOPT-SR-GTH",
               potential="GTH-PBE")  # fmt: skip
    d3 = D3(damping="d3", three_body=True)
    energy, forces, stress = difference("cp2k", low, pair, tmp_path, d3)
    wanted = d3_energy(d3, pair)
    assert energy == pytest.approx(wanted.energy, abs=1e-6)
    assert np.allclose(forces, wanted.forces, atol=1e-4)
    assert np.allclose(stress, wanted.stress, atol=2e-6)
