"""Compositions of a box: ion counts of a mixture of two salts, their labels and their density."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ilmlip.errors import SpecError
from ilmlip.units import AMU_PER_A3, CM3_PER_MOL

WHOLE = 1e-6
"""How far from a whole number of formula units a mole fraction may be."""


def counts_of(
    units: Mapping[str, Mapping[str, int]],
    salts: tuple[str, str],
    pairs: int,
    fraction: float,
    *,
    where: str = "composition",
) -> dict[str, int]:
    """Number of each ion in a box of `pairs` formula units, `fraction` of them of the second salt.

    `units` holds the ions of a formula unit of each salt. Ions that the box does not hold are
    left out; the order is that of the names. Raises SpecError for a fraction outside 0–1 or one
    that this number of formula units cannot make.
    """
    if not 0.0 <= fraction <= 1.0:
        raise SpecError(where, f"mole fraction {fraction:g} is outside 0–1")
    second = fraction * pairs
    if abs(second - round(second)) > WHOLE:
        valid = [fraction_label(i / pairs) for i in range(pairs + 1)]
        shown = ", ".join(valid if len(valid) <= 12 else [*valid[:4], "…", *valid[-2:]])
        raise SpecError(
            where,
            f"mole fraction {fraction_label(fraction)} of {pairs} ion pairs is {second:g} pairs; "
            f"{pairs} pairs can make {shown}. Change the fraction, or compositions.pairs",
        )
    numbers = {salts[0]: pairs - round(second), salts[1]: round(second)}
    counts: dict[str, int] = {}
    for salt, number in numbers.items():
        for ion, per_unit in units[salt].items():
            counts[ion] = counts.get(ion, 0) + per_unit * number
    return {ion: counts[ion] for ion in sorted(counts) if counts[ion]}


def fraction_label(fraction: float) -> str:
    """A mole fraction as people write it, with at least one decimal: 0.4, 1.0, 0.25."""
    text = f"{fraction:.6f}".rstrip("0")
    return f"{text}0" if text.endswith(".") else text


def set_label(fractions: Sequence[float]) -> str:
    """A training set as people write it: ascending, joined by "+", such as 0.4+0.6."""
    return "+".join(fraction_label(x) for x in sorted(fractions))


def ideal_volume(molar_volumes: Sequence[float], numbers: Sequence[float]) -> float:
    """Volume (Å³) of a box whose salts keep their molar volumes (cm³/mol): an ideal mixture.

    `numbers`: formula units of each salt in the box.
    """
    return sum(v * n for v, n in zip(molar_volumes, numbers, strict=True)) * CM3_PER_MOL


def box_edge(molar_volumes: Sequence[float], numbers: Sequence[float]) -> float:
    """Edge (Å) of the cubic box of an ideal mixture."""
    return float(ideal_volume(molar_volumes, numbers) ** (1 / 3))


def ideal_density(
    masses: Mapping[str, float],
    counts: Mapping[str, int],
    molar_volumes: Sequence[float],
    numbers: Sequence[float],
) -> float:
    """Density (g/cm³) of a box whose salts keep their molar volumes (an ideal mixture).

    `masses`: mass of each ion, u; `counts`: ions in the box; `molar_volumes`: cm³/mol of each
    salt; `numbers`: formula units of each salt in the box.
    """
    mass = sum(masses[ion] * number for ion, number in counts.items())
    volume = ideal_volume(molar_volumes, numbers)
    return AMU_PER_A3 * mass / volume
