"""From what jobs report to the events of their run, by whichever process looks after it."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ilmlip.execute.events import Events, Mention
from ilmlip.execute.submission import Run, said_in
from ilmlip.plan.task import Task
from ilmlip.stages import stage
from ilmlip.store import Store, write_text

TASKS, POSITIONS, LOCK = "tasks.json", "relayed.json", ".relay"


def mention(run: Run, tasks: Iterable[Task]) -> None:
    """Note what the events of a run will say of its tasks, beside those it has already."""
    known = _mentions(run)
    known |= {task.key: Mention(task.key, task.stage, dict(task.about)) for task in tasks}
    data = {key: {"stage": one.stage, "about": one.about} for key, one in known.items()}
    write_text(run.folder / TASKS, json.dumps(data) + "\n")


def relay(store: Store, run: Run) -> None:
    """Write an event for all that jobs have reported since the last time."""
    with _alone(run):
        events = Events.reopen(store.root, run.name)
        positions = _positions(run)
        mentions: dict[str, Mention] = {}
        for report in sorted(run.folder.glob("*.jsonl")):
            said = list(said_in(report))
            fresh = said[positions.get(report.name, 0) :]
            if not fresh:
                continue
            mentions = mentions or _mentions(run)
            for line in fresh:
                _event(store, events, mentions, line)
            positions[report.name] = len(said)
            write_text(run.folder / POSITIONS, json.dumps(positions) + "\n")


def _event(
    store: Store, events: Events, mentions: dict[str, Mention], said: dict[str, str]
) -> None:
    one = mentions.get(said.get("start", said.get("end", "")))
    if one is None:
        return
    if "start" in said:
        if stage(one.stage).goes_on:
            events.began(one)
    elif said["state"] in ("done", "there"):
        events.task(one)
    elif said["state"] == "failed" and (failure := store.failure(one.key)) is not None:
        events.failed(one, failure)


def _mentions(run: Run) -> dict[str, Mention]:
    try:
        data = json.loads((run.folder / TASKS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {key: Mention(key, one["stage"], one["about"]) for key, one in data.items()}


def _positions(run: Run) -> dict[str, int]:
    try:
        found: dict[str, int] = json.loads((run.folder / POSITIONS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found


@contextmanager
def _alone(run: Run) -> Iterator[None]:
    """One process at a time: the command that follows a run, and the job that ends it."""
    path: Path = run.folder / LOCK
    with path.open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
