"""A file's own system on top of an option's: of the option only what the study uses stays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def without_unused(data: dict[str, Any], stated: Mapping[str, Any]) -> dict[str, Any]:
    """`data`, a composed config, without the option's ions and salts that the study does not use.

    Only where the file states ions of its own (`stated`: what files state): it then describes another
    liquid, and ions of the shipped one would stand in its frozen spec and its keys. A name and the
    source of a charge scale that belong to the option's system go as well. What has a wrong type is
    left to the validation.
    """
    own, system, mix = (
        _mapping(part)
        for part in (stated.get("system"), data.get("system"), data.get("compositions"))
    )
    ions, salts = _mapping(system.get("ions")), _mapping(system.get("salts"))
    if not _mapping(own.get("ions")) or not _mapping(own.get("salts")) or not ions or not salts:
        return data
    named = mix.get("salts")
    if not isinstance(named, list):
        return data
    kept = {name: salt for name, salt in salts.items() if name in own["salts"] or name in named}
    used = {ion for salt in kept.values() for ion in _mapping(_mapping(salt).get("ions"))}
    changed = {
        **system,
        "ions": {name: ion for name, ion in ions.items() if name in own["ions"] or name in used},
        "salts": kept,
    }
    if "charge_scale" in own and "charge_scale_source" not in own:
        changed["charge_scale_source"] = ""
    if "name" not in own and not kept.keys() - own["salts"].keys():
        changed["name"] = data.get("name", "")
    return {**data, "system": changed}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
