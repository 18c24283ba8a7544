"""The plan: the union of all points' tasks, each key once, in an order that respects needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ilmlip.errors import DamagedError, StoreError
from ilmlip.grammar import counted
from ilmlip.plan.task import SCHEME, Task
from ilmlip.store import Result, Store

State = Literal["cached", "todo", "failed", "running"]


@dataclass
class Plan:
    """Tasks by key; inputs stand before what needs them, since a task is added after its inputs."""

    study: str
    tasks: dict[str, Task] = field(default_factory=dict)
    outputs: list[dict[str, tuple[str, str]]] = field(default_factory=list)
    """What a user looks at in the end, by point: a name such as "matrix" to the key and file that
    hold it. Every task of a point is needed by one of these."""

    def add(self, task: Task) -> str:
        """Add a task, once however many points want it; returns its key."""
        self.tasks.setdefault(task.key, task)
        return task.key

    def points(self) -> dict[str, list[int]]:
        """Which points of the study want a task, by key, ascending."""
        masks = dict.fromkeys(self.tasks, 0)
        for point, outputs in enumerate(self.outputs):
            for key, _ in outputs.values():
                masks[key] |= 1 << point
        for key, task in reversed(self.tasks.items()):
            for needed in task.inputs():
                masks[needed] |= masks[key]
        listed: dict[int, list[int]] = {}
        for mask in masks.values():
            if mask not in listed:
                listed[mask] = [i for i, bit in enumerate(reversed(f"{mask:b}")) if bit == "1"]
        return {key: listed[mask] for key, mask in masks.items()}

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


def present_keys(store: Store) -> set[str]:
    """Every key that has a result. Raises StoreError if keys of another scheme are among them."""
    found = store.keys("results")
    others = sorted(key for key in found if _scheme(key) not in (SCHEME, ""))
    if others:
        raise StoreError(
            f"store {store.root}: holds {counted(len(others), 'result')} whose keys are of another "
            f"scheme, such as {others[0]}; this ilmlip makes {SCHEME} and would compute them again "
            "beside: use the ilmlip that made them, or name another folder with store=PATH"
        )
    return found


def _scheme(key: str) -> str:
    """ "k1" of "label-k1-3f2a…"; empty if it is no key."""
    parts = key.split("-")
    return parts[1] if len(parts) == 3 and parts[1][:1] == "k" and parts[1][1:].isdigit() else ""


def _readable(store: Store, key: str) -> Result | None:
    """A result; None if its manifest is damaged, so that it is made again."""
    try:
        return store.result(key)
    except DamagedError:
        return None


def states(plan: Plan, store: Store, running: set[str] | None = None) -> dict[str, State]:
    """The state of every task: cached, failed before, running somewhere, or to do."""
    running = running or set()
    failed = store.keys("failed")
    present = present_keys(store)
    digests: dict[str, str] = {}
    stale: set[str] = set()
    found: dict[str, State] = {}
    for task in plan:
        result = _readable(store, task.key) if task.key in present else None
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
