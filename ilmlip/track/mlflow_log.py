"""The only door to MLflow: finds or makes runs, logs so that doing it twice changes nothing."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ilmlip.track.packaged import NAME, log_packaged

RESULT = "ilmlip.result"
"""Tag of a run that has all of a task's result: its digest."""
LOCK = 0x696C6D6C6970
"""The advisory lock of PostgreSQL under which one process at a time makes the tables."""
PACKAGED = "ilmlip.package"
"""Tag of a run that has its model: the digest of the package's result."""
BATCH = 1000
"""Most metrics that MLflow takes in one call."""
PAGE = 1000
"""Runs asked for in one call."""
LONGEST = 6000
"""Characters of a parameter's or a tag's value that MLflow takes."""
LONGEST_NAME = 250
"""Characters of a run's name, and of a parameter's or a metric's, that its databases take."""


def connect(uri: str) -> Log:
    """A log to a tracking URI. A new database is made by one process at a time: its migration races."""
    from mlflow import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    with _one_at_a_time(uri):
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
    return Log(client, calls_twice=uri.startswith(("http://", "https://")))


@contextlib.contextmanager
def _one_at_a_time(uri: str) -> Iterator[None]:
    prefix = "sqlite:///"
    if uri.startswith("postgresql"):
        import sqlalchemy

        try:
            engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.NullPool)
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f"{error}; pip install 'ilmlip[postgres]', and write postgresql+psycopg2://…"
            ) from error
        with engine.connect() as session:  # the lock goes with the session
            session.execute(sqlalchemy.select(sqlalchemy.func.pg_advisory_lock(LOCK)))
            yield
        return
    if not uri.startswith(prefix):
        yield
        return
    database = Path(uri.removeprefix(prefix))
    with database.with_name(f".{database.name}.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not database.exists():
            _make(database)
        yield


def _make(database: Path) -> None:
    """Make an empty database whole or not at all: MLflow, killed while it does, cannot mend its own."""
    from mlflow import MlflowClient

    new = database.with_name(f".{database.name}.new")
    for left in (new, new.with_name(f"{new.name}-journal")):
        left.unlink(missing_ok=True)
    MlflowClient(tracking_uri=f"sqlite:///{new}").search_experiments(max_results=1)
    new.rename(database)


def is_refusal(error: Exception) -> bool:
    """Whether MLflow is there and does not take this, now or later, or has done it already."""
    from mlflow.exceptions import MlflowException

    never = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")
    return isinstance(error, MlflowException) and error.error_code in never


class Log:
    """Runs of one tracking server; times are unix seconds."""

    def __init__(self, client: Any, *, calls_twice: bool = True) -> None:
        self._client = client
        self._calls_twice = calls_twice
        """A server that does not answer in time is called again, and may have done it already."""
        self._new: set[str] = set()
        """Runs that we have just made: nothing on them need be looked for."""

    def experiment(self, name: str) -> str:
        """The id of the experiment of that name, made if there is none, restored if deleted."""
        from mlflow.exceptions import MlflowException

        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self._client.create_experiment(name))
            except MlflowException as error:  # another tracker made it just now
                found = self._client.get_experiment_by_name(name)
                if error.error_code != "RESOURCE_ALREADY_EXISTS" or found is None:
                    raise
        if found.lifecycle_stage != "active":  # its name cannot be given to another one
            self._client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def find(self, experiment: str, tag: str, value: str) -> str | None:
        """The id of the run with that tag, or None.

        There may be several, made by a call that MLflow did and that was not answered in time, so
        that it was called again: nothing was logged on those but the last, and they are deleted.
        """
        found = self._search(experiment, tag, value)
        if not found:
            return None
        found.sort(key=lambda run: (len(run.data.metrics), len(run.data.params), run.info.run_id))
        for twin in found[:-1]:
            if not (twin.data.metrics or twin.data.params):
                self._client.delete_run(twin.info.run_id)
        return str(found[-1].info.run_id)

    def unite(self, experiment: str, parent: str) -> None:
        """Delete the twins (see `find`) of the child runs of a parent."""
        children = self._search(experiment, "mlflow.parentRunId", parent)
        tasks = Counter(run.data.tags.get("ilmlip.task", "") for run in children)
        for task, times in tasks.items():
            if times > 1:
                self.find(experiment, "ilmlip.task", task)

    def forget(self, name: str, run: str) -> int:
        """Delete what an experiment of that name holds of a run of ilmlip; how many runs that were."""
        experiment = self._client.get_experiment_by_name(name)
        if experiment is None:
            return 0
        gone = 0
        for parent in self._search(experiment.experiment_id, "ilmlip.run", run):
            of_it = self._search(experiment.experiment_id, "mlflow.parentRunId", parent.info.run_id)
            for one in (*of_it, parent):
                self._client.delete_run(one.info.run_id)
                gone += 1
        return gone

    def _search(self, experiment: str, tag: str, value: str) -> list[Any]:
        found: list[Any] = []
        token = None
        while token is not None or not found:
            page = self._client.search_runs(
                [experiment], f"tags.`{tag}` = '{value}'", max_results=PAGE, page_token=token
            )
            found += page
            token = page.token or None
            if token is None:
                break
        return found

    def has(self, run: str) -> bool:
        """Whether there is a run of that id that nobody deleted."""
        from mlflow.exceptions import MlflowException

        try:
            return bool(self._client.get_run(run).info.lifecycle_stage == "active")
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise

    def run(
        self, experiment: str, tag: str, name: str, tags: Mapping[str, str], started: float
    ) -> str:
        """The run whose `tag` is as in `tags`, made if there is none."""
        found = self.find(experiment, tag, tags[tag])
        if found is not None:
            self._client.update_run(found, status="RUNNING")
            return found
        made = self._client.create_run(
            experiment, start_time=_ms(started), tags=dict(tags), run_name=name
        )
        if self._calls_twice and (found := self.find(experiment, tag, tags[tag])) is not None:
            return found
        self._new.add(made.info.run_id)
        return str(made.info.run_id)

    def rename(self, run: str, old: str, new: str) -> None:
        """Give a run that is still called `old` another name; a user's own name stays."""
        if old != new and self._data(run).tags.get("mlflow.runName") == old:
            self._client.update_run(run, name=new)

    def _data(self, run: str) -> Any:
        """Params and tags of a run."""
        from mlflow.entities import RunData

        return RunData() if run in self._new else self._client.get_run(run).data

    def params(self, run: str, params: Mapping[str, Any]) -> None:
        """Log parameters; one that is there with another value is left as it is."""
        from mlflow.entities import Param

        there = self._data(run).params
        named = {k[:LONGEST_NAME]: v for k, v in params.items()}
        new = [Param(k, str(v)[:LONGEST]) for k, v in named.items() if k not in there]
        if new:
            self._client.log_batch(run, params=new)

    def tags(self, run: str, tags: Mapping[str, str]) -> None:
        """Set tags."""
        self._new.discard(run)
        for key, value in tags.items():
            self._client.set_tag(run, key, value[:LONGEST])

    def untag(self, run: str, *names: str) -> None:
        """Remove tags that are there."""
        there = self._data(run).tags
        for name in names:
            if name in there:
                self._client.delete_tag(run, name)

    def metrics(self, run: str, values: Mapping[str, float], when: float, step: int = 0) -> None:
        """Log single numbers of a time that are not there with the same value already.

        The value that MLflow shows is that of the greatest step: where there is a curve of the
        same name, `step` must not be less than its last. A point that MLflow is told twice, step,
        value and time alike, is there once.
        """
        there = self.metrics_of(run)
        new = [(step, name, v, when) for name, v in values.items() if there.get(name) != v]
        self._batch(run, new)

    def metrics_of(self, run: str) -> dict[str, float]:
        """The last value of every metric."""
        return dict(self._client.get_run(run).data.metrics)

    def curve(
        self,
        run: str,
        points: Sequence[tuple[int, str, float]],
        started: float,
        seconds: float,
        *,
        grown: bool = False,
    ) -> None:
        """Log (step, metric, value) points, unless the curve is there: its last point goes last.

        `grown`: rows may have been logged already while the task ran; only the others are.
        """
        if not points or self._data(run).tags.get("ilmlip.curve") == "logged":
            return
        longest = max(step for step, _, _ in points) or 1
        there = self.steps(run, points[-1][1]) if grown else set()
        timed = [
            (s, name, v, started + seconds * s / longest) for s, name, v in points if s not in there
        ]
        self._batch(run, timed)
        self._client.set_tag(run, "ilmlip.curve", "logged")

    def steps(self, run: str, metric: str) -> set[int]:
        """The steps at which a metric is there; the last one of a row is logged last."""
        return {point.step for point in self._client.get_metric_history(run, metric)}

    def points(self, run: str, points: Sequence[tuple[int, str, float]]) -> None:
        """Log points (step, metric, value) that have come just now."""
        now = time.time()
        self._batch(run, [(step, name, value, now) for step, name, value in points])

    def _batch(self, run: str, points: Sequence[tuple[int, str, float, float]]) -> None:
        from mlflow.entities import Metric

        batch: list[Any] = []
        for _, row in itertools.groupby(points, key=lambda point: point[0]):
            metrics = [Metric(name, value, _ms(t), step) for step, name, value, t in row]
            if len(batch) + len(metrics) > BATCH:  # a step's points are there all or none
                self._client.log_batch(run, metrics=batch)
                batch = []
            batch += metrics
        while batch:
            self._client.log_batch(run, metrics=batch[:BATCH])
            batch = batch[BATCH:]

    def dataset(self, run: str, name: str, digest: str, source: str) -> None:
        """Name a dataset as an input of a run, with its digest (MLflow keeps 36 characters)."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        made = Dataset(name, digest[:36], "local", json.dumps({"uri": source}))
        self._client.log_inputs(
            run, [DatasetInput(made, [InputTag("mlflow.data.context", "training")])]
        )

    def file(self, run: str, path: Path) -> None:
        """Log a file as an artefact."""
        self._client.log_artifact(run, str(path))

    def model(self, run: str, package: Path, digest: str, tools: Mapping[str, str]) -> None:
        """Log a packaged model as that of a run, unless it is there: its digest is a tag."""
        there = self._client.get_run(run)
        if there.data.tags.get(PACKAGED) == digest:
            return
        whole = log_packaged(self._client, run, package, tools)
        for other in self._client.search_logged_models(
            [there.info.experiment_id], f"source_run_id = '{run}' AND name = '{NAME}'"
        ):  # of an earlier result, begun by a tracker that died, or made by a call that came twice
            if other.model_id != whole:
                self._client.delete_logged_model(other.model_id)
        self._client.set_tag(run, PACKAGED, digest)

    def text(self, run: str, text: str, name: str) -> None:
        """Log a text as an artefact."""
        self._client.log_text(run, text, name)

    def end(self, run: str, status: str, ended: float) -> None:
        """End a run as FINISHED, FAILED or KILLED."""
        self._new.discard(run)
        self._client.set_terminated(run, status, _ms(ended))

    def stop(self, run: str, ended: float) -> None:
        """End a run as KILLED if it is there and still goes on."""
        if self.has(run) and self._client.get_run(run).info.status == "RUNNING":
            self.end(run, "KILLED", ended)

    def digest_of(self, run: str) -> str | None:
        """The digest of the result that a run has all of, or None."""
        found: str | None = self._data(run).tags.get(RESULT)
        return found

    def delete(self, run: str) -> None:
        """Delete a run, as a user does: MLflow can restore it."""
        self._client.delete_run(run)


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
