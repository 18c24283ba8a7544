"""The base of all typed, frozen records: spec sections, stage parameters, data files."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo


class Record(BaseModel):
    """A frozen, validated record: unknown keys, NaN and infinities are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=False
    )


def field(
    description: str, *, unit: str = "", default: Any = ..., later: bool = False, **limits: Any
) -> Any:
    """A field of a record: one-line description, unit ('' if it has none) and limits (gt, le …).

    `later`: the field came after results had been made without it. At its default it is no part
    of an identity, so that those results keep their keys.
    """
    extra: dict[str, Any] = {"unit": unit, "later": later}
    return Field(default, description=description, json_schema_extra=extra, **limits)


def unit_of(info: FieldInfo) -> str:
    """The unit of a field, "" if it has none."""
    extra = info.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""


@cache
def later_fields(record: type[BaseModel]) -> tuple[str, ...]:
    """Names of the fields of a record that are left out of identities at their default."""
    return tuple(
        name
        for name, info in record.model_fields.items()
        if isinstance(info.json_schema_extra, dict) and info.json_schema_extra.get("later")
    )
