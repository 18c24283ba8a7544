"""Which values of an option have no effect, since files state others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ilmlip.spec.defaults import leaves
from ilmlip.spec.shipped import options, package
from ilmlip.spec.study import Overruled, shown_value
from ilmlip.spec.yaml_file import read_yaml


def overruled(
    group: str, file: Path, composed: Mapping[str, Any], stated: Mapping[str, Any], typed: bool
) -> Overruled | None:
    """The fields of an option that files state differently, for `scale` and typed options.

    `composed` are the values of all options together, `stated` those of the files. Without such a
    field, or where the option of another group sets anything else, None.
    """
    fields = []
    effective = False
    for place in option_paths(group, file):
        stands, depth = _lookup(stated, place)
        if not depth:
            effective = True
        elif (value := _lookup(composed, place)[0]) != stands:
            fields.append((".".join(place[:depth]), shown_value(stands), shown_value(value)))
    idle = typed and not effective
    if not fields or not (idle or group == "scale"):
        return None
    return Overruled(f"{group}={file.stem}", tuple(fields), idle)


def _lookup(data: Any, place: tuple[str, ...]) -> tuple[Any, int]:
    """The value at a place or, where it ends there, above it, and how deep that is; 0 if none is."""
    for depth, step in enumerate(place):
        if not isinstance(data, Mapping):
            return data, depth
        if step not in data:
            return None, 0
        data = data[step]
    return data, len(place)


def option_paths(group: str, file: Path) -> dict[tuple[str, ...], None]:
    """The path of every value that an option sets, with the options that it starts from."""
    content = read_yaml(file)
    found: dict[tuple[str, ...], None] = {}
    for entry in content.pop("defaults", []):
        if entry != "_self_":
            found |= option_paths(group, options(group, file.parents[1])[entry])
    into = package(group, file)
    return found | dict.fromkeys((*into, *path) for path, _ in leaves(content))
