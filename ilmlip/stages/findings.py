"""Stage `findings`: whether the study shows what it should, stated over seeds and never on one."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ilmlip.record import Record, field
from ilmlip.report.matrix import Row, composition_order
from ilmlip.stages.base import Inputs, Output, Resources, Stage
from ilmlip.stages.matrix import Entry, rows_of
from ilmlip.stages.over_seeds import UndecidedError, differences, median, missing, ratio


class Params(Record):
    """What is compared, and by which factors."""

    entries: tuple[Entry, ...] = field("One for each input, in the inputs' order")
    one: str = field("The training set with too few compositions")
    two: str = field("The training set with enough")
    far: str = field("The test composition far from both")
    near: tuple[str, ...] = field("The test compositions that `two` must do well on", min_length=1)
    ions: tuple[str, str] = field("The ions whose energy difference is undetermined by `one`")
    far_factor: float = field("Least ratio of the energy MAE at `far`, one to two")
    spread_factor: float = field("Least ratio of the spread of the ions' energy difference")
    near_factor: float = field("Greatest ratio of energy MAEs of `two` over `near`")
    force_tolerance: float = field("Greatest relative difference of the force MAEs")


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Test the findings on role `evaluations`; writes findings.json."""
    rows = [row for row in rows_of(params.entries, inputs) if row.seed is not None]
    gone = missing(params.entries, (params.one, params.two), rows)
    tests = (far_away, spread_of_difference, near_by, forces_alike)
    found = [_decide(test, params, rows) for test in tests]
    for finding in found:
        finding["missing"] = gone
        if gone:
            finding["statement"] += f"; without {', '.join(gone)}, which failed"
    (work / "findings.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return Output(("findings.json",), {f["name"]: f["holds"] for f in found})


def _decide(
    test: Callable[[Params, Sequence[Row]], dict[str, Any]], params: Params, rows: Sequence[Row]
) -> dict[str, Any]:
    try:
        return {"name": test.__name__, **test(params, rows)}
    except UndecidedError as reason:
        return {
            "name": test.__name__,
            "statement": f"not decided: {reason}",
            "value": None,
            "threshold": None,
            "holds": None,
            "numbers": {},
        }


def far_away(params: Params, rows: Sequence[Row]) -> dict[str, Any]:
    """The median energy MAE at `far` is at least `far_factor` times larger for one than for two."""
    one = _median(rows, params.one, params.far, "energy_mae")
    two = _median(rows, params.two, params.far, "energy_mae")
    found = ratio(one, two)
    return {
        "statement": f"energy MAE at x = {params.far}, median over seeds: trained on {params.one} "
        f"{one:.1f} meV/atom, on {params.two} {two:.1f} meV/atom, ratio {found:.1f} "
        f"(at least {params.far_factor:g})",
        "value": found,
        "threshold": params.far_factor,
        "holds": found >= params.far_factor,
        "numbers": {params.one: one, params.two: two},
    }


def spread_of_difference(params: Params, rows: Sequence[Row]) -> dict[str, Any]:
    """E(first) − E(second) scatters over seeds at least `spread_factor` times more for one.

    The difference of a seed is that of the two ions' energies, each averaged over the test
    compositions that hold the ion; the spread is the standard deviation (n − 1) over seeds.
    """
    spread, seen = {}, {}
    for model in (params.one, params.two):
        seen[model] = _differences(params, rows, model)
        if len(seen[model]) < 2:
            raise UndecidedError(f"{model} has fewer than two seeds")
        spread[model] = statistics.stdev(seen[model])
    found = ratio(spread[params.one], spread[params.two])
    first, second = params.ions
    return {
        "statement": f"spread over seeds of E({first}) − E({second}): trained on {params.one} "
        f"{spread[params.one]:.3f} eV, on {params.two} {spread[params.two]:.3f} eV, ratio "
        f"{found:.1f} (at least {params.spread_factor:g})",
        "value": found,
        "threshold": params.spread_factor,
        "holds": found >= params.spread_factor,
        "numbers": {"spread": spread, "differences": seen},
    }


def near_by(params: Params, rows: Sequence[Row]) -> dict[str, Any]:
    """The median energy MAE of two stays within `near_factor` over `near`."""
    values = {x: _median(rows, params.two, x, "energy_mae") for x in params.near}
    found = ratio(max(values.values()), min(values.values()))
    shown = ", ".join(f"{v:.1f}" for v in values.values())
    return {
        "statement": f"energy MAE of {params.two} over x = {params.near[0]} … {params.near[-1]}: "
        f"{shown} meV/atom, largest to smallest {found:.1f} (at most {params.near_factor:g})",
        "value": found,
        "threshold": params.near_factor,
        "holds": found <= params.near_factor,
        "numbers": values,
    }


def forces_alike(params: Params, rows: Sequence[Row]) -> dict[str, Any]:
    """The median force MAEs of one and two differ by at most `force_tolerance` everywhere."""
    compositions = sorted({entry.composition for entry in params.entries}, key=composition_order)
    pairs = {
        x: [_median(rows, model, x, "force_mae") for model in (params.one, params.two)]
        for x in compositions
    }
    worst = max(ratio(abs(a - b), min(a, b)) for a, b in pairs.values())
    shown = ", ".join(f"{a:.0f}/{b:.0f}" for a, b in pairs.values())
    return {
        "statement": f"force MAE at x = {', '.join(compositions)}, trained on {params.one} / "
        f"{params.two}: {shown} meV/Å, largest difference {worst:.0%} (at most "
        f"{params.force_tolerance:.0%})",
        "value": worst,
        "threshold": params.force_tolerance,
        "holds": worst <= params.force_tolerance,
        "numbers": pairs,
    }


def _median(rows: Sequence[Row], model: str, composition: str, quantity: str) -> float:
    """The median over at least two seeds: nothing is ever stated of one."""
    return median(rows, model, composition, quantity, least=2)


def _differences(params: Params, rows: Sequence[Row], model: str) -> list[float]:
    """E(first) − E(second) of each seed, eV."""
    first, second = params.ions
    return differences(rows, model, {first: 1, second: -1})


STAGE = Stage("findings", 2, Params, run, Resources(memory_gb=0.3, seconds=0.2))
