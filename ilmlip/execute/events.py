"""What happened in a run, as JSON lines in the store: MLflow is fed from them, later if need be."""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ilmlip.errors import StoreError
from ilmlip.hashing import file_name
from ilmlip.plan.task import Task
from ilmlip.store import Failure, write_text

DETACHED = "detached"
"""A file in the folder of a run that goes on when no process watches it."""


@dataclass(frozen=True)
class Mention:
    """What events say of a task, for a process that has no plan."""

    key: str
    stage: str
    about: Mapping[str, Any]


class Events:
    """The events of one run: `<store>/tracking/<run>/events.jsonl`, opened at the first event.

    A run's driver feeds them, and the run is killed if it dies without `end`. Those of a *detached*
    run (a batch system does the work) are fed by whichever process looks after it at the time, by
    none for hours, and the run goes on until its `end`. An event that is said twice changes nothing.
    """

    def __init__(self, root: Path, run: str = "") -> None:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        self.run = run or f"{stamp}-{uuid.uuid4().hex[:4]}"
        self.folder = root / "tracking" / self.run

    @classmethod
    def reopen(cls, root: Path, run: str) -> Self:
        """The events of a run that has begun, to append to. Raises StoreError if there is none."""
        found = cls(root, run)
        if not run or not (found.folder / "events.jsonl").is_file():
            raise StoreError(f"store {root}: has no events of a run {run!r}")
        return found

    def start(self, *, detached: bool = False, **what: Any) -> None:
        """The run begins, fed by this process; a detached one goes on without it."""
        self.folder.mkdir(parents=True)
        if detached:
            write_text(self.folder / DETACHED, "")
        self.watch()
        self._say("start", run=self.run, **what)

    def watch(self) -> None:
        """From now on this process feeds the run: as long as it lives, more events may come."""
        write_text(self.folder / "driver.pid", f"{os.getpid()}\n")

    def leave(self) -> None:
        """This process feeds the run no more, and lives on; nobody does until the next `watch`."""
        (self.folder / "driver.pid").unlink(missing_ok=True)

    def began(self, task: Task | Mention) -> None:
        """A task whose course can be followed is being worked on."""
        self._say("began", **_named(task))

    def task(self, task: Task | Mention) -> None:
        """A task published its result."""
        self._say("task", **_named(task))

    def failed(self, task: Task | Mention, failure: Failure) -> None:
        """A task failed."""
        self._say("failed", **_named(task), reason=failure.reason, log=failure.log)

    def end(self, status: str, outputs: dict[str, str]) -> None:
        """The run is over: status "done", "failed" or "killed" (cancelled).

        `outputs`: paths by name. The files are copied into the run's folder, since the next run of
        the study writes over them; the event names the copies, relative to that folder.
        """
        kept = {name: self._keep(name, Path(p)) for name, p in outputs.items() if Path(p).is_file()}
        self._say("end", status=status, outputs=kept)

    def _keep(self, name: str, path: Path) -> str:
        copy = self.folder / "outputs" / file_name(name) / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        return str(copy.relative_to(self.folder))

    def _say(self, event: str, **what: Any) -> None:
        """Append one line; what a process left half-written when it died stays a line of its own."""
        line = json.dumps({"event": event, "time": time.time(), **what}).encode() + b"\n"
        with (self.folder / "events.jsonl").open("a+b") as lines:
            if lines.seek(0, os.SEEK_END):
                lines.seek(-1, os.SEEK_END)
                line = line if lines.read() == b"\n" else b"\n" + line
            lines.write(line)


def _named(task: Task | Mention) -> dict[str, Any]:
    return {"key": task.key, "stage": task.stage, "about": dict(task.about)}
