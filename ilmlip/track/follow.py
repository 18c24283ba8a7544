"""Follows the events of one run into MLflow, and remembers how far it got."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ilmlip.errors import StoreError
from ilmlip.store import Result, Store, write_text
from ilmlip.track import CHILDREN, DYNAMICS, SHOWN, is_complete, is_detached, progress
from ilmlip.track.alive import driver_lives
from ilmlip.track.curves import sample_curve, training_curve
from ilmlip.track.live import Live
from ilmlip.track.mlflow_log import LONGEST_NAME, RESULT, Log, is_refusal

Event = Mapping[str, Any]
OF_A_FAILURE = ("ilmlip.reason", "ilmlip.log")
"""Tags of a failed task's run; gone once it succeeds."""
TRIES, PAUSE = 3, 0.2
"""How often an event is logged that MLflow refuses, and seconds between. A call that was not answered
in time is made again, and MLflow, which has done it already, refuses some of these as doubles."""
STATUS = {"done": "FINISHED", "killed": "KILLED"}
"""Of a parent run in MLflow, by that of the run's end; any other is FAILED."""


class Follower:
    """One run's events; `client` writes to MLflow."""

    def __init__(self, folder: Path, store: Store, client: Log) -> None:
        self.folder, self.store, self.log = folder, store, client
        self.state = progress(folder)
        self.skipped = 0
        self.gone: list[str] = []
        """Keys of results that the events tell of and the store has no more."""
        self.live = Live(store, client)
        if not is_complete(folder):
            self._start_over_elsewhere()
        self._handle: dict[str, Callable[[Event], None]] = {
            "start": self._start,
            "began": self._began,
            "task": self._task,
            "failed": self._failed,
            "end": self._end,
        }

    def catch_up(self) -> bool:
        """Log every event that is there; True once no more are awaited.

        The position is saved after each event, and each event is logged so that doing it again
        changes nothing: a tracker that dies in between repeats one event at the most.
        """
        if is_complete(self.folder):
            return True
        alive = driver_lives(self.folder)  # before reading: a last word may come after it
        while self.next_time() is not None:
            self.step()
        return self.settle(alive)

    def next_time(self) -> float | None:
        """When the next event happened, unix seconds; None if there is none yet."""
        line = self._line()
        if not line.endswith(b"\n"):
            return None
        try:
            return float(json.loads(line)["time"])
        except (ValueError, KeyError, TypeError):
            return 0.0  # damaged: nothing waits for it

    def step(self) -> None:
        """Log the next event, which must be there."""
        line = self._line()
        when = self.next_time() or self.state.get("heard", 0.0)
        ended = self._log_line(line) == "end" or self.state.get("ended", False)
        position = self.state["position"] + len(line)
        self.state |= {"ended": ended, "complete": False, "position": position, "heard": when}
        self._save()

    def settle(self, alive: bool) -> bool:
        """All events are logged: True if no more are awaited. `alive`: somebody may say more."""
        ended = self.state.get("ended", False)
        if ended or not alive:
            if not ended and not is_detached(self.folder):
                self._abandoned()
            seen = self.state["position"] + len(self._line())
            self.state |= {"complete": True, "seen": seen}
            self._save()
        children = self.state["children"]
        self.live.look({key: children[key] for key in self.state.get("begun", {})})
        return bool(ended or not alive)

    def _line(self) -> bytes:
        """The next event; without a line break at its end if it is being written, or never will be."""
        with (self.folder / "events.jsonl").open("rb") as lines:
            lines.seek(self.state["position"])
            return lines.readline()

    def _log_line(self, line: bytes) -> str:
        """Log one event; returns its kind. One that can never be logged must not hold up others."""
        if line.startswith(b"{") and not line.endswith(b"}\n"):
            return ""  # whoever wrote it died before its end, and others say it again
        try:
            event = json.loads(line)
            kind = str(event["event"])
        except (ValueError, KeyError, TypeError) as error:
            return self._skip("", f"a damaged line ({error})")
        if kind not in self._handle:
            return self._skip(kind, "unknown to this version")
        if self.state["parent"] is None and kind != "start":
            return self._skip(kind, "its run could not be made")
        try:
            self._tell(kind, event)
        except Exception as error:
            if not isinstance(error, StoreError) and not is_refusal(error):
                raise  # MLflow is away: later
            return self._skip(kind, " ".join(str(error).split())[:300])
        return kind

    def _tell(self, kind: str, event: Event) -> None:
        """Log an event; up to TRIES times if MLflow refuses it."""
        for _ in range(TRIES - 1):
            try:
                return self._handle[kind](event)
            except Exception as error:
                if not is_refusal(error):
                    raise
                time.sleep(PAUSE)
        return self._handle[kind](event)

    def _skip(self, kind: str, reason: str) -> str:
        self.skipped += 1
        print(f"tracker: {self.folder.name}: skipped an event {kind!r}: {reason}", file=sys.stderr)
        return kind

    def _start_over_elsewhere(self) -> None:
        """Begin at the first event if MLflow does not know the run: another server, or deleted."""
        parent = self.state["parent"]
        if parent is not None and not self.log.has(parent):
            self.state = {"position": 0, "parent": None, "children": {}}

    def _save(self) -> None:
        write_text(self.folder / "logged.json", json.dumps(self.state) + "\n")

    # --- events

    def _start(self, event: Event) -> None:
        self.state["study_key"] = event["study_key"]
        self.state["experiment"] = self.log.experiment(event["study"])
        self.state["params"] = event["params"]
        self.state["swept"] = event.get("swept", [])
        tags = {
            "ilmlip.run": event["run"],
            "ilmlip.study": event["study_key"],
            "ilmlip.stage": "run",
            "ilmlip.system": str(event["params"].get("system", "")),
        }
        name = f"{event['study']} {event['run']}"
        parent = self.log.run(self.state["experiment"], "ilmlip.run", name, tags, event["time"])
        self.state["parent"] = parent
        self.log.params(parent, event["params"])
        self.log.text(parent, json.dumps(event["spec"], indent=1), "spec.json")

    def _began(self, event: Event) -> None:
        """A run of dynamics begins: its curves are logged as they grow."""
        if event["stage"] in DYNAMICS:
            self._open(event, event["time"])
            self.state.setdefault("begun", {})[event["key"]] = dict(event)

    def _task(self, event: Event) -> None:
        if event["stage"] not in SHOWN:
            return
        self.state.get("begun", {}).pop(event["key"], None)
        result = self.store.result(event["key"])
        if result is None:
            self._is_gone(event["key"])
            child = self.log.find(self.state["experiment"], "ilmlip.task", event["key"])
            if child is not None:  # it had begun, or failed before
                self.log.untag(child, *OF_A_FAILURE)
                self.log.end(child, "FINISHED", event["time"])
        elif event["stage"] in CHILDREN:
            self._child(event, result)
        elif event["stage"] == "evaluate":
            self._evaluation(event, result)
        elif event["stage"] == "package":
            self._package(event, result)

    def _child(self, event: Event, result: Result) -> str:
        """The child run of a training or MD run, with all that its result holds."""
        child = self._open(event, result.started)
        logged = self.log.digest_of(child)
        if logged not in (None, result.digest):  # computed again, and other numbers came of it
            self.log.delete(child)
            child = self._open(event, result.started)
        self.log.untag(child, *OF_A_FAILURE)
        if logged == result.digest:
            self.log.end(child, "FINISHED", result.started + result.seconds)
            return child
        grown = event["stage"] in DYNAMICS
        points = sample_curve(result) if grown else training_curve(result)
        self.log.curve(child, points, result.started, result.seconds, grown=grown)
        numbers = {k: float(v) for k, v in result.values.items() if isinstance(v, (int, float))}
        # of the finished model, after the last step: its curve may have a point of the same name
        last = max((step for step, _, _ in points), default=0)
        ended = result.started + result.seconds
        # of two points at one step and time MLflow shows the larger one: ours comes after the curve
        self.log.metrics(child, {**numbers, "seconds": result.seconds}, ended + 0.001, last)
        for key, digest in result.inputs.items():
            if key.startswith("dataset-"):
                self.log.dataset(child, key, digest, str(self.store.folder(key)))
        for name in result.files:
            if not name.endswith((".extxyz", ".extxyz.gz", ".data")):
                self.log.file(child, result.path / name)
        self.log.tags(child, {RESULT: result.digest})
        self.log.end(child, "FINISHED", ended)
        return child

    def _open(self, event: Event, started: float) -> str:
        """Find or make the child run of a task; the same one however often it is logged."""
        about = event["about"]
        tags = {
            "ilmlip.task": event["key"],
            "ilmlip.study": self.state["study_key"],
            "ilmlip.stage": event["stage"],
            "ilmlip.system": str(self.state["params"].get("system", "")),
            "mlflow.parentRunId": self.state["parent"],
        }
        experiment = self.state["experiment"]
        name = name_of(event, self.state.get("swept", ()))
        child = self.log.run(experiment, "ilmlip.task", name, tags, started)
        self.log.rename(child, name_of(event), name)
        self.log.params(child, {**about, "stage": event["stage"]})
        self.state["children"][event["key"]] = child
        return child

    def _evaluation(self, event: Event, result: Result) -> None:
        """Metrics of one test composition on the model's run."""
        about = event["about"]
        if "model" not in about:
            return  # a model from outside: the study did not train it
        child = self._model_run(about)
        if child is None:
            return
        x = about["composition"]
        numbers: dict[str, float] = {}
        for name, value in result.values.items():
            if isinstance(value, (int, float)) and not name.endswith(("_stderr", "n_frames")):
                numbers[f"{name}/{x}"] = float(value)
        for ion, energy in result.values.get("ion_energies", {}).items():
            numbers[f"ion_energy_{ion}/{x}"] = float(energy)
        self.log.metrics(child, numbers, result.started + result.seconds)
        self.state["evaluated"] = sorted({*self.state.get("evaluated", []), child})

    def _package(self, event: Event, result: Result) -> None:
        """The packaged model on the run of its training."""
        child = self._model_run(event["about"])
        if child is not None:
            (name,) = result.files
            self.log.model(child, result.path / name, result.digest, result.tools)

    def _means(self, when: float) -> None:
        """The means over test compositions of every model that was evaluated.

        Once, at the end: a mean over those that happen to be done compares with no other.
        """
        for child in self.state.get("evaluated", []):
            if not self.log.has(child):
                continue
            over: dict[str, list[float]] = {}
            for metric, value in self.log.metrics_of(child).items():
                name, slash, _ = metric.partition("/")
                if slash:
                    over.setdefault(name, []).append(value)
            self.log.metrics(child, {name: statistics.fmean(v) for name, v in over.items()}, when)

    def _model_run(self, about: Mapping[str, Any]) -> str | None:
        """The run of an evaluated model: of this study's run, an earlier one, or made now.

        None if there is no such run and the model is gone from the store.
        """
        key = str(about["model"])
        known = self.state["children"].get(key)
        if known is not None and self.log.has(known):
            return str(known)
        found = self.log.find(self.state["experiment"], "ilmlip.task", key)
        if found is None:
            result = self.store.result(key)
            if result is None:
                self._is_gone(key)
                return None
            model = {k: v for k, v in about.items() if k not in ("composition", "model")}
            merged = {**self.state["params"], **model}
            found = self._child({"key": key, "stage": result.stage, "about": merged}, result)
        self.state["children"][key] = found
        return str(found)

    def _failed(self, event: Event) -> None:
        if event["stage"] not in CHILDREN:
            return
        self.state.get("begun", {}).pop(event["key"], None)
        child = self._open(event, event["time"])
        why = (event["reason"], event["log"])
        self.log.tags(child, dict(zip(OF_A_FAILURE, why, strict=True)))
        self.log.end(child, "FAILED", event["time"])

    def _end(self, event: Event) -> None:
        self._means(event["time"])
        parent = self.state["parent"]
        outputs = {name: self.folder / path for name, path in event["outputs"].items()}
        for path in outputs.values():
            if path.is_file():
                self.log.file(parent, path)
        findings = outputs.get("findings")
        if findings is not None and findings.is_file():
            found = json.loads(findings.read_text(encoding="utf-8"))
            values = {f"finding/{f['name']}": f["value"] for f in found if f["value"] is not None}
            self.log.metrics(parent, values, event["time"])
            self.log.tags(parent, {f"finding.{f['name']}": str(f["holds"]) for f in found})
        self._close(event["time"])
        self.log.end(parent, STATUS.get(event["status"], "FAILED"), event["time"])

    def _abandoned(self) -> None:
        """The driver died without a last word."""
        if self.state["parent"] is not None:
            heard = float(self.state.get("heard", 0.0))
            self._means(heard)
            self._close(heard)
            self.log.end(self.state["parent"], "KILLED", heard)

    def _close(self, when: float) -> None:
        """Tasks that had begun and of which nothing more was said, and calls that came twice."""
        for key, event in self.state.pop("begun", {}).items():
            result = self.store.result(key)
            if result is None:
                self.log.stop(self.state["children"][key], when)
            else:
                self._child(event, result)
        self.log.unite(self.state["experiment"], self.state["parent"])

    def _is_gone(self, key: str) -> None:
        if key not in self.gone:
            self.gone.append(key)
            print(f"tracker: {self.folder.name}: {key} is gone from the store", file=sys.stderr)


