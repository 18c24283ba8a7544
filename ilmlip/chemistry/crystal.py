"""A crystal with sites that elements share at random, and mobile ones: `system.crystal`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from itertools import combinations_with_replacement
from typing import Annotated, Self

from pydantic import Field, model_validator

from ilmlip.chemistry.elements import MASSES
from ilmlip.errors import SpecError
from ilmlip.record import Record, field

Element = Annotated[str, Field(pattern=r"^[A-Z][a-z]?$")]
Triple = tuple[float, float, float]
FORMULA = re.compile(r"([A-Z][a-z]?)(\d+(?:\.\d+)?)?")
WHOLE = 1e-6
"""How far from a whole number of atoms a formula times its units may be."""


class Site(Record):
    """A set of equivalent positions and who sits there."""

    at: Triple = field("Fractional coordinates of one of them, in the space group's first setting")
    number: int = field("How many there are in the cell", ge=1, le=192)
    elements: tuple[Element, ...] = field(
        "Its element; of several, which share their sites with each other at random", min_length=1
    )


class Crystal(Record):
    """A cubic cell of whole formula units: a framework, and one mobile cation in between."""

    space_group: int = field("Number of the space group, a cubic one", ge=195, le=230)
    edge: float = field("Edge of the cell", unit="Å", gt=0)
    edges: dict[str, Annotated[float, Field(gt=0)]] = field(
        "Edge of the cell by formula, where it is known for that composition",
        unit="Å",
        default={},
        later=True,
    )
    units: int = field("Formula units in the cell", ge=1, le=1000)
    sites: tuple[Site, ...] = field("Sites of the framework", min_length=1)
    mobile: Site = field("Sites of the mobile cation, of which some are taken")
    closest: float = field(
        "Mobile cations are at least this far from each other", unit="Å", gt=0, le=5
    )
    charges: dict[Element, int] = field(
        "Formal charge of each element's ion, which a cell's cancel"
    )
    source: str = field("Where edge and coordinates come from", min_length=1)

    @model_validator(mode="after")
    def _elements_are_known(self) -> Self:
        if len(self.mobile.elements) != 1:
            raise SpecError("system.crystal.mobile.elements", "name one element")
        for index, site in enumerate((*self.sites, self.mobile)):
            for element in site.elements:
                where = f"system.crystal.sites.{index}.elements"
                if element not in MASSES:
                    raise SpecError(where, f"{element} is no element; write a symbol such as Li")
                if element not in self.charges:
                    raise SpecError(
                        where,
                        f"{element} has no charge; add it to system.crystal.charges, which has "
                        f"{', '.join(self.charges)}",
                    )
        return self

    def of(self, formula: str) -> Crystal:
        """The crystal of one composition: with its own edge, where that is known."""
        return self.model_copy(update={"edge": self.edges.get(formula, self.edge), "edges": {}})

    def cells(self, units: int, *, where: str = "compositions.pairs") -> tuple[int, int, int]:
        """Repeats of the cell that hold so many formula units, as near to a cube as can be."""
        number, rest = divmod(units, self.units)
        if rest or not number:
            raise SpecError(
                where,
                f"{units} formula units are no whole number of cells of {self.units}; give a "
                f"multiple of {self.units}",
            )
        divisors = [n for n in range(1, number + 1) if number % n == 0]
        found = [
            (a, b, number // (a * b))
            for a, b in combinations_with_replacement(divisors, 2)
            if number % (a * b) == 0 and number // (a * b) >= b
        ]
        return min(found, key=lambda one: one[2] - one[0])

    def counts(self, formula: str, units: int, *, where: str = "composition") -> dict[str, int]:
        """Number of each element in a box of `units` formula units, by the alphabet.

        Raises SpecError for what is no formula, is not whole or neutral, or does not fit the sites.
        """
        repeats = math.prod(self.cells(units))
        found = {}
        for element, share in amounts(formula, where=where).items():
            if element not in self.charges:
                raise SpecError(where, f"{formula} holds {element}; the crystal's elements are "
                                f"{', '.join(self.charges)}")  # fmt: skip
            number = share * units
            if abs(number - round(number)) > WHOLE:
                raise SpecError(
                    where,
                    f"{formula} has {number:g} atoms of {element} in {units} formula units; give "
                    "compositions.pairs that makes it whole",
                )
            found[element] = round(number)
        charge = sum(n * self.charges[element] for element, n in found.items())
        if charge:
            terms = " ".join(f"{n} × {e}{self.charges[e]:+d}" for e, n in found.items())
            raise SpecError(
                where,
                f"{formula} carries {charge / units:+g} e a formula unit ({terms}); add or remove "
                f"{self.mobile.elements[0]}, whose charge is "
                f"{self.charges[self.mobile.elements[0]]:+d}",
            )
        self._check_sites(formula, found, repeats, where)
        return {element: found[element] for element in sorted(found) if found[element]}

    def _check_sites(
        self, formula: str, counts: Mapping[str, int], repeats: int, where: str
    ) -> None:
        left = dict(counts)
        left.pop(self.mobile.elements[0], None)
        room: dict[tuple[str, ...], int] = {}
        for site in self.sites:
            if len(site.elements) == 1:
                left[site.elements[0]] = left.get(site.elements[0], 0) - site.number * repeats
            else:
                room[site.elements] = room.get(site.elements, 0) + site.number * repeats
        for shared, number in room.items():
            own = sum(max(0, left.get(element, 0)) for element in shared)
            if own == number and all(left.get(element, 0) >= 0 for element in shared):
                left |= dict.fromkeys(shared, 0)
        wrong = {element: number for element, number in left.items() if number}
        if wrong:
            said = ", ".join(
                f"{abs(n)} {'too many' if n > 0 else 'too few'} {e}" for e, n in wrong.items()
            )
            raise SpecError(
                where,
                f"{formula} does not fill the framework's sites: {said} in the box; only "
                f"{self.mobile.elements[0]} may vary freely, and elements that share sites sum up",
            )

    def volume(self, units: int) -> float:
        """Volume (Å³) of a box of so many formula units."""
        return math.prod(self.cells(units)) * self.edge**3


def amounts(formula: str, *, where: str = "composition") -> dict[str, float]:
    """How much of each element a formula such as Li5.5PS4.5Cl1.5 holds."""
    parts = FORMULA.findall(formula)
    if not parts or "".join(e + n for e, n in parts) != formula:
        raise SpecError(where, f"{formula!r} is no formula; write such as Li5.5PS4.5Cl1.5")
    found: dict[str, float] = {}
    for element, number in parts:
        found[element] = found.get(element, 0.0) + float(number or 1)
    return found
