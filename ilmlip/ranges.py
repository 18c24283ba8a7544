"""Physical ranges of stated values, with reasons and sources: the table `ranges.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

TABLE = Path(__file__).with_name("ranges.yaml")

Verdict = Literal["unusual", "impossible"]


@dataclass(frozen=True)
class Range:
    """What is usual for a value, and what is possible."""

    usual: tuple[float, float]
    reason: str
    unit: str = ""
    possible: tuple[float, float] | None = None

    def verdict(self, value: float) -> Verdict | None:
        """Whether a value is unusual or impossible; None if it is neither."""
        if self.possible is not None and not self.possible[0] <= value <= self.possible[1]:
            return "impossible"
        return None if self.usual[0] <= value <= self.usual[1] else "unusual"

    def text(self, value: float) -> str:
        """What is said of a value outside."""
        unit = f" {self.unit}" if self.unit else ""
        low, high = self.usual
        return f"{value:g}{unit}; usual is {low:g} to {high:g}{unit} ({self.reason})"


@cache
def _table() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return found


def _range(row: dict[str, Any]) -> Range:
    possible = row.get("possible")
    return Range(
        tuple(row["usual"]),
        row["reason"],
        row.get("unit", ""),
        None if possible is None else tuple(possible),
    )


@cache
def of_fields() -> dict[str, Range]:
    """The range of each field of a spec, by its path; a * stands for a name or a number."""
    return {path: _range(row) for row in _table()["spec"] for path in row["fields"]}


@cache
def of_ions() -> dict[str, Range]:
    """The range of each kind of value in an ion's data file."""
    return {row["value"]: _range(row) for row in _table()["ion"]}


def of_density() -> Range:
    """The range of the density that a molar volume gives."""
    return _range(_table()["derived"]["density"])


@dataclass(frozen=True)
class Steps:
    """Numbers of time steps."""

    usual: float
    """In the period of the fastest bond, at least."""
    possible: float
    """The same, below which no dynamics is stable."""
    reason: str
    thermostat: tuple[float, float]
    barostat: tuple[float, float]
    """In the damping times."""
    damping: str
    """Why."""


def of_steps() -> Steps:
    """What is asked of a time step."""
    bond, damping = _table()["derived"]["steps_of_a_bond"], _table()["derived"]["damping"]
    return Steps(
        bond["usual"],
        bond["possible"],
        bond["reason"],
        tuple(damping["thermostat"]),
        tuple(damping["barostat"]),
        damping["reason"],
    )
