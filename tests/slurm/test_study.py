"""The quickstart at smoke scale on a real Slurm, by the commands a user types."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from command import PATIENCE, SMOKE, Smoke, ilmlip

from ilmlip.execute.submission import open_runs, runs
from ilmlip.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.engine]
ON_SLURM = ("quickstart", "scale=smoke", "cluster=slurm", "cluster.pack_seconds=30")


def digests(store: Path) -> dict[str, str]:
    return {
        path.parent.name: json.loads(path.read_text(encoding="utf-8"))["digest"]
        for path in store.glob("results/*/*/manifest.json")
    }


@pytest.fixture(scope="module")
def submitted(cluster_of_one: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the study was submitted, and ended by the jobs alone."""
    folder = Path(tmp_path_factory.mktemp("study"))
    answer = ilmlip("run", *ON_SLURM, "--detach", "--json", cwd=folder)
    assert answer.code == 0, answer.err
    assert answer.json["done"] == 0 and len(answer.json["queued"]) > 100
    first = ilmlip("status", *ON_SLURM, "--json", cwd=folder).json
    assert sum("job" in task for task in first["tasks"]) > 50
    deadline = time.monotonic() + PATIENCE
    while open_runs(folder / "store"):
        assert time.monotonic() < deadline
        time.sleep(1.0)
    return folder


def test_local_debug_and_slurm_give_the_same_digests(
    submitted: Path, smoke: Smoke, tmp_path: Path
) -> None:
    debug = ilmlip("run", "quickstart", "scale=smoke", "cluster=debug", cwd=tmp_path)
    assert debug.code == 0, debug.err
    local = digests(smoke.folder / "store")
    assert len(local) == 120
    assert digests(submitted / "store") == local
    assert digests(tmp_path / "store") == local


def test_the_jobs_alone_lay_out_the_study_and_tell_mlflow(submitted: Path, smoke: Smoke) -> None:
    (run,) = runs(submitted / "store")
    closed = run.closed()
    assert closed is not None and closed["status"] == "done"
    for name in ("matrix.csv", "findings.json", "ion_energies.csv"):
        mine = submitted / "store" / "studies" / "quickstart" / name
        assert (
            mine.read_bytes()
            == (smoke.folder / "store" / "studies" / "quickstart" / name).read_bytes()
        )
    assert logged(submitted) == logged(smoke.folder)


def logged(folder: Path) -> dict[str, tuple[str, dict[str, str], dict[str, float]]]:
    """Each run of MLflow by the task it is of: how it ended, its parameters and metrics."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("quickstart")
    assert experiment is not None
    found = {}
    for run in client.search_runs([experiment.experiment_id], max_results=1000):
        key = run.data.tags.get("ilmlip.task", "the run itself")
        assert key not in found
        metrics = {k: v for k, v in run.data.metrics.items() if k != "seconds"}
        found[key] = (run.info.status, run.data.params, metrics)
    return found


def test_again_there_is_nothing_to_do(submitted: Path) -> None:
    answer = ilmlip("run", *ON_SLURM, "--json", cwd=submitted)
    assert answer.code == 0
    assert (answer.json["done"], answer.json["cached"], answer.json["failed"]) == (0, 120, [])
    assert len(runs(submitted / "store")) == 1


def test_the_logs_of_a_task(submitted: Path) -> None:
    key = next(iter(Store(submitted / "store").keys() & set(keys(submitted, "train"))))
    answer = ilmlip("logs", key[:20], *ON_SLURM, cwd=submitted)
    assert answer.code == 0, answer.err
    assert answer.out.startswith(f"{key}: done on ")
    assert "--- kept with its result:" in answer.out and "nequip.log" in answer.out
    (run,) = runs(submitted / "store")
    closing = {record.id for record in run.records() if record.stage == "closing"}
    kept = {path.name.partition("_")[0] for path in run.folder.glob("slurm/*_submitted.pkl")}
    assert kept == closing
    assert list(submitted.glob("store/jobs/*/*-train.jsonl"))
    wrong = ilmlip("logs", "train-k1-xyz", *ON_SLURM, cwd=submitted)
    assert wrong.code == 2 and "no key that begins so" in wrong.err


def keys(folder: Path, stage: str) -> list[str]:
    return [path.name for path in (folder / "store" / "results" / stage).iterdir()]


def test_smoke_is_the_same_study() -> None:
    assert SMOKE[:2] == ON_SLURM[:2]
