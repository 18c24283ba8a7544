"""The parameters of stage `paper` from the spec's section `analysis`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ilmlip.errors import SpecError
from ilmlip.hashing import plain
from ilmlip.spec.analysis import Analysis
from ilmlip.spec.mixtures import composition_label, set_label
from ilmlip.spec.types import Spec

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


def field_values(spec: Spec, fields: Sequence[str], swept: Mapping[str, Any]) -> list[float | str]:
    """What a point has at each dotted field, or which option of a swept group.

    Raises SpecError for one that is neither a number nor a swept group.
    """
    found: list[float | str] = []
    for path in fields:
        value: Any = spec
        try:
            for step in path.split("."):
                value = getattr(value, step)
            found.append(swept[path] if isinstance(swept.get(path), str) else float(value))
        except (AttributeError, TypeError, ValueError):
            raise SpecError(
                "analysis.scan.fields",
                f"{path} is no number of this spec and no option that it sweeps; name a field such as "
                "model.r_max, or a swept group such as dataset, or leave the comparison out "
                "(analysis=none)",
            ) from None
    return found


def of_scan(
    specs: Sequence[Spec], swept: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any] | None:
    """What stage `scan` is to compare, without its entries; None if there is no scan."""
    scan = specs[0].analysis.scan
    if scan is None:
        return None
    values = [
        field_values(spec, scan.fields, one)
        for spec, one in zip(specs, swept or [{}] * len(specs), strict=True)
    ]
    return {**plain(scan), "values": values}
