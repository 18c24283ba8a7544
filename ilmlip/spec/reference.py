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

from ilmlip.record import Record
from ilmlip.spec.types import Spec

HEAD = """# The fields of a spec

Made from the types by `python -m ilmlip.spec.reference`; do not edit. A field without a default must
be given, by the spec or by a config group in `conf/`. `N` stands for a name, `[]` for each item.
"""


def page() -> str:
    """The whole page in Markdown."""
    lines = [HEAD]
    for name, info in Spec.model_fields.items():
        section = _record(info.annotation)
        if section is None:
            continue
        lines += [f"## {name}", "", f"{info.description}.", "", "| field | unit | default | |"]
        lines += ["|---|---|---|---|"]
        lines += [_row(path, field) for path, field in fields(section)]
        lines.append("")
    top = [(n, f) for n, f in Spec.model_fields.items() if _record(f.annotation) is None]
    lines += ["## At the top", "", "| field | unit | default | |", "|---|---|---|---|"]
    lines += [_row(name, info) for name, info in top]
    return "\n".join(lines) + "\n"


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
    """Records that stand in a mapping (".N") or a list ("[]")."""
    mark = ".N" if typing.get_origin(annotation) is dict else "[]"
    for argument in typing.get_args(annotation):
        for one in typing.get_args(argument) or (argument,):
            found = _record(one)
            if found is not None:
                yield mark, found


def _row(path: str, info: FieldInfo) -> str:
    extra = info.json_schema_extra
    unit = extra.get("unit", "") if isinstance(extra, dict) else ""
    default = "" if info.is_required() else f"`{_shown(info.default)}`"
    return f"| `{path}` | {unit} | {default} | {info.description}{_limits(info)} |"


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
