"""Which results of a frozen study stand in a store, and whether they agree with the file."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ilmlip.errors import SpecError, StoreError
from ilmlip.hashing import digest, file_digest
from ilmlip.plan.graph import Plan
from ilmlip.report.matrix import read_csv
from ilmlip.spec.study import Frozen
from ilmlip.store import Result, Store

TOLERANCE = 0.02
"""Relative difference of a figure that still agrees: MD and training on another processor differ."""


@dataclass
class Verdict:
    """What verify found, key by key and figure by figure."""

    same: list[str] = field(default_factory=list)
    """Results with the digest that the file expects."""
    other: list[str] = field(default_factory=list)
    """Results that were computed elsewhere or anew and have another digest."""
    new: list[str] = field(default_factory=list)
    """Results that stand in the store, and of which the file expects no particular digest."""
    missing: list[str] = field(default_factory=list)
    damaged: list[dict[str, str]] = field(default_factory=list)
    """Results whose files or values are not those of their own manifest: key and reason."""
    figures: list[dict[str, Any]] = field(default_factory=list)
    """Each expected figure with what was found; `agrees` is None where nothing was."""

    @property
    def ok(self) -> bool:
        """Nothing is missing or damaged, and no figure disagrees."""
        agree = all(one["agrees"] is True for one in self.figures)
        return not self.missing and not self.damaged and agree

    def data(self) -> dict[str, Any]:
        """As the command tells it."""
        return {**self.__dict__, "ok": self.ok}

    def counts(self) -> Counter[str]:
        """How many results are the same, other, new, missing and damaged."""
        names = ("same", "other", "new", "missing", "damaged")
        return Counter({name: len(getattr(self, name)) for name in names})


def verify(note: Frozen | None, plan: Plan, store: Store) -> Verdict:
    """Hold a store against a frozen file. Raises SpecError for a spec that is not frozen."""
    if note is None:
        raise SpecError("frozen", "is missing: verify takes a file made by `ilmlip freeze`")
    found = Verdict()
    for key in plan.tasks:
        try:
            result = store.result(key)
        except StoreError as error:
            found.damaged.append({"key": key, "reason": str(error)})
            continue
        if result is None:
            found.missing.append(key)
            continue
        reason = damage(result)
        expected = note.keys.get(key, "")
        if reason:
            found.damaged.append({"key": key, "reason": reason})
        elif not expected:
            found.new.append(key)
        else:
            (found.same if result.digest == expected else found.other).append(key)
    found.figures = _figures(note, plan, store)
    return found


def damage(result: Result) -> str:
    """What is wrong with a result's files or values by its own manifest; empty if nothing."""
    for name, expected in result.files.items():
        path = result.path / name
        if not path.is_file():
            return f"{name} is missing"
        if file_digest(path) != expected:
            return f"{name} is not the file that was published"
    own = digest("ilmlip.result", {"files": dict(result.files), "values": dict(result.values)})
    return "" if own == result.digest else "the manifest was edited"


def _figures(note: Frozen, plan: Plan, store: Store) -> list[dict[str, Any]]:
    there: dict[tuple[str, ...], float] = {}
    for point, outputs in enumerate(plan.outputs):
        if "matrix" not in outputs:
            continue  # a study of data sets
        key, file = outputs["matrix"]
        path = store.folder(key) / file
        if path.is_file():
            for row in read_csv(path):
                if row.seed is None:
                    there[str(point), row.model, row.composition, row.quantity] = row.value
    rows = []
    for *name, text in note.figures:
        value, now = _number(text), there.get(tuple(name))
        agrees = None if now is None else math.isclose(now, value, rel_tol=TOLERANCE, abs_tol=1e-9)
        point_, model, composition, quantity = name
        rows.append(
            {
                "point": int(point_),
                "model": model,
                "composition": composition,
                "quantity": quantity,
                "expected": value,
                "found": now,
                "agrees": agrees,
            }
        )
    return rows


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise SpecError("frozen.figures", f"found {text!r}; freeze the study again") from None
