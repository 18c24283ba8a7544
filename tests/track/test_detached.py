"""Runs that a batch system works on: fed now and then, by one process after another."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import PATIENCE
from mlflow import MlflowClient
from tracked import Study, make

from ilmlip.execute.events import Events, Mention
from ilmlip.track import QUIET, pending
from ilmlip.track.mlflow_log import connect

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database: making one takes MLflow seconds, copying it none."""
    path = Path(tmp_path_factory.mktemp("database")) / "mlflow.db"
    connect(f"sqlite:///{path}")
    return path


@pytest.fixture
def study(tmp_path: Path, database: Path) -> Study:
    shutil.copyfile(database, tmp_path / "mlflow.db")
    return Study(tmp_path)


def status(study: Study) -> dict[str, str]:
    return {name: run["status"] for name, run in study.logged().items()}


def lines(study: Study) -> list[str]:
    return (
        (study.events.folder / "events.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    )


def test_a_detached_run_stays_open_and_goes_on(study: Study) -> None:
    """Three processes feed it in turn; between them it is neither awaited nor killed."""
    study.begin(detached=True)
    study.events.leave()
    assert study.track().returncode == 0
    assert status(study) == {"run": "RUNNING"} and pending(study.store.root) == 0

    md = make("md", {"training": "0.4", "seed": 9, "composition": "0.4", "T": 300.0})
    study.events = Events.reopen(study.store.root, study.events.run)
    study.events.began(Mention(md.key, "md", md.about))
    study.fill()
    assert pending(study.store.root) == 1
    assert study.track().returncode == 0
    assert pending(study.store.root) == 0
    assert status(study) == {
        "run": "RUNNING", "md9": "RUNNING", "sample": "FINISHED",
        "train1": "FINISHED", "train2": "FINISHED",
    }  # fmt: skip

    study.events = Events.reopen(study.store.root, study.events.run)
    study.publish(md, {"stable": True}, {"thermo.csv": "step,temperature_K\n0,290\n"})
    study.end()
    assert study.track().returncode == 0
    assert set(status(study).values()) == {"FINISHED"} and len(status(study)) == 5
    assert pending(study.store.root) == 0


def test_the_end_is_as_that_of_a_run_with_a_driver(
    tmp_path: Path, database: Path, study: Study
) -> None:
    study.begin()
    study.fill()
    study.end()
    assert study.track().returncode == 0
    (tmp_path / "b").mkdir()
    other = Study(tmp_path / "b")
    shutil.copyfile(database, other.root / "mlflow.db")
    other.begin(detached=True)
    other.events.leave()
    assert other.track().returncode == 0
    other.fill()
    assert other.track().returncode == 0
    other.end()
    assert other.track().returncode == 0
    assert other.logged() == study.logged()


def test_whoever_watches_is_awaited(study: Study) -> None:
    """The tracker follows as long as a feeder lives, and ends after it without an end of the run."""
    study.begin(detached=True)
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom ilmlip.execute.events import Events\n"
        "Events.reopen(Path(sys.argv[1]), sys.argv[2]).watch()\nprint('watches', flush=True)\n"
        "time.sleep(9999)\n"
    )
    feeder = subprocess.Popen(
        [sys.executable, "-c", code, str(study.store.root), study.events.run],
        stdout=subprocess.PIPE, text=True,
     encoding="utf-8")  # fmt: skip
    assert feeder.stdout is not None and feeder.stdout.readline() == "watches\n"
    command = [sys.executable, "-m", "ilmlip.track", str(study.store.root), study.uri]
    tracker = subprocess.Popen(command, env={**os.environ, **QUIET}, cwd=study.root)
    until = time.monotonic() + PATIENCE
    while not (study.events.folder / "logged.json").exists():
        assert time.monotonic() < until and tracker.poll() is None
        time.sleep(0.05)
    time.sleep(2)
    assert tracker.poll() is None
    feeder.kill()
    feeder.wait()
    assert tracker.wait(PATIENCE) == 0
    assert status(study) == {"run": "RUNNING"} and pending(study.store.root) == 0


def test_an_event_said_twice_changes_nothing(study: Study) -> None:
    study.begin(detached=True)
    study.fill()
    study.end()
    assert study.track().returncode == 0
    once = study.logged()
    start, *tasks, end = lines(study)
    for again in ([*tasks, end], tasks, [start, *tasks, end], [end]):
        with (study.events.folder / "events.jsonl").open("a", encoding="utf-8") as out:
            out.write("".join(again))
        assert pending(study.store.root) == 1
        assert study.track().returncode == 0
        assert study.logged() == once
        assert pending(study.store.root) == 0


def test_a_feeder_that_dies_as_it_writes(study: Study) -> None:
    """Half a line is neither awaited nor a fault; the next process says it whole."""
    study.begin(detached=True)
    with (study.events.folder / "events.jsonl").open("a", encoding="utf-8") as out:
        out.write('{"event": "task", "key": "tra')
    study.events.leave()
    assert study.track().returncode == 0
    assert pending(study.store.root) == 0
    study.events = Events.reopen(study.store.root, study.events.run)
    study.fill()
    study.end()
    done = study.track()
    assert done.returncode == 0 and "skipped" not in done.stderr
    assert len(study.logged()) == 4 and pending(study.store.root) == 0


def test_a_cancelled_run_is_killed_with_what_still_ran(study: Study) -> None:
    md = make("md", {"training": "0.4", "seed": 9, "composition": "0.4", "T": 300.0})
    study.begin(detached=True)
    study.events.began(md)
    study.events.end("killed", {})
    assert study.track().returncode == 0
    assert status(study) == {"run": "KILLED", "md9": "KILLED"}


def test_another_run_is_not_held_up(study: Study) -> None:
    study.begin(detached=True)
    study.events.leave()
    waits = study.events.run
    study.events = Events(study.store.root)
    study.begin()
    study.events.end("done", {})
    assert study.track().returncode == 0
    client = MlflowClient(study.uri)
    experiment = client.get_experiment_by_name("quick").experiment_id
    found = {
        run.data.tags["ilmlip.run"]: run.info.status for run in client.search_runs([experiment])
    }
    assert found == {waits: "RUNNING", study.events.run: "FINISHED"}
