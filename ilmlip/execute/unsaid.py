"""Results that no event tells of.

A worker outlived its driver, or the driver died before it spoke; or another study has computed what
this one finds in the store, and MLflow shows it in that study's experiment alone.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from ilmlip.plan.graph import Plan
from ilmlip.plan.task import Task
from ilmlip.store import Store

TAIL = 65_536
"""Bytes at the end of a run's events that hold its last one."""
SLACK = 60.0
"""Seconds by which clocks of hosts may disagree."""


def unsaid(plan: Plan, store: Store, present: set[str]) -> list[Task]:
    """Tasks of a plan that were done in a run which has no end, and of which no run has told."""
    logs = sorted((store.root / "tracking").glob("*/events.jsonl"))
    broken = [log for log in logs if not _ended(log)]
    if not broken:
        return []
    said = {event.get("key") for log in logs for event in _events(log) if event["event"] == "task"}
    began = min((e["time"] for log in broken for e in _events(log)), default=0.0) - SLACK
    return [t for t in plan if t.key in present - said and _made_after(store, t.key, began)]


def untold(plan: Plan, store: Store, present: set[str], shown: Collection[str]) -> list[Task]:
    """Tasks of a plan that are there and that MLflow lacks: `unsaid`, and those of stages `shown` of
    which no run of a study of this name has told all that there is to say.
    """
    found = {task.key: task for task in unsaid(plan, store, present)}
    asked = [task for task in plan if task.key in present and task.stage in shown]
    if asked:
        said: dict[str, list[set[str]]] = {}
        for log in sorted((store.root / "tracking").glob("*/events.jsonl")):
            events = _events(log)
            if next(events, {}).get("study") != plan.study:
                continue
            for event in events:
                if event["event"] == "task":
                    said.setdefault(event.get("key", ""), []).append(set(event.get("about", ())))
        found |= {
            task.key: task
            for task in asked
            if not any(set(task.about) <= about for about in said.get(task.key, ()))
        }
    return [task for task in plan if task.key in found]


def _made_after(store: Store, key: str, began: float) -> bool:
    result = store.result(key)
    return result is not None and result.started + result.seconds > began


def _ended(log: Path) -> bool:
    with log.open("rb") as lines:
        size = lines.seek(0, 2)
        lines.seek(max(0, size - TAIL))
        last = lines.read().splitlines()[-1:]
    with contextlib.suppress(ValueError, KeyError, IndexError, TypeError):
        return bool(json.loads(last[0])["event"] == "end")
    return False


def _events(log: Path) -> Iterator[dict[str, Any]]:
    """The events that can be read; half a line may end what a killed driver wrote."""
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            event = json.loads(line)
            if {"event", "time"} <= event.keys():
                yield event
