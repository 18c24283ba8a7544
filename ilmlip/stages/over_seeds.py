"""Numbers over seeds that findings are made of: medians, spreads and ratios, and what is missing."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from ilmlip.report.matrix import Row, medians
from ilmlip.stages.matrix import Entry


class UndecidedError(Exception):
    """A number that a finding needs is not there, or no ratio can be made of it."""


def ratio(above: float, below: float) -> float:
    """above / below. Raises UndecidedError for a zero."""
    if below == 0:
        raise UndecidedError("a number to divide by is exactly zero")
    return above / below


def median(rows: Sequence[Row], model: str, composition: str, quantity: str, least: int) -> float:
    """The median over at least `least` seeds, else UndecidedError: nothing is stated of one."""
    chosen = [
        row
        for row in rows
        if (row.model, row.composition, row.quantity) == (model, composition, quantity)
    ]
    if len(chosen) < least:
        raise UndecidedError(
            f"{quantity} of {model} at x = {composition} is known for {len(chosen)} of the seeds"
        )
    return medians(chosen)[0].value


def differences(rows: Sequence[Row], model: str, counts: Mapping[str, int]) -> list[float]:
    """Of each seed the energy of `counts` species, eV: {EMIM: 1, Li: -1} is E(EMIM) − E(Li).

    Each species' energy is averaged over the test compositions that hold it.
    """
    found = []
    for seed in sorted({r.seed for r in rows if r.model == model and r.seed is not None}):
        total = 0.0
        for ion, number in counts.items():
            own = [
                row.value
                for row in rows
                if (row.model, row.seed, row.quantity) == (model, seed, f"ion_energy_{ion}")
            ]
            if not own:
                raise UndecidedError(f"no energy of {ion} from {model}, seed {seed}")
            total += number * statistics.fmean(own)
        found.append(total)
    return found


def missing(entries: Sequence[Entry], models: Collection[str], rows: Sequence[Row]) -> list[str]:
    """The compared models that were not tested everywhere: "0.4 seed 3 at 2 compositions"."""
    there = {(row.model, row.seed, row.composition) for row in rows}
    gone = Counter(
        f"{entry.name} seed {entry.seed}"
        for entry in entries
        if entry.name in models and (entry.name, entry.seed, entry.composition) not in there
    )
    return [f"{model} at {n} compositions" for model, n in gone.items()]
