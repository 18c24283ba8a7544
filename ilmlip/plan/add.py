"""Adding a task to a plan: its parameters are validated by its stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from ilmlip.errors import SpecError
from ilmlip.hashing import digest
from ilmlip.plan.graph import Plan
from ilmlip.plan.task import Task
from ilmlip.record import Record
from ilmlip.stages import stage

About = dict[str, str | int | float]
"""What a task is of, by short names, for people."""
SOME = 1e-9
"""A quorum of at least one: a table shows what there is, and says what is missing."""


def seed_of(*name: Any) -> int:
    """A seed below 2³¹ that its name alone decides."""
    return int(digest("ilmlip.seed", list(name)), 16) % 2**31


def add(
    plan: Plan,
    name: str,
    params: Mapping[str, Any],
    needs: Mapping[str, tuple[str, ...]] | None = None,
    *,
    quorum: Mapping[str, float] | None = None,
    about: Mapping[str, str | int | float] | None = None,
    how: Mapping[str, Any] | None = None,
) -> str:
    """Add a task of a stage; returns its key. Raises SpecError for values that do not fit."""
    kind = stage(name)
    try:
        record: Record = kind.params.model_validate(params)
    except ValidationError as error:  # values that are fine one by one, and not together
        first = error.errors(include_url=False)[0]
        place = ".".join(["stage", name, *map(str, first["loc"])])
        raise SpecError(place, f"{first['msg']}, found {first['input']!r}; it follows from the spec's "
                        "numbers: look for one that is far too large or small") from None  # fmt: skip
    task = Task(name, kind.version, record, needs or {}, quorum or {}, about or {}, how or {})
    return plan.add(task)
