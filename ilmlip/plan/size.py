"""How large a task's work is, as its plan tells: what estimates of time scale with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from pydantic import ValidationError

from ilmlip.errors import StoreError
from ilmlip.plan.graph import Plan
from ilmlip.stages import stage
from ilmlip.stages.base import Size
from ilmlip.stages.costs import weight
from ilmlip.store import Store

Inputs = Mapping[str, Sequence[Size]]
"""The sizes of a task's inputs, by role."""
BOX = ("structure", "trajectory", "series", "explored", "md")
"""Roles whose configurations a task works on, one box."""
GATHERED = ("labels", "aimd", "relax", "volume_scan", "rattle", "chosen")
"""Roles that a data set is made of."""
OTHERS = ("imported", "dataset", "evaluations", "model")
COMPILED = 0.55
"""Time of a compiled model over that of one that is not: 9.2 and 18 ms (53 atoms), 36 and 64 (212)."""
SAMPLED = 4
"""Inputs of one role of a past result that are looked at, equally spaced."""


def sizes(plan: Plan) -> dict[str, Size]:
    """The size of every task of a plan, by key."""
    found: dict[str, Size] = {}
    for task in plan:
        inputs = {role: [found[key] for key in keys] for role, keys in task.needs.items()}
        found[task.key] = size_of(task.stage, task.params, inputs)
    return found


def size_of(name: str, params: Any, inputs: Inputs) -> Size:
    """The size of a task of stage `name`, from its parameters and the sizes of its inputs."""
    model = [*inputs.get("model", ()), *inputs.get("evaluations", ())]
    factor = model[0].weight if model else 1.0
    if name == "train":
        factor = weight(params.training)
    elif name == "fit_linear":
        factor = 0.0
    elif "compiled" in inputs:
        factor *= COMPILED
    repeats = math.prod(getattr(params, "supercell", (1, 1, 1)))
    return Size(_atoms(name, params, inputs) * repeats, _frames(name, params, inputs), factor)


def _atoms(name: str, params: Any, inputs: Inputs) -> float:
    """Atoms of one configuration: of what the task makes itself, or of its inputs."""
    made = _made(name, params)
    if made is not None:
        return made
    box = [one for role in BOX for one in inputs.get(role, ())][:1]
    gathered = [one for role in GATHERED for one in inputs.get(role, ())]
    others = [one for role in OTHERS for one in inputs.get(role, ())][:1]
    return fmean(one.atoms for one in box or gathered or others or [Size()])


def _made(name: str, params: Any) -> float | None:
    """Atoms of a configuration that a stage makes from its parameters alone; None for others."""
    if name == "build":
        return float(sum(n * len(params.ions[ion].elements) for ion, n in params.counts.items()))
    if name == "crystal":
        return float(sum(params.counts.values()))
    if name == "start":
        return _of_ions(params.composition, params.ions)
    if name == "imported" and params.compositions:
        return fmean(_of_ions(counts, params.ions) for counts in params.compositions.values())
    return 1.0 if name == "atom" else None


def _of_ions(counts: Mapping[str, int], ions: Mapping[str, Sequence[str]]) -> float:
    """Atoms of so many ions; a crystal's are atoms themselves."""
    return float(sum(n * len(ions.get(ion, ("",))) for ion, n in counts.items()))


def _frames(name: str, params: Any, inputs: Inputs) -> float:
    """Configurations: of a data set, and of what works on one."""
    if name == "imported":
        return 100.0  # nobody has read them
    if name == "label_chosen" and params.scan is not None:
        return float(params.scan.points)
    if name == "dataset" and not inputs.get("imported"):
        steps = {role: len(taken) for role, taken in params.take.items()}
        return sum(
            one.frames * steps.get(role, 1) for role in GATHERED for one in inputs.get(role, ())
        )
    given = [*inputs.get("imported", ()), *inputs.get("dataset", ())]
    return given[0].frames if given else 1.0


class Past:
    """Sizes of results in a store, from their manifests; each is looked at once."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._known: dict[str, Size | None] = {}

    def size(self, key: str) -> Size | None:
        """The size of a result; None if the box it was made from is not in the store any more."""
        if key not in self._known:
            self._known[key] = None
            self._known[key] = self._size(key)
        return self._known[key]

    def _size(self, key: str) -> Size | None:
        try:
            result = self.store.result(key)
            if result is None:
                return None
            params = stage(result.stage).params.model_validate(dict(result.params))
        except (StoreError, ValidationError, KeyError):
            return None
        inputs: dict[str, list[Size]] = {}
        for role, keys in result.needs.items():
            looked = keys[:: max(1, len(keys) // SAMPLED)]
            known = [one for one in map(self.size, looked) if one is not None]
            if role in BOX and not known:
                return None
            inputs[role] = [
                known[i * len(known) // len(keys)] for i in range(len(keys) if known else 0)
            ]
        return size_of(result.stage, params, inputs)
