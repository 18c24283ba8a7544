"""A store with results as stages leave them, and the events of a run that the tracker follows."""

from __future__ import annotations

import atexit
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from command import PATIENCE
from mlflow import MlflowClient

from ilmlip.execute.events import Events
from ilmlip.plan.task import Task
from ilmlip.stages.probe import Params
from ilmlip.store import Result, Store
from ilmlip.track import QUIET
from ilmlip.track.mlflow_log import connect

CURVE = "step,epoch,train_loss,val_force_mae\n10,0,2.5,400\n20,1,1.5,300\n"
THERMO = (
    "step,time_fs,temperature_K,pressure_bar,density_g_cm3,potential_eV,kinetic_eV,total_eV\n"
    "0,0,290,10,1.5,-5,1,-4\n100,100,310,-10,1.5,-6,1,-5\n"
)


@cache
def empty_database() -> Path:
    """An empty database of MLflow's: making one takes it seconds, copying it none."""
    folder = Path(tempfile.mkdtemp(prefix="ilmlip-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    connect(f"sqlite:///{folder / 'mlflow.db'}")
    return folder / "mlflow.db"


class Study:
    """A store with results as the stages leave them, and the events of one run."""

    def __init__(self, root: Path) -> None:
        self.store = Store(root / "store")
        self.store.prepare()
        self.events = Events(self.store.root)
        self.uri = f"sqlite:///{root / 'mlflow.db'}"
        self.root = root
        shutil.copyfile(empty_database(), root / "mlflow.db")

    def publish(self, task: Task, values: dict[str, Any], files: dict[str, str]) -> None:
        work = self.store.new_work(task.key)
        for name, text in files.items():
            (work / name).write_text(text, encoding="utf-8")
        inputs = dict.fromkeys(task.inputs(), "d" * 64)
        result = Result(
            task.key, task.stage, 1, Path(), {}, {}, inputs, {}, dict.fromkeys(files, ""),
            values, "", started=1.7e9, seconds=60.0,
        )  # fmt: skip
        self.store.publish(result, work)
        self.events.task(task)

    def begin(self, *, detached: bool = False, swept: Sequence[str] = ()) -> None:
        self.events.start(
            study="quick", study_key="abc", spec={"name": "quick"},
            params={"system": "salt", "r_max": 5.0}, detached=detached, swept=list(swept),
        )  # fmt: skip

    def fill(self) -> None:
        sample = make("sample", {"composition": "0.4", "structure": 0})
        self.publish(sample, {"temperature_K": 300.0, "n_frames": 2}, {"thermo.csv": THERMO})
        for seed in (1, 2):
            about = {"training": "0.4+0.6", "seed": seed, "kind": "nequip", "r_max": 5.0}
            train = make("train", about, {"dataset": ("dataset-k1-00",)})
            files = {"curve.csv": CURVE, "config.yaml": "run: [train]\n"}
            self.publish(train, {"steps": 20, "val_force_mae": 280.0}, files)
            for x, error in (("0.0", 2.0), ("1.0", 4.0)):
                tested = {**about, "composition": x, "model": train.key}
                values = {
                    "energy_mae": error, "energy_mae_stderr": 0.1, "force_mae_Li": 10 * error,
                    "n_frames": 5, "ion_energies": {"Li": -1.0},
                }  # fmt: skip
                self.publish(make("evaluate", tested), values, {"errors.json": "{}"})

    def end(self) -> None:
        figure = self.root / "matrix.csv"
        figure.write_text("model\n", encoding="utf-8")
        self.events.end("done", {"matrix": str(figure)})

    def track(self, uri: str | None = None) -> subprocess.CompletedProcess[str]:
        """The tracker, to its end: its exit status, and what it tells of (`tracker`)."""
        log = self.store.root / "tracking" / "tracker.log"
        before = log.stat().st_size if log.exists() else 0
        one = tracker(self.store.root, uri or self.uri, self.root)
        one.join(PATIENCE)
        said = log.read_bytes()[before:].decode()
        return subprocess.CompletedProcess(
            [], -1 if one.exitcode is None else one.exitcode, "", said
        )

    def logged(self) -> dict[str, Any]:
        """All that MLflow holds, by the runs' names, without ids and times."""
        client = MlflowClient(self.uri)
        experiment = client.get_experiment_by_name("quick")
        found = {}
        for run in client.search_runs([experiment.experiment_id], max_results=100):
            history = {
                name: [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, name)]
                for name in run.data.metrics
            }
            tags = {k: v for k, v in run.data.tags.items() if k.startswith("ilmlip.")}
            tags.pop("ilmlip.run", None)
            tags.pop("ilmlip.curve", None)
            name = run.data.tags["ilmlip.stage"] + str(run.data.params.get("seed", ""))
            assert name not in found
            found[name] = {
                "params": run.data.params,
                "history": history,
                "last": run.data.metrics,
                "tags": tags,
                "status": run.info.status,
                "child": "mlflow.parentRunId" in run.data.tags,
                "files": sorted(a.path for a in client.list_artifacts(run.info.run_id)),
                "data": [d.dataset.digest for d in run.inputs.dataset_inputs],
            }
        return found


def make(
    stage: str, about: dict[str, Any], needs: dict[str, tuple[str, ...]] | None = None
) -> Task:
    return Task(stage, 1, Params(name=json.dumps(about)), needs or {}, about=about)


def content(uri: str) -> dict[str, Any]:
    """All that MLflow holds: each run by what ilmlip calls it, with times and its parent, no ids.

    A run that is there twice fails. A process of its own looks: MLflow keeps a database open, also
    one that was removed.
    """
    with context().Pool(1) as pool:
        return pool.apply(_content, (uri,))


def _content(uri: str) -> dict[str, Any]:
    client = MlflowClient(uri)
    found: dict[str, Any] = {}
    names: dict[str, str] = {}
    runs = [
        run
        for experiment in client.search_experiments()
        for run in client.search_runs([experiment.experiment_id], max_results=5000)
    ]
    for run in runs:
        name = run.data.tags.get("ilmlip.task") or run.data.tags["ilmlip.run"]
        assert name not in found, f"{name} is there twice"
        names[run.info.run_id] = name
        found[name] = {
            "name": run.info.run_name,
            "params": run.data.params,
            "history": {
                metric: sorted((m.step, m.value, m.timestamp) for m in points)
                for metric in run.data.metrics
                if (points := client.get_metric_history(run.info.run_id, metric))
            },
            "last": run.data.metrics,
            "tags": {k: v for k, v in run.data.tags.items() if k.startswith(("ilmlip", "find"))},
            "status": run.info.status,
            "times": (run.info.start_time, run.info.end_time),
            "files": _files(client, run.info.run_id),
            "data": [(d.dataset.name, d.dataset.digest) for d in run.inputs.dataset_inputs],
            "models": [
                (model.name, str(model.status), model.params)
                for model in client.search_logged_models(
                    [run.info.experiment_id], f"source_run_id = '{run.info.run_id}'"
                )
            ],
        }
    for run in runs:
        above = run.data.tags.get("mlflow.parentRunId")
        found[names[run.info.run_id]]["parent"] = above and names[above]
    return found


def other(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Where one content differs from another: runs that one of them lacks, and fields of the rest."""
    lines = [f"{name} is in one of them only" for name in sorted(found.keys() ^ wanted.keys())]
    for name in sorted(found.keys() & wanted.keys()):
        for field in wanted[name]:
            own, value = found[name][field], wanted[name][field]
            if own == value:
                continue
            if isinstance(value, dict):  # of it what differs
                keys = [k for k in {**own, **value} if own.get(k) != value.get(k)]
                own, value = [{k: d[k] for k in keys if k in d} for d in (own, value)]
            lines.append(f"{name}: {field} is {own}, not {value}")
    return lines


def _files(client: MlflowClient, run: str, under: str = "") -> dict[str, int]:
    """Every artefact of a run with its size."""
    found: dict[str, int] = {}
    for one in client.list_artifacts(run, under or None):
        found |= _files(client, run, one.path) if one.is_dir else {one.path: one.file_size}
    return found


def tracker(root: Path, uri: str, folder: Path) -> BaseProcess:
    """A tracker as `python -m ilmlip.track` in `folder`, begun from a process that knows MLflow.

    Python's start and MLflow's import take five seconds, which tests of many trackers do not have.
    """
    process = context().Process(target=_tracker, args=(root, uri, folder), daemon=True)
    process.start()
    return process


def context() -> ForkServerContext:
    """Where processes begin that know MLflow already."""
    os.environ.update(QUIET)
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(["mlflow.store.tracking.sqlalchemy_store", "tracked"])
    return found


def _tracker(root: Path, uri: str, folder: Path) -> None:
    from ilmlip.track.__main__ import main

    os.chdir(folder)
    sys.argv = ["track", str(root), uri]
    with (root / "tracking" / "tracker.log").open("a", encoding="utf-8") as log:
        sys.stderr = log
        code = main()
    os._exit(code)
