"""When a run counts as over, and that nothing which cannot be logged holds up the rest."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from ilmlip.execute.events import Events
from ilmlip.plan.task import Task
from ilmlip.stages.probe import Params
from ilmlip.store import Result, Store
from ilmlip.track import is_complete, pending
from ilmlip.track.__main__ import follow
from ilmlip.track.alive import driver_lives
from ilmlip.track.mlflow_log import connect

pytestmark = pytest.mark.engine


class Begun:
    """A store, an empty MLflow, and a run that has begun; its driver is this process."""

    def __init__(self, root: Path) -> None:
        self.store = Store(root / "store")
        self.store.prepare()
        self.uri = f"sqlite:///{root / 'mlflow.db'}"
        self.events = self.another()

    def another(self, **changed: object) -> Events:
        events = Events(self.store.root)
        what = {"study": "quick", "study_key": "abc", "spec": {}, "params": {}} | changed
        events.start(**what)
        return events

    def train(self, events: Events, seed: int, **about: object) -> None:
        """A training publishes its result."""
        task = Task("train", 1, Params(name=f"{seed}"), {}, about={"seed": seed, **about})
        result = Result(
            task.key, "train", 1, Path(), {}, {}, {}, {}, {}, {"steps": 9}, "", started=1.7e9
        )
        self.store.publish(result, self.store.new_work(task.key))
        events.task(task)

    def track(self) -> int:
        """Follow all runs in this process; how many events were skipped."""
        return follow(self.store, connect(self.uri))

    def status(self) -> dict[str, str]:
        """The status of each run by its seed, or else by its stage ("run" is the parent)."""
        client = MlflowClient(self.uri)
        found = client.get_experiment_by_name("quick")
        runs = client.search_runs([found.experiment_id]) if found else []
        return {
            run.data.params.get("seed", run.data.tags["ilmlip.stage"]): run.info.status
            for run in runs
        }


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database: making one takes MLflow seconds, copying it none."""
    path = Path(tmp_path_factory.mktemp("database")) / "mlflow.db"
    connect(f"sqlite:///{path}")
    return path


@pytest.fixture
def begun(tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch) -> Begun:
    monkeypatch.chdir(tmp_path)  # artefacts go to ./mlruns
    shutil.copyfile(database, tmp_path / "mlflow.db")
    return Begun(tmp_path)


def give_up(events: Events) -> None:
    """As if the driver's process were gone."""
    (events.folder / "driver.pid").write_text("999999999\n", encoding="utf-8")


def test_a_run_that_was_given_up_opens_again(begun: Begun) -> None:
    """Its driver is on another host, where this one cannot see it: nothing of it is lost."""
    begun.train(begun.events, 1)
    give_up(begun.events)
    assert begun.track() == 0
    assert begun.status() == {"run": "KILLED", "1": "FINISHED"}
    assert pending(begun.store.root) == 0
    begun.train(begun.events, 2)
    begun.events.end("done", {})
    assert pending(begun.store.root) == 1
    assert begun.track() == 0
    assert begun.status() == {"run": "FINISHED", "1": "FINISHED", "2": "FINISHED"}


def test_half_a_line_is_not_waited_for(begun: Begun) -> None:
    with (begun.events.folder / "events.jsonl").open("a", encoding="utf-8") as lines:
        lines.write('{"event": "ta')
    give_up(begun.events)
    assert begun.track() == 0
    assert is_complete(begun.events.folder)


def test_the_driver_is_the_process_that_was_there_when_the_run_began(begun: Begun) -> None:
    assert driver_lives(begun.events.folder)
    note = begun.events.folder / "driver.pid"
    os.utime(note, (1.7e9, 1.7e9))  # written long before this process began: its pid was another's
    assert not driver_lives(begun.events.folder)
    for text in ("999999999\n", "", "no number\n"):
        note.write_text(text, encoding="utf-8")
        assert not driver_lives(begun.events.folder)
    note.unlink()
    assert not driver_lives(begun.events.folder)


def test_a_driver_that_ended_unreaped_is_gone(begun: Begun) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.DEVNULL)
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    (begun.events.folder / "driver.pid").write_text(f"{ended.pid}\n", encoding="utf-8")
    assert not driver_lives(begun.events.folder)
    ended.wait()


def test_what_can_never_be_logged_holds_nothing_up(
    begun: Begun, capsys: pytest.CaptureFixture[str]
) -> None:
    """A damaged line, an unknown event, a parameter that MLflow refuses: each is told of once."""
    with (begun.events.folder / "events.jsonl").open("a", encoding="utf-8") as lines:
        lines.write('no JSON\n{"event": "of the future"}\n[]\n')
    begun.train(begun.events, 1, **{"a:name\nthat MLflow refuses": 1})
    begun.train(begun.events, 2)
    begun.events.end("done", {})
    assert begun.track() == 4
    told = capsys.readouterr().err
    assert told.count("skipped an event") == 4 and begun.events.run in told
    assert begun.status()["2"] == begun.status()["run"] == "FINISHED"
    assert pending(begun.store.root) == 0
    assert begun.track() == 0


def test_a_call_that_came_twice_is_no_refusal(
    begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a call is done and its answer is lost: the client makes it again by itself."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    once, calls = SqlAlchemyStore.log_outputs, []

    def twice(*args: Any, **kwargs: Any) -> None:
        once(*args, **kwargs)
        calls.append(args)
        if len(calls) == 1:
            once(*args, **kwargs)

    monkeypatch.setattr(SqlAlchemyStore, "log_outputs", twice)
    about = {"training": "0.4", "seed": 1}
    begun.train(begun.events, 1, training="0.4")
    (model,) = begun.store.keys()
    packed = Task("package", 1, Params(name="p"), {}, about={**about, "model": model})
    work = begun.store.new_work(packed.key)
    (work / "model.nequip.zip").write_text("a package", encoding="utf-8")
    files = {"model.nequip.zip": ""}
    result = Result(packed.key, "package", 1, Path(), {}, {}, {}, {}, files, {}, "", started=1.7e9)
    begun.store.publish(result, work)
    begun.events.task(packed)
    begun.events.end("done", {})
    assert begun.track() == 0 and len(calls) == 2
    client = MlflowClient(begun.uri)
    experiment = client.get_experiment_by_name("quick").experiment_id
    (run,) = client.search_runs([experiment], f"tags.`ilmlip.task` = '{model}'")
    assert "ilmlip.package" in run.data.tags
    (logged,) = client.search_logged_models([experiment])
    assert logged.status == "READY" and logged.source_run_id == run.info.run_id


def test_a_run_that_mlflow_refuses_does_not_hold_up_another(begun: Begun) -> None:
    begun.events.end("done", {})
    refused = begun.another(study="")
    begun.train(refused, 1)
    refused.end("done", {})
    assert begun.track() == 3
    assert begun.status() == {"run": "FINISHED"}
    assert pending(begun.store.root) == 0


def test_a_damaged_result_is_told_of(begun: Begun, capsys: pytest.CaptureFixture[str]) -> None:
    begun.train(begun.events, 1)
    (manifest,) = begun.store.root.glob("results/train/*/manifest.json")
    manifest.write_text(json.dumps({"key": 1}), encoding="utf-8")
    begun.train(begun.events, 2)
    begun.events.end("done", {})
    assert begun.track() == 1
    assert "is damaged" in capsys.readouterr().err
    assert begun.status() == {"run": "FINISHED", "2": "FINISHED"}
