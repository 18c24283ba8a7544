"""MLflow's content follows from events and results: logged as it happened, or all anew, it is one."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from command import ilmlip
from mlflow import MlflowClient
from tracked import CURVE, THERMO, Study, content, make, other, tracker

from ilmlip.execute.events import Events
from ilmlip.store import Failure
from ilmlip.track import pending

pytestmark = [pytest.mark.engine, pytest.mark.slow]
ABOUT = {"training": "0.4", "seed": 3, "kind": "nequip", "r_max": 5.0}
MD = {"training": "0.4", "seed": 3, "composition": "0.4", "T": 300.0, "replica": 0}


def track(study: Study) -> None:
    one = tracker(study.store.root, study.uri, study.root)
    one.join(120)
    assert one.exitcode == 0, (study.store.root / "tracking" / "tracker.log").read_text(
        encoding="utf-8"
    )
    assert pending(study.store.root) == 0


def outputs(study: Study, text: str) -> dict[str, str]:
    """What a run shows, in the place where the next run writes over it."""
    folder = study.store.root / "studies" / "quick"
    folder.mkdir(exist_ok=True)
    (folder / "matrix.csv").write_text(text, encoding="utf-8")
    value = len(text)
    (folder / "findings.json").write_text(
        f'[{{"name": "far", "value": {value}, "holds": true}}]', encoding="utf-8"
    )
    return {
        n: str(folder / f) for n, f in (("matrix", "matrix.csv"), ("findings", "findings.json"))
    }


def failure(key: str) -> Failure:
    return Failure(key, "train", "loss is nan", "", "/log", 1.7e9)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, dict[str, Any]]:
    """A store with five runs, logged one by one as they happened, and what MLflow holds of them."""
    study = Study(Path(tmp_path_factory.mktemp("lived")))
    train, md = make("train", ABOUT), make("md", MD)
    # a whole one with a failure
    study.begin()
    study.fill()
    study.events.failed(train, failure(train.key))
    study.events.end("failed", outputs(study, "model\n"))
    track(study)
    # the failed training succeeds; dynamics begin; their driver is killed
    study.events = Events(study.store.root)
    time.sleep(1)  # runs are told apart by the second
    study.events = Events(study.store.root)
    study.begin()
    study.publish(train, {"steps": 20}, {"curve.csv": CURVE, "model.json": "{}"})
    study.publish(make("evaluate", {**ABOUT, "composition": "0.0", "model": train.key}),
                  {"energy_mae": 7.0}, {})  # fmt: skip
    study.events.began(md)
    (study.events.folder / "driver.pid").write_text("999999999\n", encoding="utf-8")
    track(study)
    # they are requeued and come to their end; the evaluation of an earlier model; a package
    study.events = Events(study.store.root)
    time.sleep(1)
    study.events = Events(study.store.root)
    study.begin()
    study.events.began(md)
    study.publish(md, {"stable": True}, {"thermo.csv": THERMO})
    study.publish(make("evaluate", {**ABOUT, "composition": "0.8", "model": train.key}),
                  {"energy_mae": 9.0}, {})  # fmt: skip
    packed = make("package", {**ABOUT, "model": train.key}, {"model": (train.key,)})
    study.publish(packed, {"elements": ["Li"]}, {"model.nequip.zip": "a package"})
    study.events.end("done", outputs(study, "model,seed\n"))
    track(study)
    # a detached one, half done, and one that another driver interrupted
    time.sleep(1)
    study.events = Events(study.store.root)
    study.begin(detached=True)
    study.events.began(make("md", {**MD, "replica": 1}))
    study.events.leave()
    track(study)
    time.sleep(1)
    study.events = Events(study.store.root)
    study.begin()
    study.events.began(make("md", {**MD, "replica": 2}))
    study.events.end("failed", {})
    track(study)
    found = content(study.uri)
    assert sorted(run["status"] for run in found.values()) == [
        "FAILED", "FAILED", "FINISHED", "FINISHED", "FINISHED", "FINISHED", "FINISHED",
        "FINISHED", "KILLED", "KILLED", "RUNNING", "RUNNING",
    ]  # fmt: skip
    return study, found


def gone(study: Study) -> None:
    """The database with all its artefacts is removed."""
    (study.root / "mlflow.db").unlink(missing_ok=True)
    shutil.rmtree(study.root / "mlruns", ignore_errors=True)


def test_what_was_logged_as_it_happened(lived: tuple[Study, dict[str, Any]]) -> None:
    """The figures that a rebuilt content is held against are themselves right."""
    _, found = lived
    train = make("train", ABOUT).key
    assert found[train]["history"]["energy_mae/0.8"][0][1] == 9.0
    assert [v for _, v, _ in found[train]["history"]["energy_mae"]] == [7.0, 8.0]
    assert [m[0] for m in found[train]["models"]] == ["model"] and "ilmlip.reason" not in found[
        train
    ]["tags"]
    md = found[make("md", MD).key]
    assert md["status"] == "FINISHED" and len(md["history"]["temperature"]) == 2
    runs = [run for run in found.values() if run["tags"]["ilmlip.stage"] == "run"]
    shown = {run["last"]["finding/far"]: run["files"]["matrix.csv"] for run in runs if run["last"]}
    assert shown == {6.0: 6, 11.0: 11}


def test_rebuilt_it_is_the_same(lived: tuple[Study, dict[str, Any]]) -> None:
    """After the database is lost; and again, onto what is there; and in another database."""
    study, before = lived
    gone(study)
    answer = ilmlip("track", "--rebuild", "--json", cwd=study.root)
    assert answer.code == 0, answer.err
    assert len(answer.json["logged"]) == 5 and answer.json["left"] == []
    assert other(content(study.uri), before) == []

    client = MlflowClient(study.uri)
    experiment = client.get_experiment_by_name("quick").experiment_id
    (run,) = client.search_runs([experiment], "params.seed = '1'")
    client.log_metric(run.info.run_id, "train_loss", 99.0, step=30)
    assert other(content(study.uri), before)
    answer = ilmlip("track", "--rebuild", cwd=study.root)
    assert answer.code == 0 and "5 runs logged" in answer.out
    assert other(content(study.uri), before) == []

    (study.root / "else").mkdir()
    elsewhere = f"sqlite:///{study.root}/else/other.db"
    answer = ilmlip("track", "--rebuild", "--uri", elsewhere, cwd=study.root)
    assert answer.code == 0
    assert other(content(elsewhere), before) == []
    answer = ilmlip("track", cwd=study.root)
    assert answer.code == 0 and "0 runs logged" in answer.out
    assert other(content(study.uri), before) == []


def test_a_killed_rebuild_goes_on(lived: tuple[Study, dict[str, Any]]) -> None:
    """It logged two events and died; the next tracker is none that rebuilds."""
    study, before = lived
    for folder in (study.store.root / "tracking").glob("*-*"):
        (folder / "logged.json").unlink()
    track(study)
    assert other(content(study.uri), before) == []


def test_what_is_gone_from_the_store_is_named(
    lived: tuple[Study, dict[str, Any]], tmp_path: Path
) -> None:
    study, before = lived
    shutil.copytree(study.store.root, tmp_path / "store")
    train = make("train", ABOUT).key
    md = make("md", MD).key
    shutil.rmtree(tmp_path / "store" / "results" / "train" / train)
    shutil.rmtree(tmp_path / "store" / "results" / "md")
    answer = ilmlip("track", "--rebuild", cwd=tmp_path)
    assert answer.code == 0 and "5 runs logged" in answer.out
    assert f"{train} is gone from the store" in answer.err
    assert f"{md} is gone from the store" in answer.err
    found = content(f"sqlite:///{tmp_path}/mlflow.db")
    rest = [{k: v for k, v in one.items() if k not in (train, md)} for one in (found, before)]
    assert other(*rest) == []
    # what is left of them: the one had failed before, the other had told that it began
    for key in (train, md):
        assert found[key]["status"] == "FINISHED"
        assert found[key]["params"] == before[key]["params"]
    assert not found[md]["history"] and "ilmlip.reason" not in found[train]["tags"]


def test_track_without_a_store(tmp_path: Path) -> None:
    answer = ilmlip("track", cwd=tmp_path)
    assert answer.code == 2 and "no store at" in answer.err


def test_track_tells_what_it_logs(tmp_path: Path) -> None:
    study = Study(tmp_path)
    study.begin()
    study.fill()
    study.end()
    away = ilmlip("track", "--uri", "sqlite:////no/such/folder/mlflow.db", cwd=tmp_path)
    assert away.code == 1 and "0 runs logged; 1 wait in the store" in away.out
    assert "tracker: sqlite:////no" in away.err and "Traceback" not in away.err
    answer = ilmlip("track", cwd=tmp_path)
    assert answer.code == 0 and "1 run logged" in answer.out
    assert "1 of 1 run to log" in answer.err
    again = ilmlip("track", cwd=tmp_path)
    assert again.code == 0 and "0 runs logged" in again.out
