"""Stage `scan`: a sweep's numbers beside a paper's, and the trends that it states, over seeds."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from ilmlip.record import Record, field
from ilmlip.report.paper import FILES, Line, write
from ilmlip.stages.base import Inputs, Output, Resources, Stage
from ilmlip.stages.matrix import Entry, rows_of
from ilmlip.stages.over_seeds import UndecidedError, ratio
from ilmlip.stages.paper import LEAST_SEEDS

At = float | str
"""What a point has at a swept field: a number, or the option of a group."""


DYNAMICS = ("density", "bonds_hold")
"""Quantities of runs; `bonds_hold` becomes the share of runs whose bonds hold."""


class Trend(Record):
    """Along one field, the others equal, a number falls or rises."""

    name: str = field("Name of the test")
    why: str = field("Where its threshold comes from")
    along: str = field("The field")
    order: tuple[At, ...] = field(
        "Its values in order; empty: numbers, ascending", default=(), later=True
    )
    among: dict[str, At] = field("The other fields' values; those left out: any")
    quantity: str = field("Quantity of matrix.csv")
    goes: Literal["falls", "rises"] = field("From the first value of the field to the last")
    factor: float = field("Least ratio of the larger to the smaller end")


class Params(Record):
    """The evaluations of all points, the paper's numbers, and what is to hold."""

    entries: tuple[Entry, ...] = field("One for each input, in the inputs' order")
    places: tuple[int, ...] = field("The point of each entry")
    values: tuple[tuple[At, ...], ...] = field("Of each point the fields' values")
    source: str = field("Where the numbers come from")
    table: str = field("Its name in the paper")
    fields: tuple[str, ...] = field("Swept fields that tell the points apart")
    quantities: dict[str, str] = field("Columns: quantity, and its unit")
    points: tuple[tuple[tuple[At, ...], tuple[float | None, ...]], ...] = field(
        "Of each point of the paper the fields' values, and its numbers"
    )
    remarks: dict[str, str] = field(
        "What must be said wherever the paper's numbers of a quantity are shown",
        default={},
        later=True,
    )
    trends: tuple[Trend, ...] = field("What is to hold")
    runs: tuple[tuple[int, int], ...] = field(
        "Of each input `observed` its point, and the seed of its model", default=(), later=True
    )
    conditions: tuple[str, ...] = field(
        "Of each input `observed` what it was run at: composition, temperature and the like",
        default=(),
        later=True,
    )


Seeds = dict[tuple[tuple[At, ...], str], dict[int, list[float]]]
"""By a point's values and the quantity: each seed's numbers over models and compositions."""


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Compare the numbers of role `evaluations`; writes paper.json, paper.csv, paper.md.

    Of role `observed`, the models' own dynamics: quantities DYNAMICS, means over a seed's runs; no
    density of a point whose runs differ in their conditions.

    values: `holds` of each trend by its name (null: not decided).
    """
    seeds: Seeds = {}
    for place, one in inputs.placed("evaluations"):
        alone = Inputs({"evaluations": (one,)}, {}, {"evaluations": (0,)})
        for row in rows_of((params.entries[place],), alone):
            if row.seed is not None:
                at = (params.values[params.places[place]], row.quantity)
                seeds.setdefault(at, {}).setdefault(row.seed, []).append(row.value)
    differ = _different_conditions(params)
    for place, one in inputs.placed("observed"):
        point, seed = params.runs[place]
        for quantity in DYNAMICS:
            if quantity == "density" and point in differ:
                continue  # a mean over temperatures or compositions is of none
            if quantity in one.values:
                own = seeds.setdefault((params.values[point], quantity), {})
                own.setdefault(seed, []).append(float(one.values[quantity]))
    lines = _lines(params, seeds)
    stated = [_decide(trend, params, seeds) for trend in params.trends]
    write(work, params.source, lines, stated)
    return Output(FILES, {"holds": {one["name"]: one["holds"] for one in stated}})


def _different_conditions(params: Params) -> set[int]:
    """Points with runs at more than one condition."""
    at: dict[int, set[str]] = {}
    for (point, _), condition in zip(params.runs, params.conditions, strict=False):
        at.setdefault(point, set()).add(condition)
    return {point for point, conditions in at.items() if len(conditions) > 1}


def _lines(params: Params, seeds: Seeds) -> list[Line]:
    found = []
    for values, numbers in params.points:
        name = " ".join(
            f"{key.removeprefix('model.')}={worded(value)}"
            for key, value in zip(params.fields, values, strict=True)
        )
        for (quantity, unit), paper in zip(params.quantities.items(), numbers, strict=True):
            own = _by_seed(seeds, values, quantity)
            middle = statistics.median(own) if own else None
            remark = params.remarks.get(quantity, "")
            found.append(
                Line(params.table, quantity, name, "", middle, len(own), paper, unit, remark)
            )
    return found


def _by_seed(seeds: Seeds, values: tuple[At, ...], quantity: str) -> list[float]:
    return [statistics.fmean(own) for own in seeds.get((values, quantity), {}).values()]


def _decide(trend: Trend, params: Params, seeds: Seeds) -> dict[str, Any]:
    about = {"name": trend.name, "test": "trend", "why": trend.why, "missing": []}
    try:
        return about | _trend(trend, params, seeds)
    except UndecidedError as reason:
        return about | {
            "statement": f"{trend.name}: {reason}",
            "value": None, "threshold": None, "holds": None, "numbers": {},
        }  # fmt: skip


def _trend(trend: Trend, params: Params, seeds: Seeds) -> dict[str, Any]:
    """Medians over seeds at each value of the field; each step goes the stated way."""
    chosen = _along(trend, params)
    middles = []
    for at, values in chosen:
        own = _by_seed(seeds, values, trend.quantity)
        if len(own) < LEAST_SEEDS:
            raise UndecidedError(
                f"{trend.quantity} at {trend.along}={worded(at)} is known for {len(own)} of the seeds"
            )
        middles.append(statistics.median(own))
    up = trend.goes == "rises"
    ordered = all((b > a) == up and a != b for a, b in itertools.pairwise(middles))
    found = ratio(middles[-1], middles[0]) if up else ratio(middles[0], middles[-1])
    shown = ", ".join(f"{worded(at)}: {m:.3g}" for (at, _), m in zip(chosen, middles, strict=True))
    return {
        "statement": f"{trend.quantity} {trend.goes} along {trend.along}, median over seeds: {shown} "
        f"({params.quantities.get(trend.quantity, '')}), ratio {found:.3g} (at least "
        f"{trend.factor:g}, and each step {trend.goes})",
        "value": found,
        "threshold": trend.factor,
        "holds": ordered and found >= trend.factor,
        "numbers": {worded(at): m for (at, _), m in zip(chosen, middles, strict=True)},
    }


def _along(trend: Trend, params: Params) -> Sequence[tuple[At, tuple[At, ...]]]:
    """The points of a trend by its field, in its order."""
    index = params.fields.index(trend.along)
    others = {params.fields.index(key): value for key, value in trend.among.items()}
    found = {
        values[index]: values
        for values in params.values
        if all(values[i] == value for i, value in others.items())
    }
    order = trend.order or sorted(at for at in found if not isinstance(at, str))
    chosen = [(at, found[at]) for at in order if at in found]
    if len(chosen) < max(2, len(trend.order)):
        raise UndecidedError(f"the sweep has {len(chosen)} values of {trend.along} there")
    return chosen


def worded(at: At) -> str:
    """A value for people."""
    return at if isinstance(at, str) else f"{at:g}"


STAGE = Stage("scan", 2, Params, run, Resources(memory_gb=0.3, seconds=0.3))
