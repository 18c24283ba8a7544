"""A study: a spec with its sweep, as the points that it stands for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ilmlip.record import Record
from ilmlip.record import field as entry
from ilmlip.spec.types import Spec


class Frozen(Record):
    """What `ilmlip freeze` notes beside the spec, and `run`, `verify` hold against it."""

    ilmlip: str = entry("Version of ilmlip")
    scheme: str = entry("Version of the key scheme")
    tools: dict[str, str] = entry("Versions of the engines")
    data: dict[str, str] = entry("SHA-256 of the data files that the spec was made of", default={})
    study: str = entry("Identity of the study")
    keys: dict[str, str] = entry("Digest of each result, by key; empty if it was not there yet")
    figures: tuple[tuple[str, ...], ...] = entry(
        "Rows point, model, seed, composition, quantity, value of the matrices there were",
        default=(),
    )


@dataclass(frozen=True)
class Point:
    """One combination of a sweep: its spec, and what was swept to make it."""

    spec: Spec
    swept: Mapping[str, Any] = field(default_factory=dict)

    def label(self) -> str:
        """`model.r_max=4 model.l_max=1`, as it may stand on a command line."""
        return " ".join(f"{key}={shown_value(value)}" for key, value in self.swept.items())


@dataclass(frozen=True)
class Overruled:
    """An option that sets some fields which the files state differently, and so win over."""

    option: str
    """`scale=laptop`."""
    fields: tuple[tuple[str, str, str], ...]
    """Each such field, the value that is stated, and the option's."""
    without_effect: bool
    """Whether the option was typed and sets nothing else."""


@dataclass(frozen=True)
class Study:
    """The points of a study, at least one."""

    points: tuple[Point, ...]
    frozen: Frozen | None = None
    changed: bool = False
    """Whether overrides stand beside a frozen file: its keys are then not expected."""
    sources: tuple[str, ...] = ()
    """The data files (ions) that were read."""
    overruled: tuple[Overruled, ...] = ()
    """The `scale` option, and typed options without effect, with the fields that files state."""
    words: tuple[str, ...] = ()
    """The words of the command line that name it, `-m` in front for a sweep.

    Without secrets, since they are written to the store.
    """

    @property
    def spec(self) -> Spec:
        """The first point's spec: name, store, cluster and tracking are the same in all."""
        return self.points[0].spec

    @property
    def specs(self) -> tuple[Spec, ...]:
        """The spec of every point."""
        return tuple(point.spec for point in self.points)

    def swept(self) -> tuple[str, ...]:
        """The keys that the points differ in."""
        return tuple(dict.fromkeys(key for point in self.points for key in point.swept))


def shown_value(value: Any) -> str:
    """A value as a word of the command line, strings bare."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def study_data(study: Study) -> dict[str, Any]:
    """A study as plain data that `load` reads: the first point's spec, and how the others differ."""
    base = study.spec.model_dump(mode="json")
    if len(study.points) == 1:
        return base
    points = []
    for point in study.points:
        changes: dict[str, Any] = {}
        for name in Spec.model_fields:
            one = getattr(point.spec, name)
            if one is not getattr(study.spec, name):
                whole = one.model_dump(mode="json") if isinstance(one, Record) else one
                _changes(base[name], whole, name, changes)
        points.append({"swept": dict(point.swept), "changes": changes})
    return {**base, "points": points}


def _changes(old: Any, new: Any, path: str, found: dict[str, Any]) -> None:
    """The fields below `path` that differ, with their new values."""
    if old == new and type(old) is type(new):
        return
    plain_keys = isinstance(new, dict) and all("." not in key for key in new)
    if isinstance(old, dict) and isinstance(new, dict) and plain_keys and old.keys() == new.keys():
        for key, value in new.items():
            _changes(old[key], value, f"{path}.{key}", found)
    else:
        found[path] = new
