"""The ions and the salts made of them, or a crystal: what the spec's section `system` holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import Field, model_validator

from ilmlip.chemistry.crystal import Crystal
from ilmlip.chemistry.ion import Ion
from ilmlip.errors import SpecError
from ilmlip.record import Record, field

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,79}$")]


class Measured(Record):
    """A measured density of a liquid."""

    temperature: float = field("Temperature", unit="K", gt=0, le=1e5)
    pressure: float = field("Pressure", unit="bar", ge=0, le=1e7)
    density: float = field("Density", unit="g/cm³", gt=0, le=100)
    error: float = field("Stated uncertainty", unit="g/cm³", ge=0, default=0.0)


class Salt(Record):
    """One salt: how many of which ions make a formula unit, and how much room it takes."""

    ions: dict[str, Annotated[int, Field(ge=1)]] = field("Number of each ion in a formula unit")
    molar_volume: float = field(
        "Volume of a formula unit in the liquid", unit="cm³/mol", ge=1, le=1e6
    )
    molar_volume_source: str = field("Where the molar volume comes from", min_length=1)
    measured: tuple[Measured, ...] = field(
        "Densities of the pure liquid by experiment, which those of runs stand beside",
        default=(),
        max_length=10000,
        later=True,
    )
    measured_source: str = field("Where they come from", default="", later=True)

    @model_validator(mode="after")
    def _has_a_source(self) -> Self:
        if self.measured and not self.measured_source:
            raise SpecError("system.salts", "measured densities need a measured_source")
        return self


class System(Record):
    """The ions, the salts made of them, and the force field's charge scaling; or a crystal."""

    name: Name = field("Name of the system")
    ions: dict[str, Ion] = field(
        "Data of each ion: a name in conf/ion, the path of a file beside the spec, or in full",
        default={},
    )
    salts: dict[str, Salt] = field("The salts, each by name", default={})
    charge_scale: float = field(
        "Factor on all charges, standing for the electronic polarisability; no crystal has one",
        gt=0,
        le=1,
        default=1.0,
    )
    charge_scale_source: str = field("Where the factor comes from", default="")
    crystal: Crystal | None = field(
        "A crystal instead of ions and salts; its compositions are formulas",
        default=None,
        later=True,
    )

    @model_validator(mode="after")
    def _is_salts_or_crystal(self) -> Self:
        if self.crystal is None:
            for name in ("ions", "salts", "charge_scale"):
                if name not in self.model_fields_set:
                    raise SpecError(f"system.{name}", "is missing; a system of salts needs it")
        elif self.ions or self.salts:
            raise SpecError(
                "system.crystal", "stands beside ions or salts; give either them or a crystal"
            )
        return self

    def charges(self) -> dict[str, int]:
        """The charge of each ion; in a crystal that of each element."""
        if self.crystal is not None:
            return dict(self.crystal.charges)
        return {name: ion.charge for name, ion in self.ions.items()}

    def elements_of(self, species: Iterable[str]) -> tuple[str, ...]:
        """The elements of some ions, by the alphabet; a crystal's species are elements."""
        if self.crystal is not None:
            return tuple(sorted(set(species)))
        return tuple(sorted({a.element for name in species for a in self.ions[name].atoms}))

    @model_validator(mode="after")
    def _salts_are_neutral(self) -> Self:
        for name, salt in self.salts.items():
            for ion in salt.ions:
                if ion not in self.ions:
                    raise SpecError(
                        f"system.salts.{name}.ions",
                        f"unknown ion {ion!r}; the system's ions are {', '.join(self.ions)}",
                    )
            total = sum(n * self.ions[ion].charge for ion, n in salt.ions.items())
            if total != 0:
                terms = " + ".join(
                    f"{n} × {self.ions[i].charge:+d} ({i})" for i, n in salt.ions.items()
                )
                raise SpecError(
                    f"system.salts.{name}.ions",
                    f"the charges do not cancel: {terms} = {total:+d} e; change the numbers of ions",
                )
        return self
