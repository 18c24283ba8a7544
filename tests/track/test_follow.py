"""The tracker against a real MLflow database: complete, once, whatever happens in between."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command import PATIENCE
from mlflow import MlflowClient
from tracked import CURVE, Study, make

from ilmlip.execute.events import Events
from ilmlip.run import tracking
from ilmlip.spec.load import load
from ilmlip.store import Failure
from ilmlip.track import QUIET, pending, runs

pytestmark = pytest.mark.engine


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What an undisturbed run leaves."""
    study = Study(Path(tmp_path_factory.mktemp("whole")))
    study.begin()
    study.fill()
    study.end()
    done = study.track()
    assert done.returncode == 0, done.stderr
    assert pending(study.store.root) == 0
    once = study.logged()
    assert study.track().returncode == 0
    assert study.logged() == once  # again: nothing doubled
    return once


def test_parent_and_children(whole: dict[str, Any]) -> None:
    assert {name: run["child"] for name, run in whole.items()} == {
        "run": False, "sample": True, "train1": True, "train2": True,
    }  # fmt: skip
    assert {run["status"] for run in whole.values()} == {"FINISHED"}
    assert all(run["tags"]["ilmlip.study"] == "abc" for run in whole.values())
    assert whole["run"]["files"] == ["matrix.csv", "spec.json"]


def test_a_training_carries_curve_params_and_errors(whole: dict[str, Any]) -> None:
    run = whole["train1"]
    assert run["params"]["training"] == "0.4+0.6" and run["params"]["r_max"] == "5.0"
    history = run["history"]
    assert history["train_loss"] == [(10, 2.5), (20, 1.5)]
    assert history["energy_mae/0.0"] == [(0, 2.0)] and history["energy_mae/1.0"] == [(0, 4.0)]
    assert history["energy_mae"] == [(0, 3.0)]  # the mean over compositions, once
    assert history["force_mae_Li"] == [(0, 30.0)]
    assert history["ion_energy_Li/1.0"] == [(0, -1.0)]
    assert not any("stderr" in name for name in history)
    # the finished model's own error stands after its curve, and is what the run's table shows
    assert history["val_force_mae"] == [(10, 400.0), (20, 300.0), (20, 280.0)]
    assert run["last"]["val_force_mae"] == 280.0
    assert run["data"] == ["d" * 36]
    assert run["files"] == ["config.yaml", "curve.csv"]


def test_an_md_run_carries_its_curves(whole: dict[str, Any]) -> None:
    history = whole["sample"]["history"]
    assert history["temperature"] == [(0, 290.0), (100, 310.0)]
    assert {"pressure", "density", "potential_energy", "total_energy"} <= set(history)
    assert whole["sample"]["params"]["composition"] == "0.4"


