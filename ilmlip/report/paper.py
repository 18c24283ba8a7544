"""Our numbers beside a paper's, as Markdown: `ours (paper)`, and the statements."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ilmlip.report.dataset import markdown
from ilmlip.report.heatmap import three_digits
from ilmlip.report.matrix import is_trained

HEADER = ("table", "quantity", "model", "composition", "ours", "seeds", "paper", "unit", "remark")
FILES = ("paper.json", "paper.csv", "paper.md")
HOLDS = {True: "holds", False: "**does not hold**", None: "not decided"}


@dataclass(frozen=True)
class Line:
    """One number of the paper's, and ours: the median over seeds, None where we have none."""

    table: str
    quantity: str
    model: str
    composition: str
    """Empty: over all test compositions."""
    ours: float | None
    seeds: int
    paper: float | None
    unit: str
    remark: str = ""
    """What must be said wherever the paper's number is shown."""

    def cells(self) -> list[str]:
        """As a line of paper.csv."""
        ours, paper = ("" if v is None else f"{v:.9g}" for v in (self.ours, self.paper))
        return [
            self.table, self.quantity, self.model, self.composition, ours, str(self.seeds), paper,
            self.unit, self.remark,
        ]  # fmt: skip


def read_lines(path: Path) -> list[Line]:
    """The lines of a paper.csv."""
    with path.open(encoding="utf-8", newline="") as lines:
        return [
            Line(
                one["table"],
                one["quantity"],
                one["model"],
                one["composition"],
                float(one["ours"]) if one["ours"] else None,
                int(one["seeds"]),
                float(one["paper"]) if one["paper"] else None,
                one["unit"],
                one.get("remark", ""),
            )
            for one in csv.DictReader(lines)
        ]


def write(
    work: Path, source: str, lines: Sequence[Line], stated: Sequence[Mapping[str, Any]]
) -> None:
    """Write FILES: the statements, every number, and both for people."""
    (work / FILES[0]).write_text(
        json.dumps(stated, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    with (work / FILES[1]).open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(line.cells() for line in lines)
    (work / FILES[2]).write_text(page(source, lines, stated), encoding="utf-8")


def page(source: str, lines: Sequence[Line], stated: Sequence[Mapping[str, Any]]) -> str:
    """The whole page: a table for each of the paper's, and what it states."""
    parts = [
        "# Against the paper\n\nOurs (the paper's): medians over seeds. **Bold**: trained on.\n\n"
        f"The paper's numbers: {source}\n"
    ]
    parts += tables(lines)
    if stated:
        parts.append("## What it states\n")
        parts.append(statements(stated))
    return "\n".join(parts)


def tables(lines: Sequence[Line], level: str = "##") -> list[str]:
    """A heading and a Markdown table for each table and quantity of the paper's."""
    parts = []
    wide = [line for line in lines if line.composition]
    for table, quantity, unit in dict.fromkeys((w.table, w.quantity, w.unit) for w in wide):
        mine = [w for w in wide if (w.table, w.quantity) == (table, quantity)]
        parts.append(f"{level} {table}: {quantity}, {unit}\n")
        parts.append(_table(mine, list(dict.fromkeys(w.composition for w in mine)), "composition"))
    narrow = [line for line in lines if not line.composition]
    for table in dict.fromkeys(line.table for line in narrow):
        mine = [line for line in narrow if line.table == table]
        parts.append(f"{level} {table}: over all test compositions, {mine[0].unit}\n")
        parts.append(_table(mine, list(dict.fromkeys(w.quantity for w in mine)), "quantity"))
        for quantity, remark in dict.fromkeys((w.quantity, w.remark) for w in mine if w.remark):
            parts.append(f"{quantity}: {remark}\n")
    return parts


def _table(lines: Sequence[Line], columns: Sequence[str], by: str) -> str:
    at = {(line.model, getattr(line, by)): line for line in lines}
    models = list(dict.fromkeys(line.model for line in lines))
    body = [[model, *(_cell(at.get((model, c))) for c in columns)] for model in models]
    return markdown(("trained on", *columns), body)


def _cell(line: Line | None) -> str:
    if line is None:
        return "–"
    ours = "–" if line.ours is None else _number(line)(line.ours)
    paper = "–" if line.paper is None else f"{line.paper:g}"
    bold = line.composition and is_trained(line.model, line.composition)
    return f"**{ours}** ({paper})" if bold else f"{ours} ({paper})"


def _number(line: Line) -> Callable[[float], str]:
    return three_digits if line.composition else "{:.2f}".format


def statements(stated: Sequence[Mapping[str, Any]]) -> str:
    """Each statement with whether it holds, and where its threshold comes from."""
    return "".join(
        f"- {HOLDS[one['holds']]}: {one['statement']}\n  *{one['why']}*\n" for one in stated
    )
