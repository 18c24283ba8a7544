"""The curve of a run of dynamics in MLflow while it still runs, and complete afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient
from tracked import Study, make

from ilmlip.track import live
from ilmlip.track.follow import Follower
from ilmlip.track.mlflow_log import connect

pytestmark = pytest.mark.engine
HEAD = "step,time_fs,temperature_K,density_g_cm3,conserved_eV\n"


def row(step: int) -> str:
    return f"{step},{step / 2},{300 + step},1.4,-5\n"


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setattr(live, "EVERY", 0.0)
    monkeypatch.chdir(tmp_path)
    made = Study(tmp_path)
    made.begin()
    return made


def follower(study: Study) -> Follower:
    (folder,) = (study.store.root / "tracking").glob("*-*")
    return Follower(folder, study.store, connect(study.uri))


def history(study: Study) -> tuple[str, list[tuple[int, float]]]:
    """Status of the run of dynamics, and its temperatures."""
    client = MlflowClient(study.uri)
    experiment = client.get_experiment_by_name("quick")
    (run,) = client.search_runs([experiment.experiment_id], "tags.`ilmlip.stage` = 'md'")
    points = client.get_metric_history(run.info.run_id, "temperature")
    return run.info.status, [(p.step, p.value) for p in points]


def test_a_dying_run_is_seen_while_it_dies(study: Study) -> None:
    about = {"training": "0.4", "seed": 1, "composition": "0.4", "T": 300.0, "replica": 0}
    task = make("md", about)
    study.events.began(task)
    work = study.store.new_work(task.key)
    table = work / "thermo.csv"
    table.write_text(HEAD + row(0) + row(10) + "20,10,3", encoding="utf-8")  # half a row
    one = follower(study)
    one.catch_up()
    assert history(study) == ("RUNNING", [(0, 300.0), (10, 310.0)])
    with table.open("w", encoding="utf-8") as out:
        out.write(HEAD + "".join(map(row, (0, 10, 20, 30))))
    one.catch_up()
    one.catch_up()
    assert history(study)[1] == [(0, 300.0), (10, 310.0), (20, 320.0), (30, 330.0)]
    # another tracker goes on where the first one died
    with table.open("a", encoding="utf-8") as out:
        out.write(row(40))
    another = follower(study)
    another.catch_up()
    assert [step for step, _ in history(study)[1]] == [0, 10, 20, 30, 40]
    # the result says it all again, and brings what was never seen
    study.publish(
        task, {"stable": False}, {"thermo.csv": HEAD + "".join(map(row, range(0, 70, 10)))}
    )
    another.catch_up()
    study.end()
    assert another.catch_up()
    status, points = history(study)
    assert status == "FINISHED"
    assert sorted(points) == [(step, 300.0 + step) for step in range(0, 70, 10)]


def test_a_run_that_is_killed_with_its_driver_is_no_longer_running(study: Study) -> None:
    task = make("md", {"training": "0.4", "composition": "0.4", "T": 300.0})
    study.events.began(task)
    (study.store.new_work(task.key) / "thermo.csv").write_text(HEAD + row(0), encoding="utf-8")
    one = follower(study)
    one.catch_up()
    assert history(study)[0] == "RUNNING"
    (pid,) = (study.store.root / "tracking").glob("*/driver.pid")
    pid.write_text("999999999\n", encoding="utf-8")
    assert one.catch_up()
    assert history(study)[0] == "KILLED"