def test_another_takes_the_place_of_a_killed_tracker(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end of the run; it may have been the last run for days."""
    study.begin()
    study.fill()
    study.end()
    spec = load(["quickstart", f"tracking.uri={study.uri}"])
    first = tracking.tracker_of(spec, study.store)
    assert first is not None
    first.kill()
    assert tracking.logged(first, spec, study.store) == []
    assert pending(study.store.root) == 0 and len(study.logged()) == 4

    def killed(*_: object) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["sh", "-c", "kill -KILL $$"])

    monkeypatch.setattr("ilmlip.track.spawn", killed)
    (said,) = tracking.logged(tracking.tracker_of(spec, study.store), spec, study.store)
    assert said.startswith(
        "what logs to MLflow was killed by SIGKILL, twice; what should be logged"
    )


def test_children_are_found_by_their_own_params(study: Study) -> None:
    """MLflow's filters do not look at a parent's params."""
    study.begin()
    study.fill()
    study.end()
    assert study.track().returncode == 0
    client = MlflowClient(study.uri)
    experiment = client.get_experiment_by_name("quick").experiment_id
    (parent,) = client.search_runs([experiment], "tags.`ilmlip.stage` = 'run'")
    for query in (
        "params.training = '0.4+0.6'",
        "metrics.energy_mae < 3.5",
        "params.r_max = '5.0'",
    ):
        names = {
            run.info.run_name for run in client.search_runs([experiment], query)
            if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id
        }  # fmt: skip
        assert names == {"0.4+0.6 seed 1", "0.4+0.6 seed 2"}, query
    assert not client.search_runs([experiment], "params.training = '0.4'")


def test_a_killed_tracker_goes_on(study: Study, whole: dict[str, Any]) -> None:
    """SIGKILL as soon as it has logged something; the driver of this run is still alive."""
    study.begin()
    study.fill()
    command = [sys.executable, "-m", "ilmlip.track", str(study.store.root), study.uri]
    process = subprocess.Popen(command, env={**os.environ, **QUIET}, cwd=study.root)
    noted = study.events.folder / "logged.json"
    until = time.monotonic() + PATIENCE
    while not (noted.exists() and json.loads(noted.read_text(encoding="utf-8"))["children"]):
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert pending(study.store.root) == 1
    study.end()
    assert study.track().returncode == 0
    assert study.logged() == whole


def test_a_curve_that_was_logged_but_not_noted(study: Study, whole: dict[str, Any]) -> None:
    """It died between the points of a curve and the mark that they are there."""
    study.begin()
    study.fill()
    study.end()
    assert study.track().returncode == 0
    client = MlflowClient(study.uri)
    for run in client.search_runs([client.get_experiment_by_name("quick").experiment_id]):
        if "ilmlip.curve" in run.data.tags:
            client.delete_tag(run.info.run_id, "ilmlip.curve")
    (study.events.folder / "logged.json").unlink()
    assert study.track().returncode == 0
    assert study.logged() == whole


@pytest.mark.parametrize("after", [1, 3, 6])
def test_a_tracker_that_dies_goes_on(study: Study, whole: dict[str, Any], after: int) -> None:
    """It died after logging an event and before noting so: the event comes once more."""
    study.begin()
    study.fill()
    study.end()
    assert study.track().returncode == 0
    (folder,) = runs(study.store.root)
    state = json.loads((folder / "logged.json").read_text(encoding="utf-8"))
    lines = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    state["position"] = len("".join(lines[:after]).encode())
    state["complete"] = False
    (folder / "logged.json").write_text(json.dumps(state), encoding="utf-8")
    assert study.track().returncode == 0
    assert study.logged() == whole


def test_mlflow_away_then_back(study: Study, whole: dict[str, Any]) -> None:
    study.begin()
    study.fill()
    study.end()
    gone = study.track(f"sqlite:///{study.root}/no/such/folder/mlflow.db")
    assert gone.returncode == 1
    assert "tracker: sqlite" in gone.stderr and len(gone.stderr.strip().splitlines()) >= 1
    assert pending(study.store.root) == 1
    assert study.track().returncode == 0
    assert study.logged() == whole


def test_a_server_that_does_not_answer_is_given_up_soon(study: Study) -> None:
    study.begin()
    study.end()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # bound but not listening: refuses, and nobody else takes it
        gone = study.track(f"http://127.0.0.1:{free.getsockname()[1]}")
    assert gone.returncode == 1
    assert "Connection refused" in gone.stderr
    assert pending(study.store.root) == 1


def test_half_in_one_mlflow_then_another(study: Study, whole: dict[str, Any]) -> None:
    """The tracking URI changed, or the database was removed, when half was logged."""
    study.begin()
    study.fill()
    study.end()
    assert study.track().returncode == 0
    noted = study.events.folder / "logged.json"
    state = json.loads(noted.read_text(encoding="utf-8"))
    noted.write_text(json.dumps({**state, "complete": False}), encoding="utf-8")
    study.uri = f"sqlite:///{study.root / 'other.db'}"
    assert study.track().returncode == 0
    assert study.logged() == whole


def test_runs_that_a_user_deletes_are_no_obstacle(study: Study, whole: dict[str, Any]) -> None:
    """A child deleted while the run goes on comes back with its next evaluation."""
    study.begin()
    study.fill()
    study.end()
    lines = (
        (study.events.folder / "events.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    )
    first = next(i for i, line in enumerate(lines) if '"stage": "evaluate"' in line)
    (study.events.folder / "events.jsonl").write_text("".join(lines[:first]), encoding="utf-8")
    live = study.events.folder / "driver.pid"
    command = [sys.executable, "-m", "ilmlip.track", str(study.store.root), study.uri]
    process = subprocess.Popen(command, env={**os.environ, **QUIET}, cwd=study.root)
    noted = study.events.folder / "logged.json"
    until = time.monotonic() + PATIENCE
    while not (
        noted.exists() and len(json.loads(noted.read_text(encoding="utf-8"))["children"]) == 2
    ):
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.02)
    client = MlflowClient(study.uri)
    experiment = client.get_experiment_by_name("quick").experiment_id
    (train,) = client.search_runs([experiment], "params.seed = '1'")
    client.delete_run(train.info.run_id)
    with (study.events.folder / "events.jsonl").open("a", encoding="utf-8") as out:
        out.write("".join(lines[first:]))
    assert live.exists() and process.wait(60) == 0
    logged = study.logged()
    assert logged["train1"]["history"] == whole["train1"]["history"]


def test_a_deleted_experiment_comes_back(study: Study, whole: dict[str, Any]) -> None:
    client = MlflowClient(study.uri)
    client.delete_experiment(client.create_experiment("quick"))
    study.begin()
    study.fill()
    study.end()
    done = study.track()
    assert done.returncode == 0, done.stderr
    assert study.logged() == whole


def test_a_model_that_is_gone_from_the_store(study: Study) -> None:
    """Its evaluations have nowhere to go; the rest is logged, and nothing waits for ever."""
    study.begin()
    study.fill()
    study.end()
    shutil.rmtree(study.store.root / "results" / "train")
    assert study.track().returncode == 0
    assert pending(study.store.root) == 0
    assert {name: run["status"] for name, run in study.logged().items()} == {
        "run": "FINISHED", "sample": "FINISHED",
    }  # fmt: skip


def test_a_model_of_an_earlier_run_gets_its_new_evaluations(study: Study) -> None:
    """Another test composition later: the run of the model that was trained then goes on."""
    study.begin()
    study.fill()
    study.end()
    study.events = Events(study.store.root)
    study.begin()
    about = {"training": "0.4+0.6", "seed": 1, "kind": "nequip", "r_max": 5.0}
    train = make("train", about, {"dataset": ("dataset-k1-00",)})
    tested = {**about, "composition": "0.8", "model": train.key}
    study.publish(make("evaluate", tested), {"energy_mae": 9.0, "n_frames": 5}, {})
    study.events.end("done", {})
    assert study.track().returncode == 0
    client = MlflowClient(study.uri)
    experiment = client.get_experiment_by_name("quick").experiment_id
    (run,) = client.search_runs([experiment], "params.seed = '1'")
    assert run.data.metrics["energy_mae/0.8"] == 9.0
    assert run.data.metrics["energy_mae"] == 5.0  # over 2, 4 and 9
    assert run.info.status == "FINISHED"
    assert len(client.search_runs([experiment], "tags.`ilmlip.stage` = 'run'")) == 2


def test_a_driver_without_a_last_word(study: Study) -> None:
    study.begin()
    study.fill()
    with (study.events.folder / "events.jsonl").open("a", encoding="utf-8") as out:
        out.write('{"event": "ta')  # it died as it wrote
    (study.events.folder / "driver.pid").write_text("999999999\n", encoding="utf-8")
    assert study.track().returncode == 0
    logged = study.logged()
    assert logged["run"]["status"] == "KILLED"
    assert logged["train1"]["status"] == "FINISHED"
    assert logged["train1"]["last"]["energy_mae"] == 3.0
    assert pending(study.store.root) == 0


def test_a_failed_training(study: Study) -> None:
    study.begin()
    task = make("train", {"training": "0.4", "seed": 3, "kind": "nequip"})
    study.events.failed(task, Failure(task.key, "train", "loss is nan", "", "/log", 1.7e9))
    study.events.end("failed", {})
    assert study.track().returncode == 0
    logged = study.logged()
    assert logged["train3"]["status"] == "FAILED"
    assert logged["train3"]["tags"]["ilmlip.reason"] == "loss is nan"
    assert logged["run"]["status"] == "FAILED"


def test_a_training_that_failed_and_then_succeeded(study: Study) -> None:
    """One run for the task, and no reason of a failure left on it."""
    task = make("train", {"training": "0.4", "seed": 3, "kind": "nequip"})
    study.begin()
    study.events.failed(task, Failure(task.key, "train", "loss is nan", "", "/log", 1.6e9))
    study.events.end("failed", {})
    assert study.track().returncode == 0
    study.events = Events(study.store.root)
    study.begin()
    study.publish(task, {"steps": 20}, {"curve.csv": CURVE})
    study.events.end("done", {})
    assert study.track().returncode == 0
    client = MlflowClient(study.uri)
    experiment = client.get_experiment_by_name("quick").experiment_id
    (run,) = client.search_runs([experiment], "params.seed = '3'")
    assert run.info.status == "FINISHED"
    assert not {"ilmlip.reason", "ilmlip.log"} & set(run.data.tags)


def test_findings_are_metrics_and_tags_of_the_parent(study: Study) -> None:
    path = study.root / "findings.json"
    found = [
        {"name": "far_away", "value": 15.0, "holds": True},
        {"name": "near_by", "value": None, "holds": None},
    ]
    path.write_text(json.dumps(found), encoding="utf-8")
    study.begin()
    study.events.end("done", {"findings": str(path)})
    assert study.track().returncode == 0
    client = MlflowClient(study.uri)
    experiment = client.get_experiment_by_name("quick").experiment_id
    (run,) = client.search_runs([experiment], "metrics.`finding/far_away` >= 5")
    assert run.data.metrics == {"finding/far_away": 15.0}
    tags = run.data.tags
    assert (tags["finding.far_away"], tags["finding.near_by"]) == ("True", "None")


def test_a_packaged_model_is_logged_on_the_run_of_its_training(study: Study) -> None:
    """Also when the training was logged by an earlier run; and once, however often it is told."""
    study.begin()
    study.fill()
    study.end()
    assert study.track().returncode == 0
    train = next(t for t in study.store.keys("results") if t.startswith("train-"))
    study.events = Events(study.store.root)
    study.begin()
    about = {"training": "0.4+0.6", "seed": 1, "model": train}
    task = make("package", about, {"model": (train,)})
    study.publish(task, {"elements": ["Li"]}, {"model.nequip.zip": "a package"})
    study.events.task(task)
    study.end()
    done = study.track()
    assert done.returncode == 0 and "skipped" not in done.stderr
    client = MlflowClient(study.uri)
    experiment = client.get_experiment_by_name("quick")
    (model,) = client.search_logged_models([experiment.experiment_id])
    run = client.get_run(model.source_run_id)
    assert run.data.tags["ilmlip.task"] == train and run.info.status == "FINISHED"
    assert model.name == "model" and model.params["training"] == "0.4+0.6"
    kept = list(Path(study.root).rglob("model.nequip.zip"))
    assert sum("mlruns" in str(path) for path in kept) == 1


def test_names_of_a_sweep_say_what_was_swept(study: Study) -> None:
    """Also of a training that the study had logged before; a name that a user gave it stays."""
    names = [f"composition-{i:027d}" for i in range(9)]
    sets = ("0.4", "0.6", "+".join(names))
    about = [{"training": one, "seed": 1, "kind": "nequip", "loss_force": 2.0} for one in sets]
    old, own, long = [make("train", one) for one in about]
    study.begin()
    for task in (old, own):
        study.publish(task, {"steps": 20}, {"curve.csv": CURVE})
    study.events.end("done", {})
    assert study.track().returncode == 0
    client = MlflowClient(study.uri)
    experiment = client.get_experiment_by_name("quick").experiment_id

    def found() -> dict[str, Any]:
        runs = client.search_runs([experiment], "tags.`ilmlip.stage` = 'train'")
        return {run.data.tags["ilmlip.task"]: run for run in runs}

    assert {run.info.run_name for run in found().values()} == {"0.4 seed 1", "0.6 seed 1"}
    client.update_run(found()[own.key].info.run_id, name="my best")
    study.events = Events(study.store.root)
    study.begin(swept=["loss_force", "frames"])
    for task in (old, own):
        study.events.task(replace(task, about={**task.about, "frames": 20}))
    study.publish(long, {"steps": 20}, {"curve.csv": CURVE})
    study.events.end("done", {})
    assert study.track().returncode == 0
    runs = found()
    assert runs[old.key].info.run_name == "0.4 seed 1 loss_force=2.0 frames=20"
    assert runs[old.key].data.params["frames"] == "20"
    assert runs[own.key].info.run_name == "my best"
    name = runs[long.key].info.run_name
    assert len(name) <= 250 and name.endswith("… loss_force=2.0")
