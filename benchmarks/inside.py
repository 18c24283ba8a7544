"""What takes place inside one process of ilmlip: `python -m benchmarks.inside WHAT FILE …`.

`finish FILE` fills the store of a study with made-up results of all its tasks; `states FILE` times
the look at them; `load ONE MANY` times loading a study of one point and one of many. The last line
is a JSON object.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from ilmlip.hashing import plain
from ilmlip.plan.compile import compile_study
from ilmlip.plan.graph import Plan, states
from ilmlip.plan.task import Task
from ilmlip.report.matrix import Row, medians, write_csv
from ilmlip.spec.load import load_study
from ilmlip.store import Result, Store

MATRIX = {"energy_mae": "meV/atom", "force_mae": "meV/Å"}
"""Quantities of the made-up matrices, with their units."""


def opened(file: str) -> tuple[Plan, Store]:
    """The plan and the store of a study."""
    study = load_study([file])
    return compile_study(study.specs), Store(Path(study.spec.store))


def finish(file: str) -> dict[str, float]:
    """Publish a result of every task, with the digests of its inputs as if made from them."""
    plan, store = opened(file)
    store.prepare()
    digests: dict[str, str] = {}
    for task in plan:
        work = store.new_work(task.key)
        digests[task.key] = store.publish(_made_up(task, digests, work), work).digest
    return {"tasks": len(plan)}


def _made_up(task: Task, digests: Mapping[str, str], work: Path) -> Result:
    names = ["result.txt"]
    if task.stage == "matrix":
        names = ["matrix.csv", "matrix.png"]
        rows = [Row("0.4", 1, "0.4", name, 1.0, None, unit) for name, unit in MATRIX.items()]
        write_csv(work / "matrix.csv", [*rows, *medians(rows)])
    for name in names:
        if name != "matrix.csv":
            (work / name).write_text(task.key, encoding="utf-8")
    return Result(
        key=task.key,
        stage=task.stage,
        version=task.version,
        path=Path(),
        params=plain(task.params),
        needs={role: list(keys) for role, keys in task.needs.items()},
        inputs={key: digests[key] for key in task.inputs()},
        missing={},
        files=dict.fromkeys(names, ""),
        values={},
        digest="",
        host=socket.gethostname(),
    )


def look(file: str) -> dict[str, float]:
    """Seconds a task to look up its state, all being cached; and with making tasks and keys."""
    study = load_study([file])
    began = time.perf_counter()
    plan = compile_study(study.specs)
    compiled = time.perf_counter()
    found = states(plan, Store(Path(study.spec.store)))
    seen = time.perf_counter()
    if set(found.values()) != {"cached"}:
        raise RuntimeError(f"not all are cached: {Counter(found.values())}")
    return {"states": (seen - compiled) / len(plan), "both": (seen - began) / len(plan)}


def load(one: str, many: str) -> dict[str, float]:
    """Seconds that a point more takes: many points less one point, so that imports drop out."""
    alone = min([_loading(one)[1] for _ in range(3)])
    count, seconds = _loading(many)
    return {"seconds": (seconds - alone) / max(count - 1, 1)}


def _loading(file: str) -> tuple[int, float]:
    """How many points a study has, and the seconds that it takes to load."""
    began = time.perf_counter()
    study = load_study([file])
    return len(study.points), time.perf_counter() - began


WHAT: dict[str, Callable[..., dict[str, float]]] = {"finish": finish, "states": look, "load": load}


if __name__ == "__main__":
    print(json.dumps(WHAT[sys.argv[1]](*sys.argv[2:])))
