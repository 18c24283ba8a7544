"""The parameters of stage `paper` from the spec's section `analysis`."""

from __future__ import annotations

from typing import Any

from ilmlip.hashing import plain
from ilmlip.spec.analysis import Analysis
from ilmlip.spec.mixtures import composition_label, set_label

SETS = ("one", "reference")


def against_paper(analysis: Analysis) -> dict[str, Any] | None:
    """What the stage is to compare and decide, without its entries; None if that is nothing."""
    if analysis.paper is None and not analysis.tests:
        return None
    tables = [
        {
            **plain(table),
            "compositions": [composition_label(x) for x in table.compositions],
        }
        for table in (analysis.paper.tables if analysis.paper else ())
    ]
    tests, why = [], []
    for one in analysis.tests:
        stated: dict[str, Any] = {"name": one.name}
        for name, value in one:
            if name == "why":
                why.append(value)
            elif name in SETS:
                stated[name] = set_label(value)
            elif name in ("near", "far"):
                stated[name] = [set_label(xs) for xs in value]
            elif name == "at":
                stated[name] = [composition_label(x) for x in value]
            elif name == "to":
                trained = one.tested()[len(stated["at"]) :]
                stated[name] = [composition_label(x) for x in trained]
            else:
                stated[name] = plain(value)
        tests.append(stated)
    source = analysis.paper.source if analysis.paper else ""
    return {"source": source, "tables": tables, "tests": tests, "why": why}
