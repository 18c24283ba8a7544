"""Writes an ion's data file, coordinates and all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ilmlip.chemistry.ion import Ion
from ilmlip.errors import SpecError

UNITS = (
    "# Units: Å, degrees, e, kJ/mol; bonds and angles ½ k (x - x0)², dihedrals by V1..V4 (OPLS)."
)
BONDS_A_LINE = 6


def write_ion(ion: Ion, path: Path) -> None:
    """Write a file that `load_ion` reads as the same ion. Raises SpecError if there is one."""
    text = ion_text(ion)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise SpecError(str(path), "exists; give another name, or remove it first") from None
    except OSError as error:
        raise SpecError(str(path), f"cannot be written: {error.strerror}") from None


def ion_text(ion: Ion) -> str:
    """The file's text: a row a line, sections that are empty left out."""
    lines = [UNITS]
    head = {"name": ion.name, "charge": ion.charge, "source": ion.source}
    lines += yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=95).splitlines()
    lines += ["atoms:", *_rows(ion.atoms)]
    if ion.bonds:
        pairs = [_flow(bond) for bond in ion.bonds]
        groups = [pairs[i : i + BONDS_A_LINE] for i in range(0, len(pairs), BONDS_A_LINE)]
        lines += ["bonds:", "  [" + ",\n   ".join(", ".join(group) for group in groups) + "]"]
    if ion.no_angle:
        lines += ["no_angle:", *_rows(ion.no_angle)]
    lines += _mapping("lj", ion.lj)
    for section in ("bond_types", "angle_types", "dihedral_types"):
        lines += _mapping(section, getattr(ion, section))
    if ion.impropers:
        lines += ["impropers:", *_rows(ion.impropers)]
    return "\n".join(lines) + "\n"


def _rows(rows: Iterable[Sequence[Any]]) -> list[str]:
    return [f"  - {_flow(row)}" for row in rows]


def _mapping(section: str, values: Mapping[str, Sequence[float]]) -> list[str]:
    if not values:
        return []
    return [f"{section}:", *(f"  {_plain(key)}: {_flow(row)}" for key, row in values.items())]


def _flow(row: Sequence[Any]) -> str:
    """One row on one line, in YAML's own notation."""
    return "[" + ", ".join(_plain(value) for value in row) + "]"


def _plain(value: Any) -> str:
    """A text or a number as YAML writes it (a type called No or 1 gets its quotes)."""
    text = yaml.safe_dump(value, allow_unicode=True, width=1000, default_flow_style=True)
    return text.removesuffix("...\n").strip()
