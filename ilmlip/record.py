"""The base of all typed, frozen records: spec sections, stage parameters, data files."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Record(BaseModel):
    """A frozen, validated record: unknown keys, NaN and infinities are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=False
    )


def field(description: str, *, unit: str = "", default: Any = ..., **limits: Any) -> Any:
    """A field of a record: one-line description, unit ('' if it has none) and limits (gt, le …)."""
    return Field(default, description=description, json_schema_extra={"unit": unit}, **limits)
