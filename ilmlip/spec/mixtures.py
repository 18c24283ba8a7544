"""What a box of a composition holds: formula units of each salt, ions, volume and density.

A composition is the mole fraction of the second of two salts (0.4), the name of a salt (that salt
alone), or the name of a mixture, which gives each salt's mole fraction. Of a crystal it is a formula.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ilmlip.chemistry.compositions import (
    fraction_label,
    ideal_volume,
    ions_of,
    whole_units,
)
from ilmlip.chemistry.elements import MASSES
from ilmlip.errors import SpecError
from ilmlip.record import Record, field
from ilmlip.spec.system import System
from ilmlip.units import AMU_PER_A3

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
CompositionName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,39}$")]
Composition = Fraction | CompositionName
"""A mole fraction, or a name."""


def composition_label(composition: Composition) -> str:
    """A composition as people write it: 0.4, or its name."""
    return composition if isinstance(composition, str) else fraction_label(composition)


def places_label(compositions: Sequence[Composition]) -> str:
    """Where models are tested, as people write it: "x = 0.0, 0.2", or names."""
    fractions = all(not isinstance(x, str) for x in compositions)
    return ("x = " if fractions else "") + ", ".join(map(composition_label, compositions))


def set_label(compositions: Sequence[Composition]) -> str:
    """A training set as people write it: mole fractions ascending, then names, joined by "+"."""
    return "+".join(composition_label(x) for x in sorted(compositions, key=order))


def order(composition: Composition) -> tuple[int, float, str]:
    """What compositions are sorted by: fractions by value, then names by the alphabet."""
    if isinstance(composition, str):
        return 1, 0.0, composition
    return 0, composition, ""


class Compositions(Record):
    """Which mixtures of salts there are, and which of them models are trained on.

    A composition is a mole fraction (of the second of two salts), a salt's name (that salt alone)
    or the name of a mixture.
    """

    salts: tuple[str, ...] = field(
        "The salts; of two of them, a mole fraction is that of the second; none of a crystal"
    )
    pairs: int = field("Formula units of salt, or of the crystal, in a box", ge=1, le=100_000)
    mixtures: dict[CompositionName, dict[str, Fraction]] = field(
        "Named mixtures: the mole fraction of each salt; they sum to 1", default={}, later=True
    )
    fractions: tuple[Composition, ...] = field(
        "Compositions that models are tested on: mole fractions, or names", min_length=1
    )
    training: tuple[tuple[Composition, ...], ...] = field(
        "Training sets: one model (a seed) for each list of compositions", min_length=1
    )
    test_structure: Literal["independent", "none"] = field(
        "independent: each composition has a second structure, sampled and labelled to test on; "
        "none: the last frames of each training trajectory (dataset.validation_fraction of them) "
        "are held out, to validate and to test on",
        default="independent",
        later=True,
    )

    @model_validator(mode="after")
    def _mixtures_are_whole(self) -> Self:
        for name, shares in self.mixtures.items():
            where = f"compositions.mixtures.{name}"
            if name in self.salts:
                raise SpecError(where, "is the name of a salt; give the mixture another one")
            unknown = [salt for salt in shares if salt not in self.salts]
            if unknown:
                raise SpecError(
                    where, f"unknown salt {unknown[0]!r}; there are {', '.join(self.salts)}"
                )
            total = sum(shares.values())
            if abs(total - 1) > 1e-6:
                raise SpecError(where, f"the mole fractions sum to {total:g}; make it 1")
        return self

    @property
    def second_salt(self) -> str:
        """The salt that mole fractions are of, the second of two; empty if there are not two."""
        return self.salts[1] if len(self.salts) == 2 else ""

    def check_tests(self, engine: str, test: str, *, committee_splits: bool) -> None:
        """Raise SpecError for what does not go with tests on held-out frames of the training structure.

        engine, test, committee_splits: dft.engine, dataset.test, model.committee_splits.
        """
        if self.test_structure == "independent":
            return
        if engine == "files":
            raise SpecError(
                "compositions.test_structure",
                "is none, and imported labels have no structures; leave it out "
                "(dft.files.test_fraction says which frames are tested on)",
            )
        if test != "independent":
            raise SpecError(
                "dataset.test",
                f"is {test}, and compositions.test_structure=none says already that the training "
                "structure's last frames are tested on; leave one of them out",
            )
        if committee_splits:
            raise SpecError(
                "model.committee_splits",
                "gives each member frames of its own to validate on, and with "
                "compositions.test_structure=none these are the test set, one for all; set it to false",
            )

    def everything(self) -> tuple[Composition, ...]:
        """Every composition that is trained or tested on: fractions ascending, then names."""
        return tuple(sorted({*self.fractions, *(x for xs in self.training for x in xs)}, key=order))


def mole_fractions(
    mix: Compositions, composition: Composition, *, where: str = "composition"
) -> dict[str, float]:
    """Mole fraction of each salt. Raises SpecError for a name that stands for nothing."""
    if isinstance(composition, str):
        if composition in mix.mixtures:
            return dict(mix.mixtures[composition])
        if composition in mix.salts:
            return {composition: 1.0}
        names = ", ".join([*mix.mixtures, *mix.salts])
        raise SpecError(where, f"unknown composition {composition!r}; there are {names}, or define "
                        "it in compositions.mixtures")  # fmt: skip
    if len(mix.salts) != 2:
        raise SpecError(
            where,
            f"the mole fraction {composition:g} is of the second of two salts, and there are "
            f"{len(mix.salts)}; name a salt or a mixture (compositions.mixtures)",
        )
    first, second = mix.salts
    return {first: 1.0 - composition, second: composition}


def formula_units(
    mix: Compositions, composition: Composition, *, where: str = "composition"
) -> dict[str, int]:
    """Formula units of each salt in a box. Raises SpecError if they are not whole numbers."""
    shares = mole_fractions(mix, composition, where=where)
    if isinstance(composition, str):
        return whole_units(shares, mix.pairs, composition, where=where)
    first, second = mix.salts
    number = whole_units({second: composition}, mix.pairs, "", where=where)[second]
    return {first: mix.pairs - number, second: number}


def ion_counts(
    system: System, mix: Compositions, composition: Composition, *, where: str = "composition"
) -> dict[str, int]:
    """Number of each ion in a box, by name; ions that it does not hold are left out.

    Of a crystal: of each element. Raises SpecError for a composition that cannot be made.
    """
    if system.crystal is not None:
        return system.crystal.counts(composition_label(composition), mix.pairs, where=where)
    formulas = {name: salt.ions for name, salt in system.salts.items()}
    return ions_of(formulas, formula_units(mix, composition, where=where))


def box_volume(system: System, mix: Compositions, composition: Composition) -> float:
    """Volume (Å³) of a box: salts keep their molar volumes, a crystal its cell."""
    if system.crystal is not None:
        return system.crystal.of(composition_label(composition)).volume(mix.pairs)
    units = formula_units(mix, composition)
    return ideal_volume([system.salts[name].molar_volume for name in units], list(units.values()))


def box_density(system: System, mix: Compositions, composition: Composition) -> float:
    """Density (g/cm³) of a box whose salts keep their molar volumes; of a crystal, of its cell."""
    counts = ion_counts(system, mix, composition)
    crystal = system.crystal is not None
    mass = sum(
        (MASSES[species] if crystal else system.ions[species].mass()) * number
        for species, number in counts.items()
    )
    return AMU_PER_A3 * mass / box_volume(system, mix, composition)
