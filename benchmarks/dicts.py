"""The plain script beside `ilmlip plan`: `python -m benchmarks.dicts N STORE`.

Makes the tasks of N points as dicts, a key of each by SHA-256, sorts them by graphlib, looks in a
folder which are there already, and counts. No spec, no validation, no units, no file read.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from benchmarks.workload import LABELS, points

RECIPE: dict[str, Any] = {
    "architecture": "nequip",
    "r_max": 4.0,
    "l_max": 1,
    "n_layers": 2,
    "parity": False,
    "n_features": 16,
    "n_bessels": 8,
    "mlp_width": 64,
    "loss": {"force": 1.0, "energy": 1.0, "stress": 0.0},
    "learning_rate": 0.01,
    "schedule": "cosine",
    "batch_size": 1,
    "max_steps": 2500,
    "dtype": "float32",
    "shifts": "least_squares",
    "refit_shifts": True,
    "seed": 1,
}


class Tasks:
    """Dicts by key."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, Any]] = {}

    def add(self, stage: str, params: Mapping[str, Any], needs: Sequence[str] = ()) -> str:
        """A task, once; returns its key."""
        made_of = {"stage": stage, "params": params, "needs": list(needs)}
        text = json.dumps(made_of, sort_keys=True, separators=(",", ":"))
        key = f"{stage}-{hashlib.sha256(text.encode()).hexdigest()[:24]}"
        self.found.setdefault(key, made_of)
        return key


def recipe(point: Mapping[str, float]) -> dict[str, Any]:
    """The recipe with what a point sets."""
    found: dict[str, Any] = {**RECIPE, "loss": dict(RECIPE["loss"])}
    for name, value in point.items():
        *outer, last = name.split(".")[1:]
        (found[outer[0]] if outer else found)[last] = value
    return found


def plan(count: int) -> dict[str, dict[str, Any]]:
    """All tasks of a number of points."""
    tasks = Tasks()
    trajectory = tasks.add("sample", {"temperature": 300.0, "duration": 1.0e5, "interval": 5.0e2})
    labels = [tasks.add("label", {"frame": i}, [trajectory]) for i in range(LABELS)]
    data = tasks.add("dataset", {"seed": 0}, labels)
    evaluations = []
    for point in points(count):
        model = tasks.add("train", recipe(point), [data])
        evaluations.append(tasks.add("evaluate", {}, [model, data]))
    tasks.add("report", {}, evaluations)
    return tasks.found


def main(count: str, root: str) -> None:
    """Plan, sort, look what is there, and print a line a stage."""
    tasks = plan(int(count))
    order = TopologicalSorter({key: task["needs"] for key, task in tasks.items()}).static_order()
    folder = Path(root)
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    counts = Counter((tasks[key]["stage"], key in present) for key in order)
    for (stage, there), number in counts.items():
        print(stage, "cached" if there else "to run", number)


if __name__ == "__main__":
    main(*sys.argv[1:])
