"""The task that compares all points of a study with a paper's scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ilmlip.hashing import plain
from ilmlip.plan.add import SOME, add
from ilmlip.plan.graph import Plan
from ilmlip.plan.paper import of_scan
from ilmlip.spec.types import Spec

CONDITIONS = ("composition", "kind", "temperature", "pressure")
"""What runs must share for a mean of their densities."""


def scan(plan: Plan, specs: Sequence[Spec], swept: Sequence[Mapping[str, Any]]) -> None:
    """All points beside a paper's scan, if that is asked for: an output of the first point."""
    params = of_scan(specs, swept)
    if params is None:
        return
    entries: list[dict[str, Any]] = []
    places: list[int] = []
    evaluations: list[str] = []
    runs: list[tuple[int, int]] = []
    conditions: list[str] = []
    observed: list[str] = []
    for index, outputs in enumerate(plan.outputs):
        if "matrix" in outputs:
            matrix = plan.tasks[outputs["matrix"][0]]
            own = plain(matrix.params)["entries"]
            entries += own
            places += [index] * len(own)
            evaluations += matrix.needs["evaluations"]
        if "observables" in outputs:
            table = plan.tasks[outputs["observables"][0]]
            made = plain(table.params)["runs"]
            runs += [(index, one["seed"]) for one in made]
            conditions += [" ".join(str(one[name]) for name in CONDITIONS) for one in made]
            observed += table.needs["observed"]
    found = add(
        plan,
        "scan",
        {
            **params,
            "entries": entries,
            "places": places,
            "runs": tuple(runs),
            "conditions": tuple(conditions),
        },
        {"evaluations": tuple(evaluations), **({"observed": tuple(observed)} if observed else {})},
        quorum={"evaluations": SOME, **({"observed": SOME} if observed else {})},
    )
    plan.outputs[0] |= {
        "paper": (found, "paper.json"),
        "paper_table": (found, "paper.csv"),
        "paper_page": (found, "paper.md"),
    }
