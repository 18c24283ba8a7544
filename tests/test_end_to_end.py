"""The quickstart as a user runs it, at smoke scale, on the real engines."""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import counted
import numpy as np
import psutil
import pytest
from command import PATIENCE, SMOKE, Smoke, ilmlip

pytestmark = pytest.mark.engine


def test_every_stage_is_done(smoke: Smoke) -> None:
    answer = smoke.answer.json
    assert answer["study"] == "quickstart"
    assert answer["failed"] == [] and answer["cached"] == 0
    plan = ilmlip("plan", *SMOKE, "--json", cwd=smoke.folder).json
    assert answer["done"] == len(plan["tasks"])
    assert {task["state"] for task in plan["tasks"]} == {"cached"}
    assert all({"key", "stage", "needs", "points"} <= set(task) for task in plan["tasks"])


def test_the_matrix_is_in_the_stated_form(smoke: Smoke) -> None:
    with Path(smoke.answer.json["outputs"]["matrix"]).open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines)
        assert reader.fieldnames == [
            "model", "seed", "composition", "quantity", "value", "stderr", "unit",
        ]  # fmt: skip
        rows = list(reader)
    assert {row["model"] for row in rows} == {
        "0.4", "0.4+0.6", "linear:0.4", "linear:0.4+0.6",
    }  # fmt: skip
    assert {row["composition"] for row in rows} == {"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"}
    quantities = {row["quantity"] for row in rows}
    assert {"energy_mae", "force_mae", "force_mae_Li", "force_mae_F", "force_mae_C"} <= quantities
    assert {r["unit"] for r in rows if r["quantity"].startswith("energy")} == {"meV/atom"}
    assert {r["unit"] for r in rows if r["quantity"].startswith("force")} == {"meV/Å"}
    one = [
        row for row in rows
        if (row["model"], row["composition"], row["quantity"]) == ("0.4", "1.0", "force_mae")
    ]  # fmt: skip
    seeds = {row["seed"]: float(row["value"]) for row in one}
    assert seeds.pop("") == pytest.approx(float(np.median(list(seeds.values()))), rel=1e-5)
    assert set(seeds) == {"1", "2"}


def test_figure_and_findings(smoke: Smoke) -> None:
    outputs = smoke.answer.json["outputs"]
    assert Path(outputs["figure"]).read_bytes().startswith(b"\x89PNG")
    findings = json.loads(Path(outputs["findings"]).read_text(encoding="utf-8"))
    assert len(findings) == 4
    assert all(isinstance(f["value"], float) and f["statement"] for f in findings)


def test_again_there_is_nothing_to_do(smoke: Smoke) -> None:
    again = counted.command("run", *SMOKE, "--json", cwd=smoke.folder)
    answer = json.loads(again.out)
    assert again.code == 0
    assert answer["done"] == 0
    assert answer["cached"] == smoke.answer.json["done"]
    assert answer["outputs"] == smoke.answer.json["outputs"]
    assert again.started == 0 and again.calls < 3_000_000
    assert not {"torch", "mlflow", "lammps", "matplotlib"} & set(again.modules)


def test_json_prints_nothing_else(smoke: Smoke) -> None:
    assert smoke.answer.out.count("\n") == 1
    assert "forcefield" in smoke.answer.err  # progress goes to stderr


def test_status_and_plan_for_people(smoke: Smoke) -> None:
    for command in ("plan", "status"):
        answer = ilmlip(command, *SMOKE, cwd=smoke.folder)
        assert answer.code == 0
        line = next(line for line in answer.out.splitlines() if line.startswith("label"))
        assert line.split()[1] == "40"


def test_the_log_of_a_finished_training(smoke: Smoke) -> None:
    """nequip's own, which is kept with the result; of a label nothing is."""
    key, label = (
        min(path.name for path in (smoke.folder / "store" / "results" / stage).iterdir())
        for stage in ("train", "label")
    )
    answer = ilmlip("logs", key, *SMOKE, "-n", "1000", cwd=smoke.folder)
    assert answer.code == 0 and f"results/train/{key}/logs/nequip.log" in answer.out
    assert "Trainer.fit` stopped" in answer.out
    assert "no log is kept of it" in ilmlip("logs", label, *SMOKE, cwd=smoke.folder).out


def test_other_models_reuse_all_data(smoke: Smoke) -> None:
    """What a change would cost, on a store that holds the rest."""
    plan = ilmlip("plan", *SMOKE, "model.r_max=4.7", "--json", cwd=smoke.folder).json
    todo = Counter(task["stage"] for task in plan["tasks"] if task["state"] == "todo")
    assert todo == {
        "train": 4, "evaluate": 24, "matrix": 1, "ion_energies": 1, "parity": 2, "findings": 1
    }  # fmt: skip


def test_frames_carry_energy_forces_and_stress(smoke: Smoke) -> None:
    from ase.io import read

    folder = smoke.folder / "store" / "results" / "label"
    frames = [read(path / "frame.extxyz") for path in folder.iterdir()]
    assert len(frames) == 40
    for atoms in frames:
        assert np.isfinite(atoms.get_potential_energy())
        assert atoms.get_forces().shape == (len(atoms), 3)
        assert atoms.get_stress().shape == (6,)
        assert np.abs(atoms.get_forces().sum(axis=0)).max() < 0.01


