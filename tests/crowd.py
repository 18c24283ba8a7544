"""Several stores whose trackers log onto one database at once, and what must stand there then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy
from tracked import Study, make, tracker

POINTS = 100
"""Rows of a training's curve."""
COMPOSITIONS = ("0.0", "0.4", "1.0")
LOSS, FORCE = 2.5, 400.0


class Crowd:
    """`writers` stores with one run of a study each; `runs` MLflow runs, the parents among them."""

    def __init__(self, root: Path, writers: int, runs: int) -> None:
        self.root, self.writers = root, writers
        self.trainings = runs // writers - 1
        if (self.trainings + 1) * writers != runs:
            raise ValueError(f"{runs} runs are no multiple of {writers} writers")
        self.studies = []
        for number in range(writers):
            folder = root / f"writer{number}"
            folder.mkdir()
            study = Study(folder)
            study.begin()
            for seed in self._seeds(number):
                _train(study, seed)
            study.events.end("done", {})
            self.studies.append(study)

    def track(self, uri: str, patience: float) -> list[int | None]:
        """Start all trackers at once and wait; how each ended."""
        all_ = [tracker(study.store.root, uri, self.root) for study in self.studies]
        for one in all_:
            one.join(patience)
        return [one.exitcode for one in all_]

    def said(self) -> str:
        """What the trackers told of."""
        logs = [study.store.root / "tracking" / "tracker.log" for study in self.studies]
        return "".join(log.read_text(encoding="utf-8") for log in logs if log.exists())

    def found(self, uri: str) -> dict[str, Any]:
        """Every run that is there: its params, status, and each metric's points.

        Read from the tables themselves: MLflow's client asks for each metric of each run by itself.
        A run that is there twice fails.
        """
        tables: dict[str, dict[str, dict[str, Any]]] = {"tags": {}, "params": {}}
        history: dict[str, dict[str, list[tuple[int, float]]]] = {}
        engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.NullPool)
        with engine.connect() as database:

            def rows(what: str) -> Any:
                return database.execute(sqlalchemy.text(f"SELECT {what}"))

            for table, found in tables.items():
                for run, key, value in rows(f"run_uuid, key, value FROM {table}"):
                    found.setdefault(run, {})[key] = value
            for run, key, step, value in rows("run_uuid, key, step, value FROM metrics"):
                history.setdefault(run, {}).setdefault(key, []).append((step, value))
            states = dict(rows("run_uuid, status FROM runs WHERE lifecycle_stage = 'active'").all())
        there = {}
        for run, status in states.items():
            tags = tables["tags"][run]
            name = tags.get("ilmlip.task") or tags["ilmlip.run"]
            assert name not in there, f"{name} is there twice"
            points = {metric: sorted(all_) for metric, all_ in history.get(run, {}).items()}
            there[name] = (tables["params"][run], status, tags["ilmlip.stage"], points)
        return there

    def expected(self) -> dict[str, Any]:
        """The same as it must be."""
        return {k: v for i in range(self.writers) for k, v in self.expected_of(i).items()}

    def expected_of(self, number: int) -> dict[str, Any]:
        """The runs of one writer."""
        params = {"system": "salt", "r_max": "5.0"}
        must: dict[str, Any] = {self.studies[number].events.run: (params, "FINISHED", "run", {})}
        for seed in self._seeds(number):
            said = {k: str(v) for k, v in _about(seed).items()} | {"stage": "train"}
            must[make("train", _about(seed)).key] = (said, "FINISHED", "train", _metrics(seed))
        return must

    def points(self) -> int:
        """How many points of metrics there must be."""
        each = sum(len(points) for points in _metrics(0).values())
        return each * self.trainings * self.writers

    def _seeds(self, number: int) -> range:
        return range(number * self.trainings, (number + 1) * self.trainings)


def _about(seed: int) -> dict[str, Any]:
    return {"training": "0.4+0.6", "seed": seed, "kind": "nequip", "r_max": 5.0}


def _rows(seed: int) -> Iterator[tuple[int, float, float]]:
    for i in range(1, POINTS + 1):
        yield 10 * i, LOSS / i + seed, FORCE / i


def _train(study: Study, seed: int) -> None:
    """A training with its curve, and its evaluations."""
    task = make("train", _about(seed))
    rows = "".join(f"{step},{loss!r},{force!r}\n" for step, loss, force in _rows(seed))
    curve = f"step,train_loss,val_force_mae\n{rows}"
    study.publish(task, {"steps": 10 * POINTS}, {"curve.csv": curve, "config.yaml": "run: []\n"})
    for x in COMPOSITIONS:
        tested = make("evaluate", {**_about(seed), "composition": x, "model": task.key})
        study.publish(tested, {"energy_mae": seed + float(x)}, {})


def _metrics(seed: int) -> dict[str, list[tuple[int, float]]]:
    errors = [seed + float(x) for x in COMPOSITIONS]
    return {
        "train_loss": [(step, loss) for step, loss, _ in _rows(seed)],
        "val_force_mae": [(step, force) for step, _, force in _rows(seed)],
        "steps": [(10 * POINTS, 10.0 * POINTS)],
        "seconds": [(10 * POINTS, 60.0)],
        **{f"energy_mae/{x}": [(0, e)] for x, e in zip(COMPOSITIONS, errors, strict=True)},
        "energy_mae": [(0, sum(errors) / len(errors))],
    }
