"""A training killed in its job goes on when the study is run again, however it was killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from command import PATIENCE

from ilmlip.execute.claims import Claims
from ilmlip.execute.worker import do, pack
from ilmlip.plan.task import Task
from ilmlip.stages import dataset, stage, train
from ilmlip.store import Result, Store

pytest_plugins = ("toy_fixtures",)
CODE = """
import json, sys
from pathlib import Path
from ilmlip.execute.worker import work
work(Path("store"), json.loads(sys.argv[1]), Path("report.jsonl"), 1)
"""


def task_of(store: Store, toy_sets, smoke_model) -> Task:
    """A training whose data set stands in the store."""
    params = dataset.Params(role="train")
    data = Task("dataset", dataset.STAGE.version, params)
    folder = store.new_work(data.key)
    for file in ("train.extxyz", "val.extxyz"):
        shutil.copy(toy_sets["train"].path / file, folder)
    files = {"train.extxyz": "", "val.extxyz": ""}
    made = Result(data.key, "dataset", 1, Path(), {"role": "train"}, {}, {}, {}, files, {}, "")
    store.publish(made, folder)
    training = smoke_model.model_copy(update={"max_steps": 600}).training(1)
    version = stage("train").version
    return Task("train", version, train.Params(training=training), {"dataset": (data.key,)})


def started(task: Task, beside: str = "config.yaml") -> subprocess.Popen[bytes]:
    """A job that has written a checkpoint in a folder that also holds `beside`."""
    command = [sys.executable, "-c", CODE, json.dumps(pack([task]))]
    process = subprocess.Popen(command, env=os.environ)
    end = time.monotonic() + PATIENCE
    folders = Path("store/work")
    while not any((p.parent / beside).exists() for p in folders.glob("*/model.ckpt")):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.02)
    return process


@pytest.mark.engine
def test_killed_twice_it_ends_with_all_its_steps(toy_sets, smoke_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = Store(tmp_path / "store")
    store.prepare()
    task = task_of(store, toy_sets, smoke_model)
    # the whole job is killed: the work folder is left, and the claim is dead
    job = started(task)
    job.send_signal(signal.SIGKILL)
    job.wait()
    assert store.result(task.key) is None and store.failure(task.key) is None
    # nequip-train alone is killed, as by a lack of memory: a failure, with its folder
    job = started(task, "begin.ckpt")
    (own,) = psutil.Process(job.pid).children()
    own.kill()
    assert job.wait() == 0
    failure = store.failure(task.key)
    assert failure is not None and "was killed by SIGKILL" in failure.reason
    (work,) = (store.root / "failed" / "train" / task.key).glob("work")
    assert (work / "begin.ckpt").exists()
    # the third time it comes to its end
    assert do(store, Claims(store.root), task) == "done"
    result = store.result(task.key)
    assert result is not None and result.values["steps"] == 600
    assert 0 < result.notes["went_on_from_step"] < 600
    curve = (result.path / "curve.csv").read_text(encoding="utf-8").splitlines()
    assert [row.split(",")[1] for row in curve[1:]] == [f"{i}.0" for i in range(150)]
    assert not list((store.root / "work").iterdir())
    assert not (store.root / "failed" / "train" / task.key).exists()
