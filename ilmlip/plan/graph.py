"""The plan: the union of all points' tasks, each key once, in an order that respects needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ilmlip.plan.task import Task
from ilmlip.store import Result, Store

State = Literal["cached", "todo", "failed", "running"]


@dataclass
class Plan:
    """Tasks by key; inputs stand before what needs them, since a task is added after its inputs."""

    study: str
    tasks: dict[str, Task] = field(default_factory=dict)
    points: dict[str, set[int]] = field(default_factory=dict)
    """Which points of the study want a task, by key."""
    outputs: dict[str, tuple[str, str]] = field(default_factory=dict)
    """What a user looks at in the end: a name such as "matrix" to the key and file that hold it."""

    def add(self, task: Task, point: int) -> str:
        """Add a task for a point, once however many points want it; returns its key."""
        self.tasks.setdefault(task.key, task)
        self.points.setdefault(task.key, set()).add(point)
        return task.key

    def __iter__(self) -> Iterator[Task]:
        return iter(self.tasks.values())

    def __len__(self) -> int:
        return len(self.tasks)

    def dependants(self) -> dict[str, list[str]]:
        """For each key, the keys that need it directly."""
        found: dict[str, list[str]] = {key: [] for key in self.tasks}
        for task in self:
            for key in dict.fromkeys(task.inputs()):
                found[key].append(task.key)
        return found


def is_current(result: Result, digests: Mapping[str, str], task: Task) -> bool:
    """Whether a result was made from the inputs that stand in the store now.

    `digests` holds the digest of each current input. A result made by a quorum, or from an input
    that has been recomputed differently since, is out of date; an input that is gone is no reason
    to compute its dependants again.
    """
    return all(
        key not in digests or result.inputs.get(key) == digests[key] for key in task.inputs()
    )


def states(plan: Plan, store: Store, running: set[str] | None = None) -> dict[str, State]:
    """The state of every task: cached, failed before, running somewhere, or to do."""
    running = running or set()
    failed = store.keys("failed")
    present = store.keys("results")
    digests: dict[str, str] = {}
    stale: set[str] = set()
    found: dict[str, State] = {}
    for task in plan:
        result = store.result(task.key) if task.key in present else None
        fresh = result is not None and is_current(result, digests, task)
        if result is not None and fresh and not any(key in stale for key in task.inputs()):
            digests[task.key] = result.digest
            found[task.key] = "cached"
            continue
        if result is not None:
            stale.add(task.key)
        if task.key in running:
            found[task.key] = "running"
        else:
            found[task.key] = "failed" if task.key in failed else "todo"
    return found
