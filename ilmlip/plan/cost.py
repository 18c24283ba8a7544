"""What a plan would take: time by stage, core-hours, calls of the label engine, the critical path.

Each stage states how long a task of given parameters and size takes (`Stage.effort`, `Stage.law`):
size is the number of atoms of its box, the frames of its data set, and its model. Where the store
holds results of the stage, their times scale that: the median of measured over stated, each stated
for its own size, so that small boxes teach about large ones by the stage's law alone.
"""

from __future__ import annotations

import itertools
import os
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from ilmlip.errors import StoreError
from ilmlip.plan.graph import Plan, State
from ilmlip.plan.size import Past, sizes
from ilmlip.plan.task import Task
from ilmlip.plan.wall import wall_seconds
from ilmlip.stages import stage
from ilmlip.stages.base import Size
from ilmlip.stages.costs import LAWS
from ilmlip.stages.labelling import Labelling
from ilmlip.store import Store

LOOKED_AT = 50
"""Past results of a stage that are looked at."""


@dataclass(frozen=True)
class StageCost:
    """What is still to do of one stage."""

    tasks: int
    seconds: float
    """Of all tasks, one after the other."""
    core_hours: float
    learned: int
    """Past results that the time was learned from; 0: it is stated."""
    law: str
    """How the time scales with atoms, steps and models, and where that comes from."""
    atoms: tuple[float, float]
    """Smallest and largest number of atoms of a box."""


@dataclass(frozen=True)
class Cost:
    """What a plan would still take."""

    stages: Mapping[str, StageCost]
    core_hours: float
    label_calls: int
    """Calls of the label engine (DFT)."""
    critical_seconds: float
    """Of the longest chain of tasks that need each other: no number of cores is faster."""
    critical_path: tuple[str, ...]
    """Keys of that chain."""
    cores: int
    """Cores at hand; 0 if nobody knows."""
    wall_seconds: float | None
    """From start to end on these cores; None if nobody knows how many there are."""
    task_seconds: Mapping[str, float]
    """Of each task, by key."""


def cost(
    plan: Plan,
    found: Mapping[str, State],
    store: Store,
    cores: Mapping[str, int],
    at_once: int = 0,
) -> Cost:
    """Cost of the tasks that are not cached; `cores` of one task by stage, `at_once` in all."""
    left = [task for task in plan if found[task.key] != "cached"]
    large = sizes(plan) if left else {}
    rates = {name: _rate(name, store) for name in dict.fromkeys(task.stage for task in left)}
    seconds = _seconds(left, rates, large)
    by_stage: dict[str, StageCost] = {}
    for name, (_, learned) in rates.items():
        own = [seconds[task.key] for task in left if task.stage == name]
        hours = sum(own) * cores.get(name, 1) / 3600
        atoms = [large[task.key].atoms for task in left if task.stage == name]
        by_stage[name] = StageCost(
            tasks=len(own),
            seconds=sum(own),
            core_hours=hours,
            learned=learned,
            law=law_of([task for task in left if task.stage == name]),
            atoms=(min(atoms), max(atoms)),
        )
    length, path = _critical(plan, seconds)
    return Cost(
        stages=by_stage,
        core_hours=sum(one.core_hours for one in by_stage.values()),
        label_calls=sum(
            calls(task.params) for task in left if (calls := stage(task.stage).labels) is not None
        ),
        critical_seconds=length,
        critical_path=path,
        cores=at_once,
        wall_seconds=wall_seconds(plan, seconds, cores, at_once) if at_once else None,
        task_seconds=seconds,
    )


def law_of(tasks: Sequence[Task]) -> str:
    """How the time of some tasks of one stage scales, in words; labels: by engine."""
    kind = stage(tasks[0].stage)
    if not issubclass(kind.params, Labelling):
        return kind.law or f"{kind.resources.seconds:g} s each"
    engines = dict.fromkeys(
        one.params.engine() for one in tasks if isinstance(one.params, Labelling)
    )
    return "; ".join(f"{engine}: {LAWS[engine].words()}" for engine in engines)


def task_seconds(plan: Plan, tasks: Sequence[Task], store: Store) -> dict[str, float]:
    """The time that each task should take, by key, learned from the store as far as it can be.

    tasks: some of those of `plan`.
    """
    rates = {name: _rate(name, store) for name in {task.stage for task in tasks}}
    return _seconds(tasks, rates, sizes(plan))


def _seconds(
    tasks: Iterable[Task], rates: Mapping[str, tuple[float, int]], large: Mapping[str, Size]
) -> dict[str, float]:
    return {t.key: stage(t.stage).effort(t.params, large[t.key]) * rates[t.stage][0] for t in tasks}


def _rate(name: str, store: Store) -> tuple[float, int]:
    """Measured over stated time of a stage's past results, and how many there were."""
    kind, folder, past = stage(name), store.root / "results" / name, Past(store)
    ratios = []
    try:
        with os.scandir(folder) as entries:
            keys = [e.name for e in itertools.islice(entries, LOOKED_AT) if e.name[0] != "."]
    except OSError:
        return 1.0, 0
    for key in keys:
        try:
            result = store.result(key)
            size = past.size(key)
            if result is not None and result.version == kind.version and size is not None:
                effort = kind.effort(kind.params.model_validate(dict(result.params)), size)
                ratios.append(result.seconds / effort)
        except (StoreError, ValidationError):
            continue  # no example to learn from
    return (statistics.median(ratios), len(ratios)) if ratios else (1.0, 0)


def _critical(plan: Plan, seconds: Mapping[str, float]) -> tuple[float, tuple[str, ...]]:
    """The longest chain of tasks to do: its time, and its keys in order."""
    ends: dict[str, float] = {}
    before: dict[str, str | None] = {}
    for task in plan:
        if task.key not in seconds:
            continue
        needed = [key for key in task.inputs() if key in ends]
        last = max(needed, key=lambda key: ends[key], default=None)
        ends[task.key] = seconds[task.key] + (ends[last] if last else 0.0)
        before[task.key] = last
    if not ends:
        return 0.0, ()
    key: str | None = max(ends, key=lambda k: ends[k])
    length, path = ends[key] if key else 0.0, []
    while key is not None:
        path.append(key)
        key = before[key]
    return length, tuple(reversed(path))
