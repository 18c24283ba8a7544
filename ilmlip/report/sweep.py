"""A sweep as one table: the rows of every point's matrix, with what was swept in front."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ilmlip.report.matrix import HEADER, Row, over_seeds, read_csv


def write_sweep(
    path: Path, swept: Sequence[Mapping[str, Any]], matrices: Sequence[Path | None]
) -> None:
    """Write sweep.csv: `point`, a column for each swept field, then the columns of matrix.csv.

    A point whose matrix is None (it failed) has no rows.
    """
    keys = list(dict.fromkeys(key for values in swept for key in values))
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["point", *keys, *HEADER])
        for index, (values, matrix) in enumerate(zip(swept, matrices, strict=True)):
            if matrix is None:
                continue
            front = [index, *(values.get(key, "") for key in keys)]
            with matrix.open(encoding="utf-8", newline="") as lines:
                writer.writerows([*front, *row] for row in list(csv.reader(lines))[1:])


def summary(matrix: Path, quantity: str) -> Iterator[tuple[str, float, float]]:
    """For each model of a matrix its name, and the mean and largest value over the compositions."""
    by_model: dict[str, list[float]] = {}
    for row in over_seeds(read_csv(matrix)):
        if row.quantity == quantity:
            by_model.setdefault(row.model, []).append(row.value)
    for model, values in by_model.items():
        yield model, statistics.fmean(values), max(values)


def objective(
    rows: Sequence[Row], quantity: str, model: str | None, composition: str | None
) -> float | None:
    """The mean, over the models and compositions asked for (None: all), of medians over seeds.

    None if there is no such number.
    """
    found = [
        row.value
        for row in over_seeds(rows)
        if row.quantity == quantity
        and model in (None, row.model)
        and composition in (None, row.composition)
    ]
    return statistics.fmean(found) if found else None
