"""The boundary to submitit: the only module that imports it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psutil

from ilmlip.execute.worker import THREADS, pack, work
from ilmlip.plan.task import Task
from ilmlip.spec.cluster import Cluster
from ilmlip.stages.base import Resources

TAIL = 2000
"""Characters of a dead worker's stderr that are kept as its reason."""


class Handle(Protocol):
    """A submitted process: whether it has ended, how, and where its output is."""

    def ended(self) -> bool:
        """Whether the process is gone."""

    def stop(self) -> None:
        """End it now."""

    def log(self) -> Path | None:
        """The file that its stderr goes to."""


@dataclass
class Job:
    """One job: a pack of tasks in one process."""

    tasks: dict[str, Task]
    need: Resources
    handle: Handle
    report: Path
    position: int = 0
    began: bool = False
    current: str | None = None
    """Key of the task in hand, as last reported."""
    ended: dict[str, str] = field(default_factory=dict)
    """How each finished task ended, by key."""

    def news(self) -> Iterator[tuple[str, str]]:
        """(key, how) of each task that began ("began") or ended since the last call."""
        if not self.report.exists():
            return
        with self.report.open(encoding="utf-8") as lines:
            lines.seek(self.position)
            while (line := lines.readline()).endswith("\n"):
                self.position = lines.tell()
                said = json.loads(line)
                self.began = True
                if "start" in said:
                    self.current = said["start"]
                    yield said["start"], "began"
                elif "end" in said:
                    self.current = None
                    self.ended[said["end"]] = said["state"]
                    yield said["end"], said["state"]


class Submitter(Protocol):
    """Starts jobs somewhere."""

    def submit(self, tasks: Sequence[Task], need: Resources, report: Path) -> Handle:
        """Start one job with a pack of tasks."""


class _LocalHandle:
    def __init__(self, job: Any) -> None:
        self._job = job

    def ended(self) -> bool:
        return bool(self._job.done())

    def stop(self) -> None:
        # submitit asks by SIGINT, which a shell's background processes ignore
        try:
            controller = psutil.Process(int(self._job.job_id))
            below = controller.children(recursive=True)
        except psutil.NoSuchProcess:
            return
        for process in [controller, *below]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def log(self) -> Path | None:
        return Path(self._job.paths.stderr)


class LocalSubmitter:
    """submitit's local executor: a process of its own for each job."""

    def __init__(self, root: Path, folder: Path, timeout_min: int) -> None:
        import submitit

        self._root = root
        self._executor = submitit.LocalExecutor(folder / "%j")
        self._executor.update_parameters(timeout_min=timeout_min)

    def submit(self, tasks: Sequence[Task], need: Resources, report: Path) -> Handle:
        """Start one job; it inherits this process's environment with its own number of threads."""
        before = {name: os.environ.get(name) for name in THREADS}
        os.environ.update(dict.fromkeys(THREADS, str(need.cores)))
        try:
            job = self._executor.submit(work, self._root, pack(tasks), report, need.cores)
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
        return _LocalHandle(job)


class _Ended:
    def ended(self) -> bool:
        return True

    def stop(self) -> None:
        pass

    def log(self) -> Path | None:
        return None


class DebugSubmitter:
    """Runs each job in this very process, for a debugger."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def submit(self, tasks: Sequence[Task], need: Resources, report: Path) -> Handle:
        """Do the tasks before returning."""
        work(self._root, pack(tasks), report, need.cores)
        return _Ended()


def submitter(cluster: Cluster, root: Path, folder: Path) -> Submitter:
    """The submitter of a cluster profile."""
    if cluster.executor == "debug":
        return DebugSubmitter(root)
    return LocalSubmitter(root, folder, cluster.timeout_min)


def last_words(log: Path | None) -> str:
    """The last line that a dead worker wrote, or nothing."""
    if log is None or not log.exists():
        return ""
    lines = log.read_text(errors="replace", encoding="utf-8")[-TAIL:].strip().splitlines()
    return lines[-1] if lines else ""
