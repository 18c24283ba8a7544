"""A real training that needs several of its jobs' time limits: one job, one run of MLflow."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from command import ilmlip
from mlflow import MlflowClient

from ilmlip.execute.submission import runs, said_in
from ilmlip.store import Store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.engine,
    pytest.mark.usefixtures("cluster_of_one"),
]
STUDY = (
    "quickstart", "scale=smoke", "cluster=slurm", "compositions.training=[[0.4]]",
    "analysis=none", "model.seeds=[1]", "model.linear=false", "model.max_steps=3500",
    "cluster.stages.train={minutes: 2}", "cluster.slurm.longest_minutes=2",
    "cluster.slurm.notice=30",
)  # fmt: skip


def test_a_training_goes_on_after_its_time_limit(tmp_path: Path) -> None:
    answer = ilmlip("run", *STUDY, "--json", cwd=tmp_path)
    assert answer.code == 0, answer.err
    store = Store(tmp_path / "store")
    (key,) = [key for key in sorted(store.keys()) if key.startswith("train-")]
    result = store.result(key)
    assert result is not None and result.values["steps"] == 3500
    assert result.notes["went_on_from_step"] > 0
    (run,) = runs(store.root)
    (record,) = (record for record in run.records() if record.stage == "train")
    (element,) = record.elements
    workers = [said for said in said_in(run.folder / element.report) if "began" in said]
    assert len(workers) >= 2
    shown = subprocess.run(
        ["scontrol", "-o", "show", "job", element.id],
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    ).stdout
    assert f"Restarts={len(workers) - 1}" in shown and "TimeLimit=00:02:00" in shown
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("quickstart")
    assert experiment is not None
    found = client.search_runs(
        [experiment.experiment_id], filter_string=f"tags.`ilmlip.task` = '{key}'"
    )
    assert [one.info.status for one in found] == ["FINISHED"]
    steps = [m.step for m in client.get_metric_history(found[0].info.run_id, "val_force_mae")]
    # no step twice but perhaps the last one's, of the finished model (docs/mlflow.md): where its value
    # is that of the curve to the last bit, MLflow keeps one of them
    earlier = [step for step in steps if step != 3500]
    assert len(earlier) == len(set(earlier)) and steps == sorted(steps)
    assert 1 <= steps.count(3500) <= 2
    assert json.loads((run.folder / "closed.json").read_text(encoding="utf-8"))["status"] == "done"