def test_mlflow_holds_every_training_and_md_run(smoke: Smoke) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{smoke.folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("quickstart")
    runs = client.search_runs([experiment.experiment_id], max_results=100)
    stages = Counter(run.data.tags["ilmlip.stage"] for run in runs)
    assert stages == {"run": 1, "train": 4, "fit_linear": 2, "sample": 8}
    (parent,) = [run for run in runs if run.data.tags["ilmlip.stage"] == "run"]
    assert all(
        run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        for run in runs if run is not parent
    )  # fmt: skip
    assert {run.info.status for run in runs} == {"FINISHED"}
    found = client.search_runs(
        [experiment.experiment_id], "params.training = '0.4+0.6' and params.l_max = '1'"
    )
    networks = [run for run in found if run.data.tags["ilmlip.stage"] == "train"]
    assert len(networks) == 2
    names = set(networks[0].data.metrics)
    assert {"energy_mae", "force_mae", "force_mae/1.0", "force_mae_Li/0.4"} <= names
    assert networks[0].inputs.dataset_inputs


def test_the_exported_inputs_run_without_ilmlip(smoke: Smoke, tmp_path: Path) -> None:
    """The LAMMPS input of a sampling run gives the same energies from `lmp` alone."""
    from ilmlip.engines import lammps

    folder = next((smoke.folder / "store" / "results" / "sample").iterdir())
    for name in (lammps.INPUT, lammps.DATA):
        shutil.copyfile(folder / name, tmp_path / name)
    lammps.run(tmp_path)
    ours = np.genfromtxt(folder / "thermo.csv", delimiter=",", names=True)
    theirs = lammps.read_thermo(tmp_path / lammps.LOG)
    np.testing.assert_allclose(theirs[:, 4], ours["potential_eV"], rtol=1e-6)


# --- failures


def test_a_spec_that_is_wrong(tmp_path: Path) -> None:
    answer = ilmlip("run", "quickstart", "model.r_max=0", cwd=tmp_path)
    assert (answer.code, answer.out) == (2, "")
    assert len(answer.err.strip().splitlines()) == 1
    assert "model.r_max=0" in answer.err
    assert not list(tmp_path.iterdir())  # nothing was begun


@pytest.mark.slow
def test_a_failing_training_leaves_the_rest(smoke: Smoke, tmp_path: Path) -> None:
    """One training is killed, as for want of memory: the others, and the table of them, stand."""
    smoke.copy_store(tmp_path)
    words = (*SMOKE, "tracking=none", "model.learning_rate=0.02")
    driver = subprocess.Popen(
        [sys.executable, "-m", "ilmlip.cli", "run", *words, "--json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    )
    _kill_one(psutil.Process(driver.pid), "nequip-train")
    out, _ = driver.communicate(timeout=PATIENCE)
    found = json.loads(out)
    assert driver.returncode == 1
    (failure,) = found["failed"]
    assert failure["stage"] == "train"
    assert "was killed by SIGKILL" in failure["reason"] and "\n" not in failure["reason"]
    assert Path(failure["log"]).is_file()
    tasks = ilmlip("status", *words, "--json", cwd=tmp_path).json["tasks"]
    (killed,) = (task for task in tasks if task["key"] == failure["key"])
    drawn = int(killed["about"]["seed"] == 1)  # parity is drawn of the first seed
    assert found["blocked"] == 6 + drawn  # the evaluations of that model
    assert found["done"] == 3 + 18 + 3 + 2 - drawn
    assert Path(found["outputs"]["matrix"]).is_file()
    status = ilmlip("status", *words, cwd=tmp_path)
    assert status.code == 0 and f"failed: {failure['key']}" in status.out
    again = ilmlip("run", *words, "--json", cwd=tmp_path)
    assert again.code == 0
    # what failed and what waited for it; the tables anew
    assert again.json["done"] == 1 + 6 + drawn + 3


def _kill_one(driver: psutil.Process, name: str) -> None:
    """SIGKILL the first process below `driver` whose command line holds `name`."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for process in driver.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if any(name in word for word in process.cmdline()):
                    process.kill()
                    return
        time.sleep(0.1)
    raise AssertionError(f"no process {name}")


def test_a_failing_md_run_names_lammps_reason(tmp_path: Path) -> None:
    """Five femtoseconds a step is too long for C–H bonds: LAMMPS loses the atoms."""
    words = (
        *SMOKE, "tracking=none", "sampling.timestep=5", "sampling.duration=5000",
        "sampling.interval=500", "compositions.fractions=[0.4]", "analysis=none",
        "compositions.training=[[0.4]]", "lint.silence.timestep-bond=to see LAMMPS fail",
    )  # fmt: skip
    answer = ilmlip("run", *words, "--json", cwd=tmp_path)
    assert answer.code == 1
    failures = answer.json["failed"]
    assert {f["stage"] for f in failures} <= {"equilibrate", "sample"}
    assert failures and all("ERROR" in f["reason"] for f in failures)
    assert all(Path(f["log"]).is_file() for f in failures)
