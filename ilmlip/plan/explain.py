"""Why a task is not cached: the field that differs from the nearest result, or the input that does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ilmlip.errors import SpecError, StoreError
from ilmlip.hashing import plain
from ilmlip.plan.graph import Plan, State
from ilmlip.plan.task import Task
from ilmlip.stages import NAMES
from ilmlip.store import Result, Store

LOOKED_AT = 400
"""Past results of a stage that a task is compared with."""

SPEC_FIELDS = {
    "forcefield": {"": "system."},
    "build": {
        "spacing": "sampling.grid_spacing",
        "counts": "compositions → counts",
        "seed": "sampling.seed → seed",
    },
    "equilibrate": {"stages": "sampling.equilibration", "": "sampling."},
    "sample": {"": "sampling."},
    "label": {"opls.": "dft.", "xtb.": "dft.", "frame": "dataset.frames → frame", "": "dft."},
    "dataset": {"": "dataset."},
    "train": {"training.": "model.", "": "system → "},
}  # fmt: skip
"""How a stage's parameter is called in a spec, by the beginning of its name."""


@dataclass(frozen=True)
class Reason:
    """Why one task is not cached."""

    key: str
    stage: str
    text: str
    near: str = ""
    """Key of the result that it was compared with, if there was one."""


def explain(asked: str, plan: Plan, found: Mapping[str, State], store: Store) -> list[Reason]:
    """The reasons of the tasks of a stage, or of one key, that are not cached.

    Raises SpecError if `asked` is neither a stage nor a key of the plan.
    """
    if asked in plan.tasks:
        tasks = [plan.tasks[asked]]
    elif asked in NAMES:
        tasks = [task for task in plan if task.stage == asked]
    else:
        near = [key for key in plan.tasks if key.startswith(asked)] if "-" in asked else []
        if len(near) != 1:
            raise SpecError(
                f"--explain {asked}",
                f"neither a stage ({', '.join(NAMES[:-1])}) nor a key of this plan",
            )
        tasks = [plan.tasks[near[0]]]
    teller = _Teller(plan, found, store)
    return [
        Reason(task.key, task.stage, teller.why(task), teller.near.get(task.key, ""))
        for task in tasks
        if found[task.key] != "cached" or asked == task.key
    ]


class _Teller:
    """Finds reasons; remembers what it has read of the store."""

    def __init__(self, plan: Plan, found: Mapping[str, State], store: Store) -> None:
        self.plan, self.found, self.store = plan, found, store
        self.past: dict[str, list[Result]] = {}
        self.flat: dict[str, dict[str, Any]] = {}
        self.told: dict[str, str] = {}
        self.near: dict[str, str] = {}

    def why(self, task: Task) -> str:
        """Why a task is not cached."""
        if task.key not in self.told:
            self.told[task.key] = self._why(task)
        return self.told[task.key]

    def _why(self, task: Task) -> str:
        state = self.found[task.key]
        if state == "cached":
            return "is cached"
        if state == "running":
            return "is running now"
        if state == "failed":
            failure = self.store.failure(task.key)
            return f"failed before: {failure.reason}" if failure else "failed before"
        if task.key in self.store.keys("results"):
            changed = [key for key in task.inputs() if self.found[key] != "cached"]
            cause = f": {changed[0]} {self.why(self.plan.tasks[changed[0]])}" if changed else ""
            return f"is out of date: an input was made anew since{cause}"
        others = self._past(task.stage)
        if not others:
            return f"is new: no result of stage {task.stage} is in the store"
        mine = self._flat(task.key, plain(task.params))
        near = min(others, key=lambda r: self._distance(mine, task, r))
        return self._compare(mine, task, near)

    def _past(self, name: str) -> list[Result]:
        if name not in self.past:
            found = []
            keys = sorted(k for k in self.store.keys("results") if k.startswith(f"{name}-"))
            for key in keys[:LOOKED_AT]:
                try:
                    result = self.store.result(key)
                except StoreError:
                    continue
                if result is not None:
                    found.append(result)
            self.past[name] = found
        return self.past[name]

    def _flat(self, key: str, params: Any) -> dict[str, Any]:
        if key not in self.flat:
            self.flat[key] = dict(_flatten(params))
        return self.flat[key]

    def _distance(self, mine: Mapping[str, Any], task: Task, other: Result) -> tuple[int, int]:
        theirs = self._flat(other.key, other.params)
        fields = sum(mine.get(k, None) != theirs.get(k, None) for k in {*mine, *theirs})
        needs = sum(
            list(keys) != list(other.needs.get(role, [])) for role, keys in task.needs.items()
        )
        return fields + (other.version != task.version), needs

    def _compare(self, mine: Mapping[str, Any], task: Task, near: Result) -> str:
        theirs = self._flat(near.key, near.params)
        parts = []
        if near.version != task.version:
            parts.append(f"stage version {near.version} → {task.version}")
        parts += [
            f"{_named(task.stage, name)}: {theirs.get(name)!r} → {mine.get(name)!r}"
            for name in sorted({*mine, *theirs})
            if mine.get(name) != theirs.get(name)
        ]
        parts += self._inputs(task, near)
        text = "; ".join(parts) or "nothing that can be seen"
        self.near[task.key] = near.key
        return f"differs from the nearest result in {text}"

    def _inputs(self, task: Task, near: Result) -> list[str]:
        """Which inputs differ, and why they do."""
        parts = []
        for role, keys in task.needs.items():
            old = list(near.needs.get(role, []))
            new = [key for key in keys if key not in old]
            if not new:
                if len(old) != len(keys):
                    parts.append(f"{role}: {len(old)} → {len(keys)}")
                continue
            more = f" ({len(new)} new of {len(keys)}, were {len(old)})" if len(keys) > 1 else ""
            parts.append(f"{role}{more}: {new[0]} {self.why(self.plan.tasks[new[0]])}")
        return parts


def _flatten(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        return [
            pair for k, v in value.items() for pair in _flatten(v, f"{path}.{k}" if path else k)
        ]
    return [(path, value)]


def _named(stage: str, name: str) -> str:
    """A stage's parameter as the spec calls it."""
    for start, field in SPEC_FIELDS.get(stage, {}).items():
        if name == start or ((start.endswith(".") or not start) and name.startswith(start)):
            return field + name[len(start) :]
        if start and name.startswith(f"{start}."):
            return field + name[len(start) :]
    return name
