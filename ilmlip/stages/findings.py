"""Stage `findings`: whether the study shows what it should, stated over seeds and never on one."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ilmlip.record import Record, field
from ilmlip.report.matrix import Row, composition_order, medians
from ilmlip.stages.base import Inputs, Output, Resources, Stage
from ilmlip.stages.matrix import Entry, rows_of


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


class UndecidedError(Exception):
    """A number that a finding needs is not there, or no ratio can be made of it."""


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Test the findings on role `evaluations`; writes findings.json."""
    rows = [row for row in rows_of(params.entries, inputs) if row.seed is not None]
    missing = _missing(params, rows)
    tests = (far_away, spread_of_difference, near_by, forces_alike)
    found = [_decide(test, params, rows) for test in tests]
    for finding in found:
        finding["missing"] = missing
        if missing:
            finding["statement"] += f"; without {', '.join(missing)}, which failed"
    (work / "findings.json").write_text(json.dumps(found, indent=1) + "\n")
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
    ratio = _ratio(one, two)
    return {
        "statement": f"energy MAE at x = {params.far}, median over seeds: trained on {params.one} "
        f"{one:.1f} meV/atom, on {params.two} {two:.1f} meV/atom, ratio {ratio:.1f} "
        f"(at least {params.far_factor:g})",
        "value": ratio,
        "threshold": params.far_factor,
        "holds": ratio >= params.far_factor,
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
    ratio = _ratio(spread[params.one], spread[params.two])
    first, second = params.ions
    return {
        "statement": f"spread over seeds of E({first}) − E({second}): trained on {params.one} "
        f"{spread[params.one]:.3f} eV, on {params.two} {spread[params.two]:.3f} eV, ratio "
        f"{ratio:.1f} (at least {params.spread_factor:g})",
        "value": ratio,
        "threshold": params.spread_factor,
        "holds": ratio >= params.spread_factor,
        "numbers": {"spread": spread, "differences": seen},
    }


def near_by(params: Params, rows: Sequence[Row]) -> dict[str, Any]:
    """The median energy MAE of two stays within `near_factor` over `near`."""
    values = {x: _median(rows, params.two, x, "energy_mae") for x in params.near}
    ratio = _ratio(max(values.values()), min(values.values()))
    shown = ", ".join(f"{v:.1f}" for v in values.values())
    return {
        "statement": f"energy MAE of {params.two} over x = {params.near[0]} … {params.near[-1]}: "
        f"{shown} meV/atom, largest to smallest {ratio:.1f} (at most {params.near_factor:g})",
        "value": ratio,
        "threshold": params.near_factor,
        "holds": ratio <= params.near_factor,
        "numbers": values,
    }


def forces_alike(params: Params, rows: Sequence[Row]) -> dict[str, Any]:
    """The median force MAEs of one and two differ by at most `force_tolerance` everywhere."""
    compositions = sorted({entry.composition for entry in params.entries}, key=composition_order)
    pairs = {
        x: [_median(rows, model, x, "force_mae") for model in (params.one, params.two)]
        for x in compositions
    }
    worst = max(_ratio(abs(a - b), min(a, b)) for a, b in pairs.values())
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


def _ratio(above: float, below: float) -> float:
    if below == 0:
        raise UndecidedError("a number to divide by is exactly zero")
    return above / below


def _median(rows: Sequence[Row], model: str, composition: str, quantity: str) -> float:
    """The median over at least two seeds: nothing is ever stated of one."""
    chosen = [
        row
        for row in rows
        if (row.model, row.composition, row.quantity) == (model, composition, quantity)
    ]
    if len(chosen) < 2:
        raise UndecidedError(
            f"{quantity} of {model} at x = {composition} is known for {len(chosen)} of the seeds"
        )
    return medians(chosen)[0].value


def _differences(params: Params, rows: Sequence[Row], model: str) -> list[float]:
    """E(first) − E(second) of each seed, eV."""
    found = []
    for seed in sorted({r.seed for r in rows if r.model == model and r.seed is not None}):
        energies = []
        for ion in params.ions:
            own = [
                row.value
                for row in rows
                if (row.model, row.seed, row.quantity) == (model, seed, f"ion_energy_{ion}")
            ]
            if not own:
                raise UndecidedError(f"no energy of {ion} from {model}, seed {seed}")
            energies.append(statistics.fmean(own))
        found.append(energies[0] - energies[1])
    return found


def _missing(params: Params, rows: Sequence[Row]) -> list[str]:
    """The compared models that were not tested everywhere: "0.4 seed 3 at 2 compositions"."""
    there = {(row.model, row.seed, row.composition) for row in rows}
    gone = Counter(
        f"{entry.name} seed {entry.seed}"
        for entry in params.entries
        if entry.name in (params.one, params.two)
        and (entry.name, entry.seed, entry.composition) not in there
    )
    return [f"{model} at {n} compositions" for model, n in gone.items()]


STAGE = Stage("findings", 2, Params, run, Resources(memory_gb=0.3, seconds=0.2))
