"""The matrix as Markdown tables: models × compositions, with standard errors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ilmlip.report.dataset import markdown
from ilmlip.report.heatmap import three_digits
from ilmlip.report.matrix import Row, errors_of, is_trained, over_seeds, shown_name, table

TITLES = {"energy": "Energy", "force": "Force", "stress": "Stress"}
STATISTICS = {"mae": "MAE", "rmse": "RMSE", "spread": "spread over the committee"}


def page(rows: Sequence[Row]) -> str:
    """Every error of the matrix: medians over seeds ± their standard error, trained ones in bold."""
    units = {row.quantity: row.unit for row in rows}
    middle = over_seeds(rows)
    parts = [
        "# Errors\n\nMedians over seeds ± their standard error; that over frames where there is one "
        "seed. **Bold**: trained on.\n"
    ]
    for quantity in sorted(units, key=_order):
        if quantity.startswith("ion_energy"):
            continue
        models, compositions, values = table(middle, quantity)
        errors = errors_of(rows, quantity)
        body = [
            [
                shown_name(m),
                *(_cell(m, c, v, errors) for c, v in zip(compositions, line, strict=True)),
            ]
            for m, line in zip(models, values, strict=True)
        ]
        parts.append(f"## {title(quantity)}, {units[quantity]}\n")
        parts.append(markdown(("trained on", *compositions), body))
    return "\n".join(parts)


def title(quantity: str) -> str:
    """What a quantity is called: force_mae_Li is "Force MAE of Li"."""
    what, statistic, *element = quantity.split("_")
    return f"{TITLES[what]} {STATISTICS[statistic]}" + (f" of {element[0]}" if element else "")


def _order(quantity: str) -> tuple[int, int, str]:
    """Energy, force, stress; of all elements first; MAE before RMSE."""
    what, statistic, *element = f"{quantity}_".split("_")[:3]
    return (
        list(TITLES).index(what) if what in TITLES else len(TITLES),
        bool(element and element[0]) * len(STATISTICS) + list(STATISTICS).index(statistic)
        if statistic in STATISTICS
        else 0,
        "".join(element),
    )


def _cell(
    model: str, composition: str, value: float, errors: Mapping[tuple[str, str], float]
) -> str:
    if not math.isfinite(value):
        return "–"
    error = errors.get((model, composition))
    shown = three_digits(value) + ("" if error is None else f" ± {three_digits(error)}")
    return f"**{shown}**" if is_trained(model, composition) else shown
