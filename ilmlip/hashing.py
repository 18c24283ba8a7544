"""Canonical bytes and domain-tagged hashes: the one place where identity is made.

A hash covers the domain and the canonical JSON of a value (sorted keys, no white space, shortest
floats that read back the same, ASCII). Integers and floats differ (`5` is not `5.0`), so values
must come from typed records. NaN and infinities have no canonical form and are refused.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ilmlip.record import later_fields


def plain(value: Any) -> Any:
    """`value` with every record turned into plain dicts and every tuple into a list."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def identity(value: Any) -> Any:
    """`plain(value)` without the fields that came later and stand at their default."""
    found = plain(value)
    _prune(value, found)
    return found


def _prune(value: Any, found: Any) -> None:
    """Take out of `found`, the plain form of `value`, what is no part of its identity."""
    if isinstance(value, BaseModel):
        for name in later_fields(type(value)):
            if getattr(value, name) == type(value).model_fields[name].default:
                found.pop(name, None)
        for name, inner in value.__dict__.items():
            if name in found and isinstance(inner, (BaseModel, dict, tuple)):
                _prune(inner, found[name])
    elif isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, (BaseModel, dict, tuple)):
                _prune(inner, found[str(key)])
    elif isinstance(value, (list, tuple)):
        for inner, part in zip(value, found, strict=True):
            if isinstance(inner, (BaseModel, dict, tuple)):
                _prune(inner, part)


def canonical(value: Any) -> bytes:
    """The canonical JSON of `value`. Raises ValueError on NaN or infinity."""
    text = json.dumps(
        plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
    return text.encode()


def digest(domain: str, value: Any) -> str:
    """SHA-256 (64 hex digits) of `value` under `domain`, so that no two kinds of thing collide."""
    return hashlib.sha256(domain.encode() + b"\0" + canonical(value)).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 (64 hex digits) of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


LONGEST_NAME = 120
"""Bytes of a part of a file's name; file systems take 255 for the whole."""


def file_name(text: str) -> str:
    """A text as (part of) a file's name: as it is, or its beginning and digits of its hash if long."""
    if len(text.encode()) <= LONGEST_NAME:
        return text
    digits = digest("ilmlip.name", text)[:12]
    start = text.encode()[: LONGEST_NAME - len(digits) - 1].decode(errors="ignore")
    return f"{start}-{digits}"
