"""Labels by Quantum ESPRESSO in an export: native inputs that give the label of a run of ilmlip."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.io import read
from exported import run_script, write_dump
from outside import PSEUDO, require, require_pseudopotentials, use_pseudopotentials

from ilmlip.engines import qe
from ilmlip.engines.labelling import open_session
from ilmlip.errors import SpecError
from ilmlip.export.study import write_export
from ilmlip.plan.compile import compile_study
from ilmlip.spec.load import load
from ilmlip.spec.types import Spec

# at less than half of production's cutoff: quick, and far from converged
WORDS = (
    "labels_smoke", "dft=qe_pbe_d3_nc", "dft.qe.ecutwfc=30", "dft.qe.ecutrho=120",
    "dataset.derived=[{kind: frames}]",
)  # fmt: skip


@pytest.fixture
def spec() -> Spec:
    return load(WORDS)


@pytest.fixture
def exported(spec: Spec, tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    write_export(compile_study([spec]), [spec], folder)
    return folder


def label(folder: Path) -> subprocess.CompletedProcess[str]:
    return run_script(folder, "3-label.sh")


def place_of(folder: Path) -> Path:
    (place,) = (folder / "3-label").iterdir()
    return place


def test_an_input_and_what_it_takes(exported: Path, spec: Spec) -> None:
    place = place_of(exported)
    assert {p.name for p in place.iterdir()} == {
        "frames.json", "structure.extxyz", "in.pw", "pseudo.md5",
    }  # fmt: skip
    text = (place / "in.pw").read_text(encoding="utf-8")
    assert "K_POINTS gamma" in text and not re.search(r"= '/", text)
    assert spec.dft.qe is not None
    readme = (exported / "README.md").read_text(encoding="utf-8")
    for element in ("Li", "P", "F"):
        one = spec.dft.qe.pseudopotentials[element]
        line = f"../../pseudo/{spec.dft.qe.family}/{one.file}"
        assert f"{one.md5}  {line}\n" in (place / "pseudo.md5").read_text(encoding="utf-8")
        assert f"| {element} | `{line.removeprefix('../../')}` | `{one.md5}` |" in readme
    assert spec.dft.qe.pseudopotentials["H"].md5 not in readme
    assert "dft.retries" in readme and "{" not in readme.split("## What it takes")[1]


def test_pseudopotentials_that_are_not_there_or_others(exported: Path, spec: Spec) -> None:
    write_dump(exported)
    done = label(exported)
    assert done.returncode != 0 and "F.upf is not there; README.md" in done.stderr
    assert spec.dft.qe is not None
    family = exported / "pseudo" / spec.dft.qe.family
    family.mkdir(parents=True)
    (family / "F.upf").write_text("another fluorine", encoding="utf-8")
    done = label(exported)
    assert "has MD5" in done.stderr and "stopped in 3-label/" in done.stderr
    assert not (place_of(exported) / "done").exists()


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (["dataset=active", "dft=gfn1_xtb", "model.seeds=[1,2]"], "dataset.active"),
        (["dataset=opls_md_vs", "dft=gfn1_xtb"], "dataset.active"),
    ],
)
def test_what_cannot_be_exported_is_located(words: list[str], where: str, tmp_path: Path) -> None:
    spec = load(["quickstart", *words])
    with pytest.raises(SpecError) as raised:
        write_export(compile_study([spec]), [spec], tmp_path / "study")
    assert raised.value.where == where and not (tmp_path / "study").exists()


def labels_of_ours(frames: Sequence[Atoms], spec: Spec, work: Path) -> list[tuple]:
    assert spec.dft.qe is not None
    found = []
    for i, frame in enumerate(frames):
        (work / str(i)).mkdir(parents=True)
        with open_session("qe", spec.dft.qe, work / str(i), d3=spec.dft.d3()) as session:
            one = session.label(frame)
        found.append((one.energy, one.forces, one.stress))
    return found


@pytest.mark.engine
@pytest.mark.slow
def test_a_bare_run_gives_the_label(
    exported: Path, spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that pw.x prints is the same: one input, one program. Energies go to 1.4e-7 eV there."""
    require(shutil.which("pw.x") is not None, "pw.x (Debian: quantum-espresso)")
    require_pseudopotentials()
    use_pseudopotentials(tmp_path, monkeypatch)
    (exported / "pseudo").symlink_to(PSEUDO)
    write_dump(exported)
    done = label(exported)
    assert done.returncode == 0, done.stdout + done.stderr
    place = place_of(exported)
    theirs = read(place / "labelled.extxyz", ":")
    ours = labels_of_ours(read(place / "frames.extxyz", ":"), spec, tmp_path / "ours")
    assert len(theirs) == len(ours) == 2 and abs(ours[0][0] - ours[1][0]) > 1e-3
    for atoms, (energy, forces, stress) in zip(theirs, ours, strict=True):
        assert atoms.get_potential_energy() == pytest.approx(energy, abs=1e-8)
        assert np.abs(atoms.get_forces() - forces).max() < 2e-8  # digits of the file
        assert np.abs(atoms.get_stress() - stress).max() < 1e-8
        assert (atoms.arrays["ion_id"] == theirs[0].arrays["ion_id"]).all()
    assert not (place / qe.SCRATCH).exists()

    # a frame whose input is the same is not computed again, one whose input changed is
    (place / "done").unlink()
    text = (place / "frame-1.in").read_text(encoding="utf-8")
    (place / "frame-1.in").write_text(text.replace("0.", "1.", 1), encoding="utf-8")
    before = [(place / f"frame-{i}.out").stat().st_mtime_ns for i in range(2)]
    assert label(exported).returncode == 0
    after = [(place / f"frame-{i}.out").stat().st_mtime_ns for i in range(2)]
    assert before[0] == after[0] and before[1] < after[1]
    assert (place / "frame-1.in").read_text(encoding="utf-8") == text

    # one that does not converge stops the step and is named
    (place / "done").unlink()
    template = (place / "in.pw").read_text(encoding="utf-8")
    (place / "in.pw").write_text(
        re.sub(r"electron_maxstep *= *\d+", "electron_maxstep = 2", template), encoding="utf-8"
    )
    again = label(exported)
    assert again.returncode != 0 and "stopped in 3-label/" in again.stderr


