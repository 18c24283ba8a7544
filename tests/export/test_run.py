"""An export, run without ilmlip, gives the numbers of a run of ilmlip."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase.io import read
from command import SMOKE, Smoke
from exported import BLOCKER

from ilmlip.export.layout import Layout, lay_out
from ilmlip.export.study import write_export
from ilmlip.plan.compile import compile_study
from ilmlip.plan.graph import Plan
from ilmlip.spec.load import load
from ilmlip.store import Store

pytestmark = [pytest.mark.engine, pytest.mark.slow]


@dataclass(frozen=True)
class Ran:
    """An export that was run to its end, and what it is compared with."""

    folder: Path
    plan: Plan
    layout: Layout
    store: Store


@pytest.fixture(scope="module")
def ran(smoke: Smoke, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The study of `smoke`, exported and run by its scripts where ilmlip cannot be imported."""
    base = Path(tmp_path_factory.mktemp("export"))
    folder, blocked = base / "my study", base / "blocked"
    blocked.mkdir()
    (blocked / "sitecustomize.py").write_text(BLOCKER, encoding="utf-8")
    spec = load(SMOKE)
    plan, store = compile_study([spec]), Store(smoke.folder / "store")
    write_export(plan, [spec], folder, store)
    programs = str(Path(sys.executable).parent)
    environment = {
        "LC_ALL": "C",  # tools write Å and say so themselves
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        **{name: value for name, value in os.environ.items() if not name.startswith("OMP")},
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(blocked),
    }
    gone = subprocess.run(
        ["python", "-c", "import ilmlip"],
        env=environment, cwd=base, capture_output=True, text=True, check=False,
     encoding="utf-8")  # fmt: skip
    assert gone.returncode != 0 and "ilmlip is not here" in gone.stderr
    done = subprocess.run(
        ["bash", str(folder / "run_all.sh")],
        env=environment, cwd=base, capture_output=True, text=True, check=False,
     encoding="utf-8")  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return Ran(folder, plan, lay_out(plan), store)


def test_time_limits_are_those_of_what_was_measured(ran: Ran) -> None:
    for script in ran.folder.glob("*.sh"):
        assert "is a guess" not in script.read_text(encoding="utf-8")


def test_labels_are_the_same(ran: Ran) -> None:
    """They are equal to the last digit: one program, the same input but for the loop."""
    for key, (folder, place) in ran.layout.labels.items():
        ours = read(ran.store.folder(key) / "frame.extxyz")
        theirs = read(ran.folder / folder / "labelled.extxyz", place)
        assert (ours.positions == theirs.positions).all()
        assert (ours.arrays["ion_id"] == theirs.arrays["ion_id"]).all()
        energies = [atoms.get_potential_energy() for atoms in (ours, theirs)]
        assert abs(energies[0] - energies[1]) / len(ours) < 1e-12
        assert np.abs(ours.get_forces() - theirs.get_forces()).max() < 2e-8
        assert np.abs(ours.get_stress() - theirs.get_stress()).max() < 1e-12


def test_datasets_are_the_same_files(ran: Ran) -> None:
    compared = 0
    for task in ran.plan:
        if task.stage == "dataset":
            for ours in ran.store.folder(task.key).glob("*.extxyz"):
                theirs = ran.folder / ran.layout.folders[task.key] / ours.name
                assert theirs.read_text(encoding="utf-8") == ours.read_text(encoding="utf-8")
                compared += 1
    assert compared == 2 * 2 + 6


def test_trainings_start_from_the_same_config(ran: Ran) -> None:
    for task in ran.plan:
        if task.stage == "train":
            folders = (ran.store.folder(task.key), ran.folder / ran.layout.folders[task.key])
            ours, theirs = (
                yaml.safe_load((f / "config.yaml").read_text(encoding="utf-8")) for f in folders
            )
            for name in ("train", "val"):
                del ours["data"][f"{name}_file_path"], theirs["data"][f"{name}_file_path"]
            assert ours == theirs


def test_models_are_the_same(ran: Ran) -> None:
    """Equal weights, and shifts that were refitted to the same (measured: within 1e-9 eV)."""
    import torch

    for task in ran.plan:
        if task.stage == "train":
            folders = (ran.store.folder(task.key), ran.folder / ran.layout.folders[task.key])
            ours, theirs = (
                torch.load(f / "model.ckpt", weights_only=False)["state_dict"] for f in folders
            )
            assert ours.keys() == theirs.keys()
            for name, value in ours.items():
                if not isinstance(value, torch.Tensor):
                    continue  # the state of losses and metrics
                # shifts are refitted on energies that a batch rounds otherwise than a frame alone
                allowed = 1e-8 if name.endswith(".shifts") else 0.0
                assert torch.allclose(value, theirs[name], rtol=0.0, atol=allowed), name


def test_errors_are_the_same(ran: Ran) -> None:
    """Every error of every model and composition.

    Measured: 5e-8 of the value for energies, 1e-9 for forces. The weights are equal; what is left
    is that a stage predicts many frames in one batch, in single precision, and the tool one.
    """
    found = {}
    with (ran.folder / "6-evaluate/errors.csv").open(newline="") as lines:
        for row in csv.DictReader(lines):
            name = (row["model"], row["seed"], row["composition"], row["quantity"])
            assert name not in found and row["stderr"] == ""
            found[name] = float(row["value"]), row["unit"]
    matrix, _ = ran.plan.outputs[0]["matrix"]
    wanted = 0
    for key in ran.plan.tasks[matrix].needs["evaluations"]:
        values = json.loads((ran.store.folder(key) / "errors.json").read_text(encoding="utf-8"))
        about = ran.plan.tasks[key].about
        linear = about["kind"] == "linear"
        model = (
            f"linear:{about['training']}" if linear else str(about["training"]),
            str(about.get("seed", "")),
            str(about["composition"]),
        )
        ours = {n: v for n, v in values.items() if "_mae" in n or "_rmse" in n}
        ours = {n: v for n, v in ours.items() if not n.endswith("stderr")}
        ours |= {f"ion_energy_{ion}": e for ion, e in values["ion_energies"].items()}
        for name, value in ours.items():
            assert found[(*model, name)][0] == pytest.approx(value, rel=1e-6, abs=1e-9), name
            wanted += 1
    assert wanted == len(found)
    assert {unit for _, unit in found.values()} == {"meV/atom", "meV/Å", "meV/Å³", "eV"}


def test_what_is_done_is_skipped(ran: Ran) -> None:
    before = (ran.folder / "5-train/0.4-seed1/model.ckpt").stat().st_mtime
    done = subprocess.run(
        ["bash", str(ran.folder / "5-train.sh")],
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 0 and done.stdout == ""
    assert (ran.folder / "5-train/0.4-seed1/model.ckpt").stat().st_mtime == before


def test_a_program_that_fails_stops_the_step_and_is_named(ran: Ran) -> None:
    (ran.folder / "2-sample/0.4-0/done").unlink()
    done = subprocess.run(
        ["bash", str(ran.folder / "2-sample.sh"), "2-sample/0.4-0/"],
        env={**os.environ, "LMP": "false"}, capture_output=True, text=True, check=False,
     encoding="utf-8")  # fmt: skip
    assert done.returncode != 0
    assert "stopped in 2-sample/0.4-0" in done.stderr
    assert not (ran.folder / "2-sample/0.4-0/done").exists()
