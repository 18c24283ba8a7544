"""What of a run is in Slurm's queue, as records in the store: whoever comes later finds it again.

<store>/jobs/<run>/run.json           the run: its study, its events, when it was submitted
<store>/jobs/<run>/queue/<id>.json    an array or job: its tasks, element by element, and its waits
<store>/jobs/<run>/closed.json        how the run ended, once it has
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ilmlip.execute import slurm
from ilmlip.store import write_text

RUN, CLOSED, QUEUE = "run.json", "closed.json", "queue"
CLOSING = "closing"
"""In the place of a stage: the job that lays out what came of a run."""


@dataclass(frozen=True)
class Element:
    """One job of an array: its id, the keys of its tasks, the file that it reports in."""

    id: str
    tasks: tuple[str, ...]
    report: str
    minutes: int


@dataclass(frozen=True)
class Record:
    """An array (or a single job) as it was submitted."""

    id: str
    stage: str
    elements: tuple[Element, ...]
    waits: tuple[str, ...]
    """`afterok:12_3`, `afterany:14` …"""


@dataclass(frozen=True)
class Run:
    """A run that was handed to Slurm: its folder, and what is known of it."""

    folder: Path
    study: str
    """Name of the study."""
    study_key: str
    """Its identity."""
    uri: str
    """Where it is tracked; empty: nowhere."""
    started: float
    """Unix time, s."""
    cluster: str = ""
    """Name of the cluster that has its jobs; empty: not known."""

    @property
    def name(self) -> str:
        """The run's own name, that of its events as well."""
        return self.folder.name

    def write(self) -> None:
        """Make the run known."""
        (self.folder / QUEUE).mkdir(parents=True, exist_ok=True)
        about = {
            "study": self.study,
            "study_key": self.study_key,
            "uri": self.uri,
            "started": self.started,
            "cluster": self.cluster,
        }
        write_text(self.folder / RUN, json.dumps(about) + "\n")

    def add(self, record: Record) -> None:
        """Note an array that was submitted, or what an array waits for now."""
        write_text(self.folder / QUEUE / f"{record.id}.json", json.dumps(asdict(record)) + "\n")

    def records(self) -> list[Record]:
        """Every array of the run, the first one first."""
        found = []
        for path in (self.folder / QUEUE).glob("*.json"):
            data = json.loads(path.read_text(encoding="utf-8"))
            elements = tuple(
                Element(one["id"], tuple(one["tasks"]), one["report"], one["minutes"])
                for one in data["elements"]
            )
            found.append(Record(data["id"], data["stage"], elements, tuple(data["waits"])))
        return sorted(found, key=lambda record: int(record.id))

    def close(self, status: str, **more: Any) -> None:
        """Note how the run ended: done, failed, or cancelled."""
        about = {"status": status, "time": time.time(), **more}
        write_text(self.folder / CLOSED, json.dumps(about) + "\n")

    def closed(self) -> dict[str, Any] | None:
        """How the run ended, or None."""
        try:
            found: dict[str, Any] = json.loads((self.folder / CLOSED).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return found


def runs(root: Path) -> list[Run]:
    """Every run of a store that was handed to Slurm, oldest first."""
    found = []
    for path in (root / "jobs").glob(f"*/{RUN}"):
        data = json.loads(path.read_text(encoding="utf-8"))
        found.append(Run(path.parent, **data))
    return sorted(found, key=lambda run: run.started)  # names tell seconds only


def open_runs(root: Path) -> list[Run]:
    """Those that have not ended."""
    return [run for run in runs(root) if run.closed() is None]


def in_queue(root: Path) -> dict[str, slurm.Waiting]:
    """What is in Slurm's queue: this user's jobs, and those of the open runs of a store.

    Raises SlurmError if Slurm does not answer.
    """
    return slurm.queue(record.id for run in open_runs(root) for record in run.records())


@dataclass(frozen=True)
class Held:
    """A task that a job in the queue is to do: the job, its state there, and its run."""

    job: str
    state: str
    reason: str
    run: Run
    record: Record
    element: Element


@dataclass
class Queued:
    """What of a store is in the queue."""

    tasks: dict[str, Held] = field(default_factory=dict)
    """By key."""
    jobs: dict[str, list[str]] = field(default_factory=dict)
    """Ids of the jobs in the queue, by run."""


def queued(root: Path, queue: Mapping[str, Any]) -> Queued:
    """What the open runs of a store have in Slurm's queue (as `slurm.queue` gives it)."""
    found = Queued()
    for run in open_runs(root):
        for record in run.records():
            for element in record.elements:
                waiting = queue.get(element.id)
                if waiting is None:
                    continue
                found.jobs.setdefault(run.name, []).append(element.id)
                held = Held(element.id, waiting.state, waiting.reason, run, record, element)
                ended = ends_in(run.folder / element.report) if element.tasks else {}
                found.tasks.update({key: held for key in element.tasks if key not in ended})
    return found


def ends_in(report: Path) -> dict[str, str]:
    """How each task that a job has done with ended, by key; what others compute has not."""
    return {
        said["end"]: said["state"]
        for said in said_in(report)
        if "end" in said and said["state"] != "busy"
    }


def done_in(run: Run) -> set[str]:
    """Keys of the tasks that a run's jobs have computed."""
    reports = run.folder.glob("*.jsonl")
    return {
        said["end"] for path in reports for said in said_in(path) if said.get("state") == "done"
    }


def said_in(report: Path) -> Iterator[dict[str, Any]]:
    """What a job reported, whole lines only."""
    try:
        text = report.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    for line in text.splitlines(keepends=True):
        if line.endswith("\n"):
            yield json.loads(line)
