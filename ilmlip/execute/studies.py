"""Which studies have run in a store, as the first events of their runs say, and what they need."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from ilmlip.errors import IlmlipError
from ilmlip.plan.compile import plan_of
from ilmlip.spec.load import load_study
from ilmlip.store import Store


@dataclass
class Known:
    """A study that has run in a store."""

    name: str
    key: str
    """Its identity (`study_key`)."""
    command: str = ""
    """What started its last run; empty if that is not recorded."""
    run: str = ""
    """Its last run: a folder of `tracking/`."""
    keys: set[str] = field(default_factory=set)
    """The results that it needs; of a spec that this ilmlip cannot read, those that it computed."""


def studies(store: Store, but: Collection[str] = ()) -> list[Known]:
    """The studies that have run in a store, in the order of their last runs, without those in `but`."""
    found: dict[str, Known] = {}
    specs: dict[str, Any] = {}
    for path in sorted((store.root / "tracking").glob("*/events.jsonl")):
        first, keys = _events(path)
        name, key = str(first.get("study", "")), str(first.get("study_key", ""))
        if not name or key in but:
            continue
        one = found.pop(key, None) or Known(name, key)
        one.command, one.run = str(first.get("command", "")), path.parent.name
        one.keys |= keys
        found[key], specs[key] = one, first.get("spec")
    for key, one in found.items():
        one.keys |= _planned(specs[key])
    return list(found.values())


def _events(path: Path) -> tuple[dict[str, Any], set[str]]:
    """The first event of a run, and the keys of the tasks that it did; half lines are no events."""
    first: dict[str, Any] = {}
    keys = set()
    for event in _lines(path):
        if event.get("event") == "start":
            first = first or event
        elif isinstance(event.get("key"), str):
            keys.add(event["key"])
    return first, keys


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            yield event


def _planned(spec: Any) -> set[str]:
    """Every key of a study, compiled anew from the spec that its run recorded; none if it cannot be."""
    if not isinstance(spec, dict):
        return set()
    spec = {name: value for name, value in spec.items() if name not in ("store", "tracking")}
    with TemporaryDirectory() as folder:
        file = Path(folder) / "study.yaml"
        file.write_text(yaml.safe_dump(spec, allow_unicode=True, sort_keys=False), encoding="utf-8")
        try:
            return set(plan_of(load_study([str(file)], allow=["/"])).tasks)
        except (IlmlipError, OSError):  # of another version, or its files are gone
            return set()
