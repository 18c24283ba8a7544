"""What happened in a run, as JSON lines in the store: MLflow is fed from them, later if need be."""

from __future__ import annotations

import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

from ilmlip.plan.task import Task
from ilmlip.store import Failure, write_text


class Events:
    """The events of one run: `<store>/tracking/<run>/events.jsonl`, opened at the first event."""

    def __init__(self, root: Path) -> None:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        self.run = f"{stamp}-{uuid.uuid4().hex[:4]}"
        self.folder = root / "tracking" / self.run

    def start(self, **what: Any) -> None:
        """The run begins; the driver's pid says for how long more events may come."""
        self.folder.mkdir(parents=True)
        write_text(self.folder / "driver.pid", f"{os.getpid()}\n")
        self._say("start", run=self.run, **what)

    def began(self, task: Task) -> None:
        """A task whose course can be followed is being worked on."""
        self._say("began", key=task.key, stage=task.stage, about=dict(task.about))

    def task(self, task: Task) -> None:
        """A task published its result."""
        self._say("task", key=task.key, stage=task.stage, about=dict(task.about))

    def failed(self, task: Task, failure: Failure) -> None:
        """A task failed."""
        about = dict(task.about)
        reason, log = failure.reason, failure.log
        self._say("failed", key=task.key, stage=task.stage, about=about, reason=reason, log=log)

    def end(self, status: str, outputs: dict[str, str]) -> None:
        """The run is over: status "done" or "failed"."""
        self._say("end", status=status, outputs=outputs)

    def _say(self, event: str, **what: Any) -> None:
        with (self.folder / "events.jsonl").open("a") as lines:
            lines.write(json.dumps({"event": event, "time": time.time(), **what}) + "\n")