ATOMS = (*WORDS, "model.seeds=[1]", "dft.e0=isolated", "dft.atom_box=6")


def test_single_atoms_are_native_inputs_and_what_trainings_start_from(tmp_path: Path) -> None:
    spec = load(ATOMS)
    folder = tmp_path / "study"
    write_export(compile_study([spec]), [spec], folder)
    assert {p.name for p in (folder / "3-label").glob("atom-*")} == {"atom-F", "atom-Li", "atom-P"}
    place = folder / "3-label" / "atom-P"
    assert {p.name for p in place.iterdir()} == {"atom.json", "atom.in", "pseudo.md5"}
    text = (place / "atom.in").read_text(encoding="utf-8")
    assert "nspin" in text and re.search(r"tot_magnetization *= *3", text) and "vdw" not in text
    (training,) = (folder / "5-train").glob("*/training.json")
    how = json.loads(training.read_text(encoding="utf-8"))
    assert how["shifts"] == "isolated" and not how["refit_shifts"]
    assert how["atoms"] == [f"3-label/atom-{e}" for e in ("F", "Li", "P")]

    # the tool takes them, and names one that is missing
    run = [sys.executable, "tools/shifts.py", f"5-train/{training.parent.name}"]
    gone = subprocess.run(
        run, cwd=folder, capture_output=True, text=True, check=False, encoding="utf-8"
    )
    assert gone.returncode != 0 and "3-label/atom-F/energy.json is not there" in gone.stderr
    energies = {"F": -650.5, "Li": -200.25, "P": -180.125}
    for element, energy in energies.items():
        (folder / f"3-label/atom-{element}/energy.json").write_text(
            json.dumps({"element": element, "energy": energy}), encoding="utf-8"
        )
    subprocess.run(run, cwd=folder, check=True)
    config = yaml.safe_load((training.parent / "config.yaml").read_text(encoding="utf-8"))
    assert config["training_module"]["model"]["per_type_energy_shifts"] == energies


def test_atoms_of_another_engine_are_asked_for(tmp_path: Path) -> None:
    words = ("labels_smoke", "dft=gfn1_xtb", "dataset.derived=[{kind: frames}]")
    spec = load([*words, "model.seeds=[1]", "dft.e0=isolated"])
    folder = tmp_path / "study"
    write_export(compile_study([spec]), [spec], folder)
    done = subprocess.run(
        ["bash", "3-label.sh", "3-label/atom-Li"],
        cwd=folder, capture_output=True, text=True, check=False, encoding="utf-8",
        env={**os.environ, "PYTHON": sys.executable},
    )  # fmt: skip
    assert done.returncode == 1 and "3-label/atom-Li/atom.json says" in done.stderr
    settings = json.loads((folder / "3-label/atom-Li/atom.json").read_text(encoding="utf-8"))
    assert settings["engine"] == "xtb" and settings["element"] == "Li" and settings["box"] == 30


@pytest.mark.engine
def test_a_bare_run_gives_the_atoms_energy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require(shutil.which("pw.x") is not None, "pw.x (Debian: quantum-espresso)")
    require_pseudopotentials()
    use_pseudopotentials(tmp_path, monkeypatch)
    spec = load(ATOMS)
    folder = tmp_path / "study"
    write_export(compile_study([spec]), [spec], folder)
    (folder / "pseudo").symlink_to(PSEUDO)
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    done = subprocess.run(
        ["bash", "3-label.sh", "3-label/atom-Li"],
        cwd=folder, capture_output=True, text=True, check=False, encoding="utf-8",
        env={**os.environ, **root, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    theirs = json.loads((folder / "3-label/atom-Li/energy.json").read_text(encoding="utf-8"))
    (tmp_path / "ours").mkdir()
    assert spec.dft.qe is not None
    with open_session("qe", spec.dft.qe, tmp_path / "ours") as session:
        ours = session.atom("Li", spec.dft.atom_box)
    assert theirs == {"element": "Li", "energy": pytest.approx(ours, abs=1e-6)}
