"""Stage `paper`: our numbers beside a paper's, and whether what it states holds in ours.

Statements are made over at least three seeds: with fewer, one is not decided.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from ilmlip.record import Record, field
from ilmlip.report.matrix import Row
from ilmlip.report.paper import FILES, Line, write
from ilmlip.stages.base import Inputs, Output, Resources, Stage
from ilmlip.stages.ion_energies import difference_name
from ilmlip.stages.matrix import Entry, rows_of
from ilmlip.stages.over_seeds import UndecidedError, differences, median, missing, ratio

LEAST_SEEDS = 3
WORDS = {"energy_mae": ("energy", "meV/atom"), "force_mae": ("force", "meV/Å")}


class Table(Record):
    """One table of the paper: a line a model."""

    table: str = field("Its name in the paper")
    quantity: str = field("Quantity of matrix.csv, or difference_EMIM-Li")
    unit: str = field("Its unit")
    compositions: tuple[str, ...] = field("The columns; empty: one number over all compositions")
    models: dict[str, tuple[float | None, ...]] = field("The paper's numbers")


class Worse(Record):
    """The MAE of `one` at each of `at` is at least `factor` times that of `reference`."""

    test: Literal["worse_at_ends", "forces_worse"] = field("Of the energy, or of the forces")
    name: str = field("Name of the test")
    one: str = field("Training set")
    reference: str = field("Training set")
    at: tuple[str, ...] = field("Test compositions", min_length=1)
    factor: float = field("Least ratio")


class Scattered(Record):
    """The difference scatters over seeds at least `factor` times more for `one`."""

    test: Literal["scattered"] = field("This test")
    name: str = field("Name of the test")
    one: str = field("Training set")
    reference: str = field("Training set")
    difference: dict[str, int] = field("Numbers of species")
    factor: float = field("Least ratio")


class Even(Record):
    """The errors of `one` over `at` stay within `factor`."""

    test: Literal["even"] = field("This test")
    name: str = field("Name of the test")
    one: str = field("Training set")
    at: tuple[str, ...] = field("Test compositions", min_length=1)
    to: tuple[str, ...] = field("Compositions that are trained on; empty: the smallest of `at`")
    quantity: Literal["energy_mae", "force_mae"] = field("Which errors")
    factor: float = field("Greatest ratio")


class Difference(Record):
    """`near` have the labels' own difference within a distance, `far` are apart by another."""

    test: Literal["difference"] = field("This test")
    name: str = field("Name of the test")
    difference: dict[str, int] = field("Numbers of species")
    near: tuple[str, ...] = field("Training sets")
    within: float = field("Greatest distance", unit="eV")
    far: tuple[str, ...] = field("Training sets")
    apart: float = field("Least distance", unit="eV")


Stated = Worse | Scattered | Even | Difference


