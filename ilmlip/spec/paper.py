"""What the paper found, as data: its tables, and what it states as tests over seeds.

Both stand in the section `analysis`. Numbers and thresholds are data with a source, never code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ilmlip.errors import SpecError
from ilmlip.record import Record, field
from ilmlip.spec.mixtures import Composition, composition_label, set_label

TrainingSet = Annotated[tuple[Composition, ...], Field(min_length=1)]
Words = Annotated[str, Field(min_length=1, max_length=500)]
Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]


class PaperTable(Record):
    """One table of numbers: a line a model."""

    table: str = field("Its name in the paper: Table S2")
    quantity: str = field(
        "Quantity of matrix.csv, such as energy_mae, ion_energy_Li; or difference_EMIM-Li"
    )
    unit: str = field("Unit of the numbers, which is that of matrix.csv")
    compositions: tuple[Composition, ...] = field(
        "What the columns are: test compositions; empty: one number, averaged over all of them",
        default=(),
    )
    models: dict[str, tuple[float | None, ...]] = field(
        "Numbers of each model, which is named as in matrix.csv: 0.4+0.6; null where there is none",
        min_length=1,
    )

    @model_validator(mode="after")
    def _lines_are_whole(self) -> Self:
        columns = len(self.compositions) or 1
        for model, numbers in self.models.items():
            if len(numbers) != columns:
                raise SpecError(
                    "analysis.paper",
                    f"{self.table}: {model} has {len(numbers)} numbers and not {columns}, one a column",
                )
            named = "+".join(_parts(model))
            if named != model:
                raise SpecError(
                    "analysis.paper",
                    f"{self.table}: {model!r} is no name of matrix.csv, where it is {named!r}",
                )
        return self


class Paper(Record):
    """Numbers to stand beside ours."""

    source: str = field("Where they come from")
    tables: tuple[PaperTable, ...] = field("The tables", default=())


class _Stated(Record):
    """What every stated test has."""

    name: Slug = field("Name of the test, once in a study")
    why: Words = field("What the paper says, and where the thresholds come from")

    def sets(self) -> tuple[TrainingSet, ...]:
        """The training sets that are compared."""
        alone = [getattr(self, name) for name in ("one", "reference") if hasattr(self, name)]
        return (*alone, *getattr(self, "near", ()), *getattr(self, "far", ()))

    def tested(self) -> tuple[Composition, ...]:
        """The test compositions that are looked at."""
        trained = self.sets()[0] if getattr(self, "to", "") == "trained" else ()
        return (*getattr(self, "at", ()), *trained)

    def species(self) -> tuple[str, ...]:
        """The species whose energies are looked at."""
        return tuple(getattr(self, "difference", ()))


class WorseAtEnds(_Stated):
    """A set's energy MAE far away is many times that of a reference set: medians over seeds."""

    test: Literal["worse_at_ends"] = field("This test")
    one: TrainingSet = field("The set with too few compositions")
    reference: TrainingSet = field("The set with enough")
    at: tuple[Composition, ...] = field("Compositions far from `one`", min_length=1)
    factor: float = field("Least ratio of the energy MAEs, at each of them", gt=0)


class Scattered(_Stated):
    """A set leaves an energy difference free, so that it scatters over seeds."""

    test: Literal["scattered"] = field("This test")
    one: TrainingSet = field("The set with too few compositions")
    reference: TrainingSet = field("The set with enough")
    difference: dict[str, int] = field(
        "Numbers of species: {EMIM: 1, Li: -1} is E(EMIM) − E(Li)", min_length=1
    )
    factor: float = field("Least ratio of the standard deviations over seeds", gt=0)


class Even(_Stated):
    """A set's energy (or force) MAEs stay close to each other over compositions: medians over seeds."""

    test: Literal["even"] = field("This test")
    one: TrainingSet = field("The set")
    at: tuple[Composition, ...] = field("The test compositions", min_length=1)
    to: Literal["smallest", "trained"] = field(
        "What the largest is held against: the smallest of them, or the largest of those trained on",
        default="smallest",
    )
    quantity: Literal["energy_mae", "force_mae"] = field("Which errors", default="energy_mae")
    factor: float = field("Greatest ratio", ge=1)


class ForcesWorse(_Stated):
    """A set's force MAE exceeds that of a reference set: medians over seeds."""

    test: Literal["forces_worse"] = field("This test")
    one: TrainingSet = field("The set with interactions missing")
    reference: TrainingSet = field("The set with all of them")
    at: tuple[Composition, ...] = field("The test compositions", min_length=1)
    factor: float = field("Least ratio of the force MAEs, at each of them", gt=0)


