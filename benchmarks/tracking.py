"""Eight writers at once onto one MLflow database: ilmlip's trackers, and bare MLflow's client."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from benchmarks.measure import number, ratio, spread
from benchmarks.report import Table
from ilmlip.track.mlflow_log import connect

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import crowd
import postgres
import tracked

WRITERS, RUNS, TIMES = 8, 504, 1
PATIENCE = 3600.0
KINDS = ("sqlite", "PostgreSQL")


def main(quick: bool) -> Table:
    """sqlite and PostgreSQL by turns, ilmlip and bare by turns; each onto an empty database."""
    runs = 2 * WRITERS if quick else RUNS
    took: dict[tuple[str, str], list[float]] = {}
    points = 0
    for _ in range(TIMES):
        with tempfile.TemporaryDirectory() as folder:
            many = crowd.Crowd(Path(folder), WRITERS, runs)
            points = many.points()
            for how in ("ilmlip", "bare"):
                for kind in KINDS:
                    with database(kind, Path(folder)) as uri:
                        seconds = measure(many, how, uri)
                    took.setdefault((kind, how), []).append(seconds)
                    print(f"{kind}, {how}: {seconds:.1f} s", file=sys.stderr, flush=True)
    rows = []
    for kind in KINDS:
        ours, bare = took[kind, "ilmlip"], took[kind, "bare"]
        rows.append(
            (
                f"{kind}, {runs} runs, {points} points, {WRITERS} writers",
                spread(ours, number),
                spread(bare, number),
                spread([a / b for a, b in zip(ours, bare, strict=True)], ratio),
                spread([runs / t for t in ours], number),
                spread([points / t for t in ours], number),
                spread([t / s for t, s in zip(ours, took["sqlite", "ilmlip"], strict=True)], ratio),
            )
        )
    columns = (
        "", "trackers, s", "bare client, s", "ratio", "runs/s", "points/s", "of sqlite's time",
    )  # fmt: skip
    return Table("tracking", ("mlflow", "sqlalchemy", "psycopg2-binary"), columns, rows)


@contextlib.contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """The URI of a new database, empty but for MLflow's tables."""
    with contextlib.ExitStack() as stack:
        uri = f"sqlite:///{folder}/mlflow.db"
        if kind != "sqlite":
            uri = stack.enter_context(postgres.cluster())
        connect(uri)
        yield uri
        (folder / "mlflow.db").unlink(missing_ok=True)


def measure(many: crowd.Crowd, how: str, uri: str) -> float:
    """Seconds until all writers are done. Raises RuntimeError if a run or a point is missing."""
    for study in many.studies:
        (study.events.folder / "logged.json").unlink(missing_ok=True)
    began = time.perf_counter()
    if how == "ilmlip":
        ended = many.track(uri, PATIENCE)
    else:
        writers = [tracked.context().Process(target=bare, args=(many, i, uri)) for i in range(8)]
        for one in writers:
            one.start()
        for one in writers:
            one.join(PATIENCE)
        ended = [one.exitcode for one in writers]
    seconds = time.perf_counter() - began
    if any(ended):
        raise RuntimeError(f"writers ended with {ended}: {many.said()}")
    if how == "ilmlip" and many.found(uri) != many.expected():
        raise RuntimeError(f"{uri}: what stands there is not what was logged")
    return seconds


def bare(many: crowd.Crowd, number_: int, uri: str) -> None:
    """Log the same with as few calls as MLflow needs: no run is looked for, nothing is checked."""
    os.chdir(many.root)
    client = MlflowClient(uri)
    with contextlib.suppress(Exception):  # another writer has made it
        client.create_experiment("quick")
    experiment = client.get_experiment_by_name("quick").experiment_id
    told: dict[str, Any] = many.expected_of(number_)
    now = int(1000 * time.time())
    for key, (params, status, stage, metrics) in told.items():
        run = client.create_run(experiment, tags={"ilmlip.task": key, "ilmlip.stage": stage})
        all_ = [Metric(name, v, now, s) for name, points in metrics.items() for s, v in points]
        said = [Param(k, v) for k, v in params.items()]
        client.log_batch(run.info.run_id, metrics=all_, params=said)
        folder = many.studies[number_].store.folder(key)
        for name in ("curve.csv", "config.yaml") if metrics else ():
            client.log_artifact(run.info.run_id, str(folder / name))
        client.set_terminated(run.info.run_id, status)
