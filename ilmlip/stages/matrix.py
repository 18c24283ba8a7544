"""Stage `matrix`: the errors of every model on every composition, as a table and a heat map."""

from __future__ import annotations

import re
from pathlib import Path

from ilmlip.record import Record, field
from ilmlip.report.heatmap import draw
from ilmlip.report.matrix import Row, medians, over_seeds, write_csv
from ilmlip.stages.base import Inputs, Output, Resources, Stage

UNITS = {"energy": "meV/atom", "force": "meV/Å", "stress": "meV/Å³", "ion": "eV"}


class Entry(Record):
    """What one evaluation is of."""

    model: str = field("Training compositions, joined by +")
    kind: str = field("Architecture, or linear")
    seed: int | None = field("Seed of the training; none for the linear model")
    composition: str = field("Composition of the test set")

    @property
    def name(self) -> str:
        """The model's name in the table: "0.4+0.6", or "linear:0.4+0.6" without a network."""
        return f"linear:{self.model}" if self.kind == "linear" else self.model


class Params(Record):
    """The evaluations, and what the models were trained on."""

    entries: tuple[Entry, ...] = field("One for each input, in the inputs' order")
    trained: dict[str, tuple[str, ...]] = field("Training compositions of each model")


def rows_of(entries: tuple[Entry, ...], inputs: Inputs) -> list[Row]:
    """One row for each number of each evaluation that is there."""
    found: list[Row] = []
    places = inputs.places["evaluations"]
    for place, given in zip(places, inputs.all("evaluations"), strict=True):
        entry = entries[place]
        for quantity, value in given.values.items():
            if quantity == "ion_energies":
                errors = given.values.get("ion_energies_stderr", {})
                for ion, energy in value.items():
                    found.append(_row(entry, f"ion_energy_{ion}", energy, errors.get(ion)))
            elif re.fullmatch(r"(energy|force|stress)_(mae|rmse)(_[A-Z][a-z]?)?", quantity):
                stderr = given.values.get(f"{quantity}_stderr")
                found.append(_row(entry, quantity, value, stderr))
    return found


def _row(entry: Entry, quantity: str, value: float, stderr: float | None) -> Row:
    unit = UNITS[quantity.split("_", maxsplit=1)[0]]
    return Row(entry.name, entry.seed, entry.composition, quantity, value, stderr, unit)


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Gather role `evaluations`; writes matrix.csv (medians over seeds included) and matrix.png."""
    rows = rows_of(params.entries, inputs)
    middle = medians(rows)
    write_csv(work / "matrix.csv", [*rows, *middle])
    trained = {name: list(xs) for name, xs in params.trained.items()}
    draw(work / "matrix.png", [*over_seeds(rows), *middle], trained)
    return Output(("matrix.csv", "matrix.png"), {"rows": len(rows)}, notes={"trained": trained})


STAGE = Stage("matrix", 2, Params, run, Resources(memory_gb=0.5, seconds=3))
