"""Steps 4 to 6 of an exported study: splits, nequip configs, and what is evaluated on what."""

from __future__ import annotations

import csv
import json
import os.path
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import yaml

from ilmlip.engines.nequip_config import training_config
from ilmlip.export.layout import EVALUATE, TRAIN, Layout
from ilmlip.export.simulation import LABELLED, Simulations
from ilmlip.plan.graph import Plan
from ilmlip.plan.task import Task
from ilmlip.stages import dataset, train

CONFIG = "config.yaml"
HEADER = """# nequip-train -cn config  (in this folder)
# tools/shifts.py solves per_type_energy_shifts from the training frames before that
"""


class Learning:
    """Writes the inputs of the steps from the labels on, below a folder."""

    def __init__(self, plan: Plan, layout: Layout, simulations: Simulations, folder: Path) -> None:
        self.plan, self.layout, self.root = plan, layout, folder
        self.simulations = simulations

    def write(self) -> None:
        """Every folder of steps 4, 5 and 6."""
        models = [task for task in self.plan if task.stage in ("train", "fit_linear")]
        for task in self.plan:
            if task.stage == "dataset":
                self._write_json(self.layout.folders[task.key], "split.json", self.split(task))
        for task in models:
            self._network(task) if task.stage == "train" else self._linear(task)
        if models:
            self._table(models)
        asked = [self._evaluation(task) for task in self.plan if task.stage == "evaluate"]
        if asked:
            self._write_json(EVALUATE, "evaluations.json", asked)

    def split(self, task: Task) -> dict[str, Any]:
        """Where a dataset's frames come from, and which of them go into which of its files."""
        params = cast(dataset.Params, task.params)
        places: list[tuple[str, int]] = []
        sources, formulas = [], []
        for role, steps in {"labels": (0,), **params.take}.items():
            for number, key in enumerate(task.needs.get(role, ())):
                places += [self.layout.place(key, step) for step in steps]
                sources += [params.source(role, number, key)] * len(steps)
                formulas += [_formula(self._elements(key))] * len(steps)
        if params.role == "test":
            parts = {"test": list(range(len(places)))}
        else:
            parts = dataset.split_of(sources, formulas, params)
        files = [
            {"file": f"{folder}/{LABELLED}", "frames": [place for _, place in members]}
            for folder, members in groupby(places, key=lambda place: place[0])
        ]
        return {"from": files, "split": parts}

    def _elements(self, label: str) -> list[str]:
        """The element of each atom of a label or a series."""
        series = self.layout.series[self.layout.labels[label][0]]
        return self.simulations.elements(series.trajectory)

    def _network(self, task: Task) -> None:
        """config.yaml: that of the stage, with the data where it stands, and shifts to be solved."""
        params = cast(train.Params, task.params)
        (data,) = task.needs["dataset"]
        labels = {self.layout.labels[key][0]: key for key in self.plan.tasks[data].inputs()}
        present = {e for key in labels.values() for e in self._elements(key)}
        types = sorted(present | set(params.elements))
        folder = self.layout.folders[task.key]
        place = self.root / folder
        place.mkdir(parents=True)
        config = training_config(params.training, dict.fromkeys(types, 0.0))
        for name in ("train", "val"):
            config["data"][f"{name}_file_path"] = f"{self._between(folder, data)}/{name}.extxyz"
        (place / CONFIG).write_text(
            HEADER + yaml.safe_dump(config, sort_keys=False), encoding="utf-8"
        )
        how: dict[str, Any] = {
            "shifts": params.training.shifts,
            "refit_shifts": params.training.refit_shifts,
        }
        if task.needs.get("atoms"):
            how["atoms"] = [self.layout.folders[key] for key in task.needs["atoms"]]
        self._write_json(folder, "training.json", how)

    def _linear(self, task: Task) -> None:
        (data,) = task.needs["dataset"]
        folder = self.layout.folders[task.key]
        train_file = f"{self._between(folder, data)}/train.extxyz"
        self._write_json(folder, "training.json", {"train": train_file})

    def _between(self, folder: str, data: str) -> str:
        """The way from a folder to that of a dataset."""
        return os.path.relpath(self.layout.folders[data], folder)

    def _evaluation(self, task: Task) -> dict[str, Any]:
        (model,), (data,) = task.needs["model"], task.needs["dataset"]
        trained = self.plan.tasks[model]
        return {
            "model": self.layout.models[model],
            "kind": "linear" if trained.stage == "fit_linear" else "nequip",
            "seed": trained.about.get("seed"),
            "folder": self.layout.folders[model],
            "composition": task.about["composition"],
            "test": f"{self.layout.folders[data]}/test.extxyz",
        }

    def _table(self, models: list[Task]) -> None:
        """models.csv: what each model is, and which points of the study want it."""
        rows = []
        wanted = self.plan.points()
        for task in models:
            # a linear model has no part in what the networks beside it are
            hidden = (
                set(task.about) - {"training", "kind"} if task.stage != "train" else {"dataset"}
            )
            about = {name: value for name, value in task.about.items() if name not in hidden}
            points = " ".join(str(i) for i in wanted[task.key])
            folder = self.layout.folders[task.key]
            name = self.layout.models[task.key]
            rows.append({"folder": folder, "model": name, "points": points, **about})
        columns = list(dict.fromkeys(name for row in rows for name in row))
        with (self.root / TRAIN / "models.csv").open("w", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    def _write_json(self, folder: str, name: str, content: Any) -> None:
        place = self.root / folder
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(_lines(content), encoding="utf-8")


def _lines(content: dict[str, Any] | list[Any]) -> str:
    """JSON with a line for each part, which a person can read and edit."""
    if isinstance(content, list):
        return "[\n" + ",\n".join(f" {json.dumps(part)}" for part in content) + "\n]\n"
    parts = [f" {json.dumps(name)}: {json.dumps(part)}" for name, part in content.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _formula(elements: list[str]) -> str:
    """As `Frame.formula`, by which the split is made."""
    return "".join(f"{e}{elements.count(e)}" for e in sorted(set(elements)))