class Difference(_Stated):
    """Which sets learn an energy difference, held against the labels' own (a linear fit)."""

    test: Literal["difference"] = field("This test")
    difference: dict[str, int] = field(
        "Numbers of species: {EMIM: 1, Li: -1} is E(EMIM) − E(Li)", min_length=1
    )
    near: tuple[TrainingSet, ...] = field("Sets that learn it", default=())
    within: float = field(
        "Greatest distance of these, median over seeds", unit="eV", gt=0, default=1.0
    )
    far: tuple[TrainingSet, ...] = field("Sets that cannot", default=())
    apart: float = field("Least distance of those, median over seeds", unit="eV", gt=0, default=1.0)

    @model_validator(mode="after")
    def _looks_at_some(self) -> Self:
        if not self.near and not self.far:
            raise SpecError(
                "analysis.tests", f"{self.name} names no training set; give `near` or `far`"
            )
        return self


Stated = Annotated[
    WorseAtEnds | Scattered | Even | ForcesWorse | Difference, Field(discriminator="test")
]
"""One statement that numbers over seeds decide."""


At = float | str
"""What a point has at a swept field: a number, or the option of a group."""


class Trend(Record):
    """Along one swept field, the others equal, a number falls or rises: medians over seeds."""

    name: Slug = field("Name of the test, once in a study")
    why: Words = field("What the paper says, and where the threshold comes from")
    along: str = field("The field, one of the scan's")
    order: tuple[At, ...] = field(
        "The field's values in order, where they are options; empty: its numbers, ascending",
        default=(),
        later=True,
    )
    among: dict[str, At] = field("The other fields' values; those left out: any", default={})
    quantity: str = field("Quantity of matrix.csv, such as force_mae")
    goes: Literal["falls", "rises"] = field("From the first value of the field to the last")
    factor: float = field("Least ratio of the larger to the smaller end", ge=1, default=1.0)


class Scan(Record):
    """A table of a sweep: a line a point, and the trends that it shows."""

    source: str = field("Where the numbers come from")
    table: str = field("Its name in the paper")
    fields: tuple[str, ...] = field(
        "Swept fields that tell the points apart: numbers, or groups such as dataset", min_length=1
    )
    quantities: dict[str, str] = field("Columns: quantity of matrix.csv, and its unit")
    remarks: dict[str, str] = field(
        "What must be said wherever the paper's numbers of a quantity are shown",
        default={},
        later=True,
    )
    points: tuple[tuple[tuple[At, ...], tuple[float | None, ...]], ...] = field(
        "Of each point the fields' values, and the paper's numbers", default=()
    )
    trends: tuple[Trend, ...] = field("What the scan must show", default=())

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for index, (values, numbers) in enumerate(self.points):
            if (len(values), len(numbers)) != (len(self.fields), len(self.quantities)):
                raise SpecError(
                    f"analysis.scan.points.{index}",
                    f"has {len(values)} values of {len(self.fields)} fields and {len(numbers)} numbers "
                    f"of {len(self.quantities)} quantities",
                )
        for name in self.remarks:
            if name not in self.quantities:
                raise SpecError(
                    f"analysis.scan.remarks.{name}",
                    f"is no quantity; there are {', '.join(self.quantities)}",
                )
        for index, trend in enumerate(self.trends):
            for name in (trend.along, *trend.among):
                if name not in self.fields:
                    raise SpecError(
                        f"analysis.scan.trends.{index}",
                        f"{trend.name}: {name} is none of the scan's fields {', '.join(self.fields)}",
                    )
        return self


def check(
    tests: Sequence[_Stated],
    trained: Sequence[str],
    tested: Sequence[str],
    species: Mapping[str, int],
) -> None:
    """Whether a study has what its tests look at. Raises SpecError, naming the test."""
    names: set[str] = set()
    for index, one in enumerate(tests):
        where = f"analysis.tests.{index}"
        if one.name in names:
            raise SpecError(f"{where}.name", f"{one.name!r} is there twice; give each its own")
        names.add(one.name)
        found = [
            ("training set", [set_label(xs) for xs in one.sets()], trained),
            ("test composition", [composition_label(x) for x in one.tested()], tested),
            ("species", list(one.species()), list(species)),
        ]
        for what, wanted, there in found:
            for name in wanted:
                if name not in there:
                    raise SpecError(
                        where,
                        f"{one.name}: {name} is no {what} of this study; there are "
                        f"{', '.join(there)}. Name one of them, or leave the tests out (analysis=none)",
                    )


def _parts(model: str) -> list[str]:
    """The compositions of a model's name, in order and as they are written."""
    found: list[Composition] = []
    for part in model.split("+"):
        try:
            found.append(float(part))
        except ValueError:
            found.append(part)
    return set_label(found).split("+")
