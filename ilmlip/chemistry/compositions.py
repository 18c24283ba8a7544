"""Mixtures of salts in a box: whole formula units, ion counts, labels and volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ilmlip.errors import SpecError
from ilmlip.units import CM3_PER_MOL

WHOLE = 1e-6
"""How far from a whole number of formula units a mole fraction may be."""


def whole_units(
    fractions: Mapping[str, float], pairs: int, name: str, *, where: str = "composition"
) -> dict[str, int]:
    """Formula units of each salt in a box of `pairs`, by their mole fractions.

    `name` of the mixture is for messages; without one, the only fraction is that of the second of
    two salts. Raises SpecError for a fraction outside 0–1 or one that this number of formula units
    cannot make.
    """
    found: dict[str, int] = {}
    for salt, fraction in fractions.items():
        if not 0.0 <= fraction <= 1.0:
            raise SpecError(where, f"mole fraction {fraction:g} is outside 0–1")
        number = fraction * pairs
        if abs(number - round(number)) > WHOLE:
            valid = [fraction_label(i / pairs) for i in range(pairs + 1)]
            shown = ", ".join(valid if len(valid) <= 12 else [*valid[:4], "…", *valid[-2:]])
            of = f" of {salt} in {name}" if name else ""
            raise SpecError(
                where,
                f"mole fraction {fraction_label(fraction)}{of} of {pairs} ion pairs is {number:g} "
                f"pairs; {pairs} pairs can make {shown}. Change the fraction, or compositions.pairs",
            )
        found[salt] = round(number)
    return found


def ions_of(formulas: Mapping[str, Mapping[str, int]], units: Mapping[str, int]) -> dict[str, int]:
    """Number of each ion in `units` formula units of each salt, by name.

    Ions that there are none of are left out.
    """
    counts: dict[str, int] = {}
    for salt, number in units.items():
        for ion, per_unit in formulas[salt].items():
            counts[ion] = counts.get(ion, 0) + per_unit * number
    return {ion: counts[ion] for ion in sorted(counts) if counts[ion]}


def fraction_label(fraction: float) -> str:
    """A mole fraction as people write it, with at least one decimal: 0.4, 1.0, 0.25."""
    text = f"{fraction:.6f}".rstrip("0")
    return f"{text}0" if text.endswith(".") else text


def ideal_volume(molar_volumes: Sequence[float], numbers: Sequence[float]) -> float:
    """Volume (Å³) of a box whose salts keep their molar volumes (cm³/mol): an ideal mixture.

    `numbers`: formula units of each salt in the box.
    """
    return sum(v * n for v, n in zip(molar_volumes, numbers, strict=True)) * CM3_PER_MOL
