"""Units of imported labels: what each is worth, and the spellings that are understood."""

from __future__ import annotations

from typing import Any

from ilmlip.units import BAR, BOHR, HARTREE, KCAL_PER_MOL, KJ_PER_MOL, RYDBERG

ENERGY = {"eV": 1.0, "meV": 1e-3, "Hartree": HARTREE, "Ry": RYDBERG, "kcal/mol": KCAL_PER_MOL,
          "kJ/mol": KJ_PER_MOL}  # fmt: skip
"""eV in each unit of energy."""
LENGTH = {"Å": 1.0, "Bohr": BOHR, "nm": 10.0}
"""Å in each unit of length."""
FORCE = {f"{e}/{x}": ENERGY[e] / LENGTH[x] for e in ENERGY for x in LENGTH}
"""eV/Å in each unit of force."""
STRESS = {**{f"{e}/{x}³": ENERGY[e] / LENGTH[x] ** 3 for e in ENERGY for x in LENGTH},
          "GPa": 1e4 * BAR, "MPa": 10 * BAR, "kbar": 1e3 * BAR, "bar": BAR,
          "atm": 1.01325 * BAR}  # fmt: skip
"""eV/Å³ in each unit of stress."""
SPELLINGS = {
    "electronvolt": "eV", "ha": "Hartree", "eh": "Hartree", "hartrees": "Hartree", "au": "Hartree",
    "a.u.": "Hartree", "rydberg": "Ry", "ryd": "Ry", "kcalmol": "kcal/mol", "kjmol": "kJ/mol",
    "kcal/mole": "kcal/mol", "kj/mole": "kJ/mol",
    "a": "Å", "å": "Å", "ang": "Å", "angstrom": "Å", "angstroms": "Å", "ångström": "Å",
    "ångstrom": "Å", "a0": "Bohr", "bohrs": "Bohr", "nanometer": "nm", "kilobar": "kbar", "kb": "kbar",
}  # fmt: skip
"""Other names of units, in lower case."""
_PARTS = {name.lower(): name for name in (*ENERGY, *LENGTH, *STRESS)} | SPELLINGS


def energy(unit: str) -> float:
    """eV in a unit of energy."""
    return ENERGY[unit]


def length(unit: str) -> float:
    """Å in a unit of length."""
    return LENGTH[unit]


def force(unit: str) -> float:
    """eV/Å in a unit of force."""
    return FORCE[unit]


def stress(unit: str) -> float:
    """eV/Å³ in a unit of stress."""
    return STRESS[unit]


def spelled(value: Any) -> Any:
    """A unit by the name that it has here: `Ha/Bohr`, `eV/A^3` and `ev/ang**3` are understood.

    What is not known is given back as it is, for the validation to refuse.
    """
    if not isinstance(value, str):
        return value
    text = " ".join(value.split()).replace("**", "^").replace("^3", "³").replace("A3", "Å³")
    text = text.replace(" / ", "/").replace("/ ", "/").replace(" /", "/")
    head, slash, tail = text.rpartition("/")
    whole = _one(text)
    if whole is not None or not slash:
        return whole or value
    cubed = "³" if tail.endswith("³") else ""
    above, below = _one(head), _one(tail.removesuffix("³"))
    return f"{above}/{below}{cubed}" if above in ENERGY and below in LENGTH else value


def _one(text: str) -> str | None:
    return _PARTS.get(text.strip(" ()").lower())
