"""Two studies compared: field by field, and by the stages whose tasks differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ilmlip.plan.graph import Plan
from ilmlip.spec.study import Study, study_data

ABSENT = "(absent)"


@dataclass(frozen=True)
class Difference:
    """What differs between two studies."""

    fields: list[dict[str, Any]]
    """Each field that differs, with its value in `a` and `b`."""
    stages: list[dict[str, Any]]
    """Of each stage the number of tasks in both, in `a` alone and in `b` alone."""

    @property
    def same(self) -> bool:
        """Whether both stand for the same results."""
        return not any(row["only_a"] or row["only_b"] for row in self.stages)


def diff(a: Study, b: Study, plan_a: Plan, plan_b: Plan) -> Difference:
    """Compare two studies and their plans."""
    fields = [
        {"field": path, "a": one, "b": other}
        for path, one, other in _fields(study_data(a), study_data(b))
    ]
    only_a = Counter(t.stage for t in plan_a if t.key not in plan_b.tasks)
    only_b = Counter(t.stage for t in plan_b if t.key not in plan_a.tasks)
    both = Counter(t.stage for t in plan_a if t.key in plan_b.tasks)
    names = dict.fromkeys(t.stage for plan in (plan_a, plan_b) for t in plan)
    stages = [
        {"stage": n, "both": both[n], "only_a": only_a[n], "only_b": only_b[n]} for n in names
    ]
    return Difference(fields, stages)


def _fields(a: Any, b: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    if a == b and type(a) is type(b):
        return
    if isinstance(a, dict) and isinstance(b, dict):
        for key in dict.fromkeys([*a, *b]):
            inner = f"{path}.{key}" if path else key
            yield from _fields(a.get(key, ABSENT), b.get(key, ABSENT), inner)
    else:
        yield path, a, b
