"""Where in a user's files a field stands, and validation errors in a user's words."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from ilmlip.errors import SpecError
from ilmlip.spec.yaml_file import loader, shown

SHOWN = 60
"""Longest value that an error message repeats."""


TAGS = {
    "Minimise", "Npt", "worse_at_ends", "scattered", "even", "forces_worse", "difference",
}  # fmt: skip
"""Names that pydantic gives to the members of unions, in the location of a problem."""


@dataclass(frozen=True)
class Sources:
    """Where a composed config came from: files, the first one first, and command-line overrides."""

    files: tuple[tuple[Path, tuple[str, ...]], ...]
    """Each file with the path of the section that it fills: () or ("model",)."""
    overrides: Mapping[str, str]
    """What set a key instead of a file, by the key: "command line: model.r_max=6"."""
    options: Mapping[str, str] = field(default_factory=dict)
    """What chose a group's option instead of a file; what files state wins over it."""

    def place(self, path: tuple[str, ...]) -> str:
        """`FILE:LINE: a.b.c` of a field, or the word of the command line that set it."""
        dotted = ".".join(path)
        typed = self._override(dotted)
        if typed:
            return typed
        deepest: tuple[int, str, bool] = (0, "", False)
        for file, prefix in self.files:
            if path[: len(prefix)] != prefix:
                continue
            depth, line = _line(file, path[len(prefix) :])
            if depth and len(prefix) + depth > deepest[0]:
                deepest = (len(prefix) + depth, f"{shown(file)}:{line}: ", not prefix)
        depth, where, stated = deepest
        if depth < len(path):  # a missing field: what set another one of its section needs it
            parent = f"{dotted.rpartition('.')[0]}."
            beside = [text for key, text in self.overrides.items() if key.startswith(parent)]
            if beside and len(path) > 2:
                return f"{beside[-1]}: {dotted}"
        option = self.options.get(path[0], "")
        if option and not (stated and depth == len(path)):
            return f"{option}: {dotted}"
        return f"{where}{dotted}"

    def is_typed(self, path: tuple[str, ...]) -> bool:
        """Whether the user set a field on the command line, or chose an option there that sets it."""
        return self.place(path).startswith("command line")

    def _override(self, dotted: str) -> str:
        """What set a field instead of a file, the last one; empty if nothing did."""
        for key, text in reversed(list(self.overrides.items())):
            if dotted == key or dotted.startswith(f"{key}."):
                return text
        return ""


@lru_cache(maxsize=64)
def _composed(file: Path, _modified: int) -> Any:
    """The nodes of a file, which know their lines."""
    return yaml.compose(file.read_text(encoding="utf-8"), Loader=loader())


def _line(file: Path, path: tuple[str, ...]) -> tuple[int, int]:
    """How many steps of a path a YAML file holds, and the line of the last one (from 1)."""
    try:
        node = _composed(file, file.stat().st_mtime_ns)
    except (OSError, ValueError, yaml.YAMLError):
        return 0, 0
    depth, line = 0, 0
    for step in path:
        found = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == step:
                    found, line = value, key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and step.isdigit() and int(step) < len(node.value):
            found = node.value[int(step)]
            line = found.start_mark.line + 1
        if found is None:
            break
        node, depth = found, depth + 1
    return depth, line


def explain(error: ValidationError, model: type[BaseModel], sources: Sources) -> SpecError:
    """One message for a failed validation: the first wrong place, and how many more there are."""
    problems = error.errors(include_url=False)
    # an unknown key often causes a missing one: name it first
    problems.sort(key=lambda p: p["type"] != "extra_forbidden")
    first = problems[0]
    steps = first["loc"]
    path = tuple(
        str(step)
        for before, step in zip((None, *steps), steps, strict=False)
        if not _is_tag(before, step)
    )
    message = _message(first, tuple(map(str, steps)), model)
    more = len(problems) - 1
    if more:
        message += f" (and {more} more wrong field{'s' if more > 1 else ''})"
    return SpecError(sources.place(path), message)


def _is_tag(before: int | str | None, step: int | str) -> bool:
    """Whether a step of a location is the name that pydantic gives to a member of a union."""
    return isinstance(before, int) and isinstance(step, str) and step in TAGS


def _message(problem: Any, path: tuple[str, ...], model: type[BaseModel]) -> str:
    found = repr(problem["input"])
    found = found if len(found) <= SHOWN else found[: SHOWN - 1] + "…"
    if problem["type"] == "extra_forbidden":
        valid = list(_fields(model, path[:-1]))
        close = difflib.get_close_matches(path[-1], valid, 1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        return f"unknown key {path[-1]!r}; {hint}valid keys: {', '.join(valid)}"
    described = _describe(model, path)
    if problem["type"] == "missing":
        return f"is missing{described}"
    text = problem["msg"].removeprefix("Value error, ")
    return f"found {found}; {text[:1].lower()}{text[1:]}{described}"


def _describe(model: type[BaseModel], path: tuple[str, ...]) -> str:
    """` (description, in unit)` of the field at a path, or nothing."""
    for end in range(len(path), 0, -1):
        info = _fields(model, path[: end - 1]).get(path[end - 1])
        if info is not None and info.description:
            extra = info.json_schema_extra
            unit = extra.get("unit", "") if isinstance(extra, dict) else ""
            return f" ({info.description}{f', in {unit}' if unit else ''})"
    return ""


def _fields(model: type[BaseModel], path: tuple[str, ...]) -> Mapping[str, Any]:
    """The fields of the record at a path below `model`, looking through dicts, tuples and unions."""
    current: Any = model
    chosen: list[Any] = []
    for step in path:
        tagged = chosen and step in TAGS
        if not tagged and isinstance(current, type) and issubclass(current, BaseModel):
            info = current.model_fields.get(step)
            current = info.annotation if info else None
        elif tagged:
            current = next((one for one in chosen if _tag(one) == step), chosen[0])
        else:
            chosen = _records(current)
            current = next(iter(chosen), None)
            continue
        chosen, current = [], _unwrap(current)
    if isinstance(current, type) and issubclass(current, BaseModel):
        return current.model_fields
    return {}


def _tag(record: type[BaseModel]) -> str:
    """What pydantic calls a member of a union: the word that chooses it, or its class."""
    info = record.model_fields.get("test")
    return str(typing.get_args(info.annotation)[0]) if info else record.__name__


def _unwrap(annotation: Any) -> Any:
    """`X` of an optional `X | None`; anything else as it is."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        inner = [a for a in typing.get_args(annotation) if a is not type(None)]
        return inner[0] if len(inner) == 1 else annotation
    return annotation


def _records(annotation: Any) -> list[Any]:
    """The record classes that stand inside an annotation such as dict[str, Salt]."""
    found: list[Any] = []
    for inner in typing.get_args(annotation):
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found.append(inner)
        else:
            found.extend(_records(inner))
    return found
