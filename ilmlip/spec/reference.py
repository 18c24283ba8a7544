"""The reference of all fields of a spec, from the types themselves.

`python -m ilmlip.spec.reference > docs/spec.md` rewrites the page.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ilmlip.record import Record, unit_of
from ilmlip.spec.shipped import groups, header, options
from ilmlip.spec.types import Spec

HEAD = """# The fields of a spec

Made from the types by `python -m ilmlip.spec.reference`; do not edit. A field without a default must
be given, by the spec or by a config group in `conf/`. `N` stands for a name, `[]` for each item.
`ilmlip describe model.r_max` prints a field, `ilmlip describe model` a section with its options.
"""
PRECEDENCE = """## Options and precedence

A file chooses one option of each config group in its list `defaults` and states values in its
sections. What is later in this list wins:

1. the types' defaults (the tables below);
2. options of the config groups; `scale` wins over the other groups;
3. values that a file states. A file wins over the files that it builds on;
4. the command line.

- The order of `defaults` has no meaning, except that of two files the later one wins. Hydra's words
  `_self_` and `override` may be left out. `config` is always the shipped list of defaults. Any other
  name is a file beside the spec, or else a shipped experiment:

  ```yaml
  defaults: [quickstart, scale: smoke]    # the quickstart at another scale,
  name: mine
  dataset: {frames: 4}                    # with four frames
  ```

- Mappings are merged at every depth. Lists, and what is stated as `null`, replace what the option has.
- A file that states ions and salts of its own keeps of the option's only those that its salts use.
- A typed option (`scale=smoke`) takes the place of the file's option. It does not win over values
  that the file states; only a typed value does (`dataset.frames=5`). `ilmlip lint` lists the values
  of the `scale` option that the file states differently (`scale-differs`).
- A field or group that a file sets is taken out of the `sweep` of the file that it builds on.
- In a frozen file everything is stated, except `cluster` and `tracking`.
- Options of your own are files in a folder with the group's name beside the spec
  (`model/mine.yaml`). They may start from another option (`defaults: [allegro_laptop]`) and need
  names that no shipped option has. An option whose first line is `# @package _global_` may set
  values of any section, as those of `scale` do.
"""
TABLE = ["| field | type | unit | default | |", "|---|---|---|---|---|"]


def page() -> str:
    """The whole page in Markdown."""
    lines = [HEAD, PRECEDENCE]
    for name, info in Spec.model_fields.items():
        section = _record(info.annotation)
        if section is None:
            continue
        lines += [f"## {name}", "", f"{info.description}.", ""]
        if name in groups():
            lines += [*_options(name), ""]
        lines += [*TABLE, *(_row(path, field) for path, field in fields(section)), ""]
    lines += ["## scale", "", "Sizes and durations in one place; it is no section of the spec.", ""]
    lines += [*_options("scale"), "", "## At the top", "", *TABLE]
    lines += [_row(n, f) for n, f in Spec.model_fields.items() if _record(f.annotation) is None]
    return "\n".join(lines) + "\n"


def _options(group: str) -> list[str]:
    """The options of a group with the first line of their headers."""
    return [
        f"- `{group}={name}`: {' '.join(header(f).split())}" for name, f in options(group).items()
    ]


def all_fields() -> Iterator[tuple[str, FieldInfo]]:
    """Every field of a spec with its dotted path, the sections themselves included."""
    yield from fields(Spec)


def described(path: str, info: FieldInfo) -> str:
    """Everything there is to say of a field, a line each."""
    unit, default = unit_of(info), "must be given" if info.is_required() else _shown(info.default)
    lines = [path, f"  {info.description}", f"  type: {type_name(info.annotation)}{_limits(info)}"]
    lines += [f"  unit: {unit}"] if unit else []
    return "\n".join([*lines, f"  default: {default}"])


def one_liner(path: str, info: FieldInfo) -> str:
    """`model.r_max [Å] number (> 0): Cutoff radius`."""
    unit = f" [{unit_of(info)}]" if unit_of(info) else ""
    return f"{path}{unit} {type_name(info.annotation)}{_limits(info)}: {info.description}"


NAMES: dict[Any, str] = {
    float: "number", int: "integer", str: "text", bool: "true or false", type(None): "null",
}  # fmt: skip


def type_name(annotation: Any) -> str:  # noqa: PLR0911
    """A type in words: number, "one of a, b", list of …, section."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in NAMES:
        return NAMES[annotation]
    if origin is typing.Literal:
        return f"one of {', '.join(map(str, inner))}" if len(inner) > 1 else str(inner[0]).lower()
    if origin is typing.Annotated:
        return type_name(inner[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(type_name(one) for one in inner))
    if origin is dict:
        return f"mapping to {type_name(inner[1])}"
    if origin is tuple:
        if Ellipsis in inner:
            return f"list of {type_name(inner[0])}"
        return f"list of {len(inner)}: {', '.join(type_name(one) for one in inner)}"
    if isinstance(annotation, type) and issubclass(annotation, tuple):
        return "row"
    return "section"


def fields(record: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every field below a record with its dotted path."""
    for name, info in record.model_fields.items():
        path = f"{prefix}{name}"
        inner = _record(info.annotation)
        yield path, info
        if inner is not None:
            yield from fields(inner, f"{path}.")
        else:
            for mark, found in _items(info.annotation):
                yield from fields(found, f"{path}{mark}.")


def _record(annotation: Any) -> type[Record] | None:
    """The record that an annotation is, or is beside None."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        inner = [a for a in typing.get_args(annotation) if a is not type(None)]
        annotation = inner[0] if len(inner) == 1 else None
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return annotation
    return None


def _items(annotation: Any) -> Iterator[tuple[str, type[Record]]]:
    """Records that stand in a mapping (".N") or a list ("[]"; of a union by the word that chooses)."""
    mark = ".N" if typing.get_origin(annotation) is dict else "[]"
    for argument in typing.get_args(annotation):
        for one in typing.get_args(argument) or (argument,):
            found = _record(one)
            if found is not None:
                yield mark, found
            for member in filter(None, map(_record, typing.get_args(one))):
                if "test" in member.model_fields:
                    word = typing.get_args(member.model_fields["test"].annotation)[0]
                    yield f"[test={word}]", member


def _row(path: str, info: FieldInfo) -> str:
    default = "" if info.is_required() else f"`{_shown(info.default)}`"
    kind = f"{type_name(info.annotation)}{_limits(info)}"
    return f"| `{path}` | {kind} | {unit_of(info)} | {default} | {info.description} |"


def _shown(value: Any) -> str:
    if isinstance(value, BaseModel):
        return "…"
    return "null" if value is None else str(value)


def _limits(info: FieldInfo) -> str:
    """The bounds of a number, such as ` (> 0, ≤ 5)`."""
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    found = [
        f"{sign} {getattr(limit, name):g}"
        for limit in info.metadata
        for name, sign in signs.items()
        if getattr(limit, name, None) is not None
    ]
    return f" ({', '.join(found)})" if found else ""


if __name__ == "__main__":
    print(page(), end="")
