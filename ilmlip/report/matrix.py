"""The matrix of models × compositions in long form: one row a model, seed, composition, quantity."""

from __future__ import annotations

import csv
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

HEADER = ("model", "seed", "composition", "quantity", "value", "stderr", "unit")
KINDS = ("linear", "committee")
"""Before the name of what is no single network: "linear:0.4+0.6"."""


@dataclass(frozen=True)
class Row:
    """One number of the matrix; seed None is the median over seeds, or a model without seeds."""

    model: str
    seed: int | None
    composition: str
    quantity: str
    value: float
    stderr: float | None
    unit: str


def medians(rows: Iterable[Row]) -> list[Row]:
    """The median over seeds of every model, composition and quantity.

    The standard error is that of the median's spread over seeds, 1.2533 s/√n as for a normal
    distribution (Kenney and Keeping, Mathematics of Statistics, 1962); none for one seed. A
    model without seeds has its one row already, and gets none here.
    """
    groups: dict[tuple[str, str, str, str], list[float]] = defaultdict(list)
    for row in rows:
        if row.seed is not None:
            groups[row.model, row.composition, row.quantity, row.unit].append(row.value)
    found = []
    for (model, composition, quantity, unit), values in groups.items():
        n = len(values)
        stderr = 1.2533 * statistics.stdev(values) / n**0.5 if n > 1 else None
        middle = statistics.median(values)
        found.append(Row(model, None, composition, quantity, middle, stderr, unit))
    return found


def over_seeds(rows: Sequence[Row]) -> list[Row]:
    """The rows that stand for a model as a whole: medians, and models without seeds."""
    return [row for row in rows if row.seed is None]


def write_csv(path: Path, rows: Iterable[Row]) -> None:
    """Write rows with six significant digits."""
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(HEADER)
        for row in rows:
            seed = "" if row.seed is None else row.seed
            stderr = "" if row.stderr is None else f"{row.stderr:.6g}"
            value = (
                f"{row.value:.6g}" if not row.quantity.startswith("ion_") else f"{row.value:.9g}"
            )
            writer.writerow(
                [row.model, seed, row.composition, row.quantity, value, stderr, row.unit]
            )


def read_csv(path: Path) -> list[Row]:
    """The rows of a matrix.csv."""
    with path.open(encoding="utf-8", newline="") as lines:
        return [
            Row(
                data["model"],
                int(data["seed"]) if data["seed"] else None,
                data["composition"],
                data["quantity"],
                float(data["value"]),
                float(data["stderr"]) if data["stderr"] else None,
                data["unit"],
            )
            for data in csv.DictReader(lines)
        ]


def table(rows: Sequence[Row], quantity: str) -> tuple[list[str], list[str], list[list[float]]]:
    """Models, compositions and values (NaN where there is none) of a quantity, over seeds."""
    chosen = [row for row in over_seeds(rows) if row.quantity == quantity]
    models = sorted({row.model for row in chosen}, key=lambda m: (kind_of(m), m))
    compositions = sorted({row.composition for row in chosen}, key=composition_order)
    at = {(row.model, row.composition): row.value for row in chosen}
    values = [[at.get((m, c), float("nan")) for c in compositions] for m in models]
    return models, compositions, values


def errors_of(rows: Sequence[Row], quantity: str) -> dict[tuple[str, str], float]:
    """The standard error of each model and composition: over seeds; of one seed, over its frames."""
    found: dict[tuple[str, str], float] = {}
    for row in rows:
        if row.quantity != quantity or row.stderr is None:
            continue
        at = row.model, row.composition
        found[at] = row.stderr if row.seed is None else found.get(at, row.stderr)
    return found


def composition_order(composition: str) -> tuple[int, float, str]:
    """Mole fractions by value, then names by the alphabet."""
    try:
        return 0, float(composition), ""
    except ValueError:
        return 1, 0.0, composition


def is_trained(model: str, composition: str) -> bool:
    """Whether a model was trained on a composition, by its name."""
    return composition in set_of(model).split("+")


def kind_of(model: str) -> str:
    """One of KINDS; empty for a network."""
    kind, colon, _ = model.partition(":")
    return kind if colon and kind in KINDS else ""


def set_of(model: str) -> str:
    """What a model was trained on, by its name."""
    return model.removeprefix(f"{kind_of(model)}:")


def shown_name(model: str) -> str:
    """A model's name for people."""
    kind = kind_of(model)
    return f"{set_of(model)} ({kind})" if kind else model
