"""Stage `matrix`: the errors of every model on every composition, as tables and figures."""

from __future__ import annotations

import re
from pathlib import Path

from ilmlip.record import Record, field
from ilmlip.report import error_lines, heatmap
from ilmlip.report.matrix import KINDS, Row, medians, over_seeds, write_csv
from ilmlip.report.matrix_page import page
from ilmlip.stages.base import Inputs, Output, Resources, Stage

FILES = ("matrix.csv", "matrix.md", "matrix.png", "errors.png")
UNITS = {"energy": "meV/atom", "force": "meV/Å", "stress": "meV/Å³", "ion": "eV"}


class Entry(Record):
    """What one evaluation is of."""

    model: str = field("Training compositions, joined by +; of a model from outside its name")
    kind: str = field("Architecture, linear, committee, or outside")
    seed: int | None = field("Seed of the training; none for the linear model")
    composition: str = field("Composition of the test set")

    @property
    def name(self) -> str:
        """The model's name in the table: "0.4+0.6", or "linear:0.4+0.6" without a network."""
        return f"{self.kind}:{self.model}" if self.kind in KINDS else self.model


class Params(Record):
    """The evaluations, and what the models were trained on."""

    entries: tuple[Entry, ...] = field("One for each input, in the inputs' order")
    trained: dict[str, tuple[str, ...]] = field("Training compositions of each model")
    salt: str = field("Salt whose mole fractions the compositions are; empty: names", default="")


QUANTITY = r"(energy|force|stress)_(mae|rmse)(_[A-Z][a-z]?)?|(energy|force)_spread"
"""What of an evaluation's values stands in the matrix."""


def rows_of(entries: tuple[Entry, ...], inputs: Inputs) -> list[Row]:
    """One row for each number of each evaluation that is there."""
    found: list[Row] = []
    for place, given in inputs.placed("evaluations"):
        entry = entries[place]
        for quantity, value in given.values.items():
            if quantity == "ion_energies":
                errors = given.values.get("ion_energies_stderr", {})
                for ion, energy in value.items():
                    found.append(_row(entry, f"ion_energy_{ion}", energy, errors.get(ion)))
            elif re.fullmatch(QUANTITY, quantity):
                stderr = given.values.get(f"{quantity}_stderr")
                found.append(_row(entry, quantity, value, stderr))
    return found


def _row(entry: Entry, quantity: str, value: float, stderr: float | None) -> Row:
    return Row(
        entry.name, entry.seed, entry.composition, quantity, value, stderr, unit_of(quantity)
    )


def unit_of(quantity: str) -> str:
    """The unit that a quantity is reported in."""
    return UNITS[quantity.split("_", maxsplit=1)[0]]


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Gather role `evaluations`; writes FILES: all rows with medians over seeds, tables, figures."""
    rows = rows_of(params.entries, inputs)
    middle = medians(rows)
    everything = [*rows, *middle]
    write_csv(work / FILES[0], everything)
    (work / FILES[1]).write_text(page(everything), encoding="utf-8")
    trained = {name: list(xs) for name, xs in params.trained.items()}
    heatmap.draw(work / FILES[2], [*over_seeds(rows), *middle], trained, params.salt)
    error_lines.draw(work / FILES[3], everything, params.salt)
    return Output(FILES, {"rows": len(rows)}, notes={"trained": trained})


STAGE = Stage("matrix", 4, Params, run, Resources(memory_gb=0.5, seconds=4))
