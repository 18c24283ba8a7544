"""What a run prints at its end: the matrix and the findings, as tables."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ilmlip.report.heatmap import three_digits
from ilmlip.report.matrix import Row, is_trained, read_csv, shown_name, table

TABLES = (("energy_mae", "Energy MAE, meV/atom"), ("force_mae", "Force MAE, meV/Å"))


def render(outputs: Mapping[str, str]) -> Iterator[RenderableType]:
    """What to print for the outputs of a study (names to paths)."""
    if "matrix" in outputs:
        rows = read_csv(Path(outputs["matrix"]))
        for quantity, title in TABLES:
            yield matrix_table(rows, quantity, title)
    if "findings" in outputs:
        yield from findings_lines(json.loads(Path(outputs["findings"]).read_text(encoding="utf-8")))
    if "paper" in outputs:
        yield from findings_lines(json.loads(Path(outputs["paper"]).read_text(encoding="utf-8")))


def matrix_table(rows: Sequence[Row], quantity: str, title: str) -> Table:
    """Models × compositions, medians over seeds; what a model was trained on is in brackets."""
    models, compositions, values = table(rows, quantity)
    shown = Table(
        title=f"{title} (median over seeds; [trained on])", title_justify="left", box=None
    )
    shown.title = Text(f"{title}, median over seeds; [trained on]")
    shown.add_column("trained on \\ tested at")
    for composition in compositions:
        shown.add_column(composition, justify="right")
    for model, line in zip(models, values, strict=True):
        cells = [_cell(model, c, v) for c, v in zip(compositions, line, strict=True)]
        shown.add_row(Text(shown_name(model)), *cells)
    return shown


def _cell(model: str, composition: str, value: float) -> Text:
    if not math.isfinite(value):
        return Text("–")
    number = three_digits(value)
    return Text(f"[{number}]", "bold") if is_trained(model, composition) else Text(f"{number} ")


def findings_lines(findings: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    """Each finding with its numbers and whether it holds."""
    words = {
        True: ("holds         ", "green"),
        False: ("DOES NOT HOLD ", "red"),
        None: ("NOT DECIDED   ", "yellow"),
    }
    for finding in findings:
        word, style = words[finding["holds"]]
        yield Text(word, style) + Text(finding["statement"], "default")