class Params(Record):
    """The evaluations, the paper's numbers, and what is to hold."""

    entries: tuple[Entry, ...] = field("One for each input, in the inputs' order")
    source: str = field("Where the numbers come from")
    tables: tuple[Table, ...] = field("The paper's tables")
    tests: tuple[Annotated[Stated, Field(discriminator="test")], ...] = field("What is to hold")
    why: tuple[str, ...] = field("Of each test, where its thresholds come from")


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Compare the numbers of role `evaluations`, by the labels' own of `ion_energies`; writes FILES.

    values: `holds` of each test by its name (null: not decided), and `compared`, how many numbers.
    """
    rows = [row for row in rows_of(params.entries, inputs) if row.seed is not None]
    reference: dict[str, float | None] = {}
    for given in inputs.roles.get("ion_energies", ()):
        reference = dict(given.values.get("reference", {}))
    stated = [
        _decide(test, why, rows, params.entries, reference)
        for test, why in zip(params.tests, params.why, strict=True)
    ]
    lines = [line for table in params.tables for line in compared(table, rows)]
    write(work, params.source, lines, stated)
    holds = {one["name"]: one["holds"] for one in stated}
    both = sum(line.ours is not None and line.paper is not None for line in lines)
    return Output(FILES, {"holds": holds, "compared": both})


def compared(table: Table, rows: Sequence[Row]) -> list[Line]:
    """Every number of a table beside ours, the median over seeds."""
    found = []
    for model, numbers in table.models.items():
        for composition, paper in zip(table.compositions or ("",), numbers, strict=True):
            own = _ours(table.quantity, model, composition, rows)
            found.append(
                Line(
                    table.table,
                    table.quantity,
                    model,
                    composition,
                    statistics.median(own) if own else None,
                    len(own),
                    paper,
                    table.unit,
                )
            )
    return found


def _ours(quantity: str, model: str, composition: str, rows: Sequence[Row]) -> list[float]:
    """Our number of each seed; without a composition it is the mean over all of them."""
    if quantity.startswith("difference_"):
        try:
            return differences(rows, model, counts_of(quantity.removeprefix("difference_")))
        except UndecidedError:
            return []
    by_seed: dict[int | None, list[float]] = {}
    for row in rows:
        if (row.model, row.quantity) == (model, quantity) and composition in ("", row.composition):
            by_seed.setdefault(row.seed, []).append(row.value)
    return [statistics.fmean(values) for values in by_seed.values()]


def counts_of(difference: str) -> dict[str, int]:
    """{EMIM: 1, Li: -1} of EMIM-Li, {Li: 1, S: 1, Cl: -1} of Li+S-Cl."""
    found: dict[str, int] = {}
    for sign, text in ((1 if i == 0 else -1, t) for i, t in enumerate(difference.split("-"))):
        for species in text.split("+"):
            found[species] = sign
    return found


def _decide(
    test: Stated,
    why: str,
    rows: Sequence[Row],
    entries: Sequence[Entry],
    reference: dict[str, float | None],
) -> dict[str, Any]:
    about = {"name": test.name, "test": test.test, "why": why}
    how: Callable[[Any, Sequence[Row], dict[str, float | None]], dict[str, Any]] = DECIDE[test.test]
    try:
        found = about | how(test, rows, reference)
    except UndecidedError as reason:
        found = about | {
            "statement": f"{test.name}: {reason}",
            "value": None, "threshold": None, "holds": None, "numbers": {},
        }  # fmt: skip
    gone = missing(entries, _models(test), rows)
    if gone:
        found["statement"] += f"; without {', '.join(gone)}, which failed"
    return found | {"missing": gone}


def _models(test: Stated) -> tuple[str, ...]:
    if isinstance(test, Difference):
        return (*test.near, *test.far)
    return (test.one,) if isinstance(test, Even) else (test.one, test.reference)


def worse(test: Worse, rows: Sequence[Row], _: dict[str, float | None]) -> dict[str, Any]:
    """Medians over seeds of two sets at each composition: the smallest ratio decides."""
    quantity = "energy_mae" if test.test == "worse_at_ends" else "force_mae"
    word, unit = WORDS[quantity]
    pairs = {
        x: [median(rows, model, x, quantity, LEAST_SEEDS) for model in (test.one, test.reference)]
        for x in test.at
    }
    least = min(ratio(a, b) for a, b in pairs.values())
    shown = ", ".join(f"{a:.3g}/{b:.3g}" for a, b in pairs.values())
    return {
        "statement": f"{word} MAE at x = {', '.join(test.at)}, median over seeds, trained on "
        f"{test.one} / {test.reference}: {shown} {unit}, smallest ratio {least:.3g} "
        f"(at least {test.factor:g})",
        "value": least,
        "threshold": test.factor,
        "holds": least >= test.factor,
        "numbers": pairs,
    }


def scattered(test: Scattered, rows: Sequence[Row], _: dict[str, float | None]) -> dict[str, Any]:
    """Standard deviations (n − 1) over seeds of the difference."""
    seen = {m: _seeds(rows, m, test.difference) for m in (test.one, test.reference)}
    spread = {model: statistics.stdev(values) for model, values in seen.items()}
    found = ratio(spread[test.one], spread[test.reference])
    return {
        "statement": f"spread over seeds of {difference_name(test.difference)}: trained on "
        f"{test.one} {spread[test.one]:.3g} eV, on {test.reference} {spread[test.reference]:.3g} eV, "
        f"ratio {found:.3g} (at least {test.factor:g})",
        "value": found,
        "threshold": test.factor,
        "holds": found >= test.factor,
        "numbers": {"spread": spread, "differences": seen},
    }


def even(test: Even, rows: Sequence[Row], _: dict[str, float | None]) -> dict[str, Any]:
    """Medians over seeds: the largest over the smallest, or over the largest of the trained ones."""
    values = {x: median(rows, test.one, x, test.quantity, LEAST_SEEDS) for x in test.at}
    trained = [median(rows, test.one, x, test.quantity, LEAST_SEEDS) for x in test.to]
    found = ratio(max(values.values()), max(trained) if trained else min(values.values()))
    word, unit = WORDS[test.quantity]
    against = "those trained on" if trained else "smallest"
    return {
        "statement": f"{word} MAE of {test.one} at x = {', '.join(test.at)}: "
        f"{', '.join(f'{v:.3g}' for v in values.values())} {unit}, largest to {against} "
        f"{found:.3g} (at most {test.factor:g})",
        "value": found,
        "threshold": test.factor,
        "holds": found <= test.factor,
        "numbers": values,
    }


def difference(
    test: Difference, rows: Sequence[Row], reference: dict[str, float | None]
) -> dict[str, Any]:
    """How far each set's median over seeds is from the labels' own; value: the worst of `near`."""
    name = difference_name(test.difference)
    own = reference.get(name)
    if own is None:
        raise UndecidedError(f"the labels do not determine {name}")
    off = {
        model: abs(statistics.median(_seeds(rows, model, test.difference)) - own)
        for model in (*test.near, *test.far)
    }
    parts = [f"{name}, the labels' own {own:.4g} eV, median over seeds off by"]
    if test.near:
        parts.append(f"{_listed(off, test.near)} eV (at most {test.within:g})")
    if test.far:
        parts.append(f"{_listed(off, test.far)} eV (at least {test.apart:g})")
    near = all(off[model] <= test.within for model in test.near)
    far = all(off[model] >= test.apart for model in test.far)
    return {
        "statement": f"{parts[0]} {'; '.join(parts[1:])}",
        "value": max((off[m] for m in test.near), default=min(off.values())),
        "threshold": test.within if test.near else test.apart,
        "holds": near and far,
        "numbers": {"reference": own, "distance": off},
    }


def _listed(off: dict[str, float], models: Sequence[str]) -> str:
    return ", ".join(f"{model} {off[model]:.3g}" for model in models)


def _seeds(rows: Sequence[Row], model: str, counts: dict[str, int]) -> list[float]:
    found = differences(rows, model, counts)
    if len(found) < LEAST_SEEDS:
        raise UndecidedError(f"{model} has {len(found)} seeds, and {LEAST_SEEDS} are needed")
    return found


DECIDE: dict[str, Callable[..., dict[str, Any]]] = {
    "worse_at_ends": worse,
    "forces_worse": worse,
    "scattered": scattered,
    "even": even,
    "difference": difference,
}

STAGE = Stage("paper", 2, Params, run, Resources(memory_gb=0.3, seconds=0.3))