def name_of(event: Event, swept: Sequence[str] = ()) -> str:
    """A run's name for people: "0.4+0.6 seed 1", "0.4 linear", "MD x = 0.4 structure 0".

    In a sweep what was swept follows: "0.4+0.6 seed 1 r_max=5".
    """
    about = event["about"]
    more = "".join(f" {name}={about[name]}" for name in swept if name in about)
    plain = _plain_name(event)
    over = len(plain) + len(more) - LONGEST_NAME
    if over > 0:  # what was swept tells runs apart
        plain = f"{plain[: max(LONGEST_NAME // 3, len(plain) - over - 1)]}…"
    return f"{plain}{more}"[:LONGEST_NAME]


def _plain_name(event: Event) -> str:
    about = event["about"]
    if event["stage"] == "sample":
        return f"MD x = {about.get('composition')} structure {about.get('structure')}"
    if event["stage"] == "explore":
        where = f"{about.get('training')} round {about.get('round')} x = {about.get('composition')}"
        return f"MD of {where} {about.get('T'):g} K"
    if event["stage"] == "md":
        return (
            f"MD of {about.get('training')} seed {about.get('seed')} x = {about.get('composition')} "
            f"{about.get('T'):g} K {about.get('replica')}"
        )
    end = f"seed {about['seed']}" if "seed" in about else str(about.get("kind", ""))
    return f"{about.get('training')} {end}".strip()
