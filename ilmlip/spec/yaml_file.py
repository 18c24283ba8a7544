"""A user's YAML file as plain data. A spec may come from a stranger: it is bounded, and only data."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ilmlip.errors import SpecError

MAX_BYTES = 16 * 2**20
MAX_DEPTH = 40
MAX_NODES = 1_000_000
"""Values in a file, those that aliases repeat included."""

REFERENCE = re.compile(r"\$\{\.*[A-Za-z_][\w.\[\]]*\}")
"""`${section.field}`: a reference to another field, and nothing that calls anything."""


def read_yaml(file: Path) -> dict[str, Any]:
    """The mapping that a file holds. Raises SpecError, with file and line, for anything else."""
    where = shown(file)
    data = _load(_text(file, where), where)
    if not isinstance(data, dict):
        raise SpecError(
            where,
            f"holds {type(data).__name__}, not a mapping of sections (name, system, model, …)",
        )
    check_data(data, where)
    return data


def shown(file: Path) -> str:
    """A path as the user would write it from here."""
    return str(file.relative_to(Path.cwd())) if file.is_relative_to(Path.cwd()) else str(file)


def check_data(value: Any, where: str, path: tuple[str, ...] = ()) -> None:
    """Refuse what is not plain data: odd keys, names that Hydra would call, resolvers."""
    place = f"{where}: {'.'.join(path)}" if path else where
    if len(path) > MAX_DEPTH:
        raise SpecError(place, f"is nested more than {MAX_DEPTH} deep; a spec never needs that")
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise SpecError(place, f"has the key {key!r}, which is no string; quote it")
            if re.fullmatch(r"_\w+_", key) and key != "_self_":
                raise SpecError(
                    f"{where}: {'.'.join((*path, key))}",
                    "names something to call; a spec is data and can't do that",
                )
            check_data(inner, where, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            check_data(inner, where, (*path, str(index)))
    elif isinstance(value, str) and "${" in REFERENCE.sub("", value):
        raise SpecError(
            place,
            f"{_short(value)} calls a resolver; a spec is data, so write the value itself "
            "(a reference to another field, ${section.field}, is allowed)",
        )
    elif not isinstance(value, (str, int, float, bool, type(None))):
        raise SpecError(place, f"holds a {type(value).__name__}; quote it if it is a string")


def _text(file: Path, where: str) -> str:
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise SpecError(where, f"has {size} bytes; a spec may have {MAX_BYTES}")
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(where, f"cannot be read ({error}); give a readable YAML file") from None


def _load(text: str, where: str) -> Any:
    try:
        _check_events(text, where)
        return yaml.load(text, Loader=loader())
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SpecError(f"{where}:{line}", f"is not YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        said = "; ".join(str(error).split("\n")) or type(error).__name__
        raise SpecError(where, f"is not YAML: {said}") from None


def _check_events(text: str, where: str) -> None:
    """Refuse tags, too deep nesting and aliases that multiply, before anything is built."""
    sizes: dict[str, int] = {}
    stack: list[tuple[str | None, int]] = []
    total = 0
    event: Any
    for event in yaml.parse(text, Loader=loader()):
        line = event.start_mark.line + 1
        if getattr(event, "tag", None) not in (None, "!"):
            raise SpecError(
                f"{where}:{line}", f"has the YAML tag {event.tag!r}; a spec is plain data"
            )
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = stack.pop()
            if anchor:
                sizes[anchor] = total - before
            continue
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise SpecError(f"{where}:{line}", f"alias *{event.anchor} stands for itself")
            total += sizes[event.anchor]
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            total += 1
            stack.append((event.anchor, total))
        if total > MAX_NODES:
            raise SpecError(f"{where}:{line}", f"holds more than {MAX_NODES} values")
        if len(stack) > MAX_DEPTH:
            raise SpecError(f"{where}:{line}", f"is nested more than {MAX_DEPTH} deep")


@cache
def loader() -> Any:
    """YAML as OmegaConf reads it: 1e5 is a number, a date is a string, no key twice."""
    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        yaml_implicit_resolvers = {  # noqa: RUF012
            first: [(tag, found) for tag, found in resolvers if not tag.endswith(":timestamp")]
            for first, resolvers in base.yaml_implicit_resolvers.items()
        }

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen = set()
            for key, _ in node.value:
                name = key.value if isinstance(key, yaml.ScalarNode) else None
                if name is not None and name in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {name!r} stands twice", key.start_mark
                    )
                seen.add(name)
            return super().construct_mapping(node, deep=deep)

    digits = "[0-9]+(?:_[0-9]+)*"
    number = rf"[-+]?{digits}(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)|[-+]?{digits}\.[0-9_]*"
    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(rf"^(?:{number})$"), list("-+0123456789.")
    )
    return Loader


def _short(value: str) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
