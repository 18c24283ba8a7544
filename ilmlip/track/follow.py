"""Follows the events of one run into MLflow, and remembers how far it got."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ilmlip.errors import StoreError
from ilmlip.store import Result, Store, write_text
from ilmlip.track import progress
from ilmlip.track.curves import sample_curve, training_curve
from ilmlip.track.mlflow_log import Log

Event = Mapping[str, Any]
CHILDREN = ("train", "fit_linear", "sample")
"""Stages that have a run of their own in MLflow."""


class Follower:
    """One run's events; `client` writes to MLflow."""

    def __init__(self, folder: Path, store: Store, client: Log) -> None:
        self.folder, self.store, self.log = folder, store, client
        self.state = progress(folder)
        self._handle: dict[str, Callable[[Event], None]] = {
            "start": self._start,
            "task": self._task,
            "failed": self._failed,
            "end": self._end,
        }

    def catch_up(self) -> bool:
        """Log every event that is there; True once the run is complete in MLflow.

        The position is saved after each event, and each event is logged so that doing it again
        changes nothing: a tracker that dies in between repeats one event at the most.
        """
        if self.state.get("complete"):
            return True
        with (self.folder / "events.jsonl").open() as lines:
            lines.seek(self.state["position"])
            while (line := lines.readline()).endswith("\n"):
                event = json.loads(line)
                self._handle[event["event"]](event)
                self.state["position"] = lines.tell()
                self.state["complete"] = event["event"] == "end"
                self._save()
        if not self.state.get("complete") and not driver_lives(self.folder):
            self._abandoned()
        return bool(self.state.get("complete"))

    def _save(self) -> None:
        write_text(self.folder / "logged.json", json.dumps(self.state) + "\n")

    # --- events

    def _start(self, event: Event) -> None:
        self.state["study_key"] = event["study_key"]
        self.state["experiment"] = self.log.experiment(event["study"])
        self.state["params"] = event["params"]
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

    def _task(self, event: Event) -> None:
        result = self.store.result(event["key"])
        if result is None:
            return
        if event["stage"] in CHILDREN:
            self._child(event, result)
        elif event["stage"] == "evaluate":
            self._evaluation(event, result)

    def _child(self, event: Event, result: Result) -> str:
        """The child run of a training or MD run, with all that its result holds."""
        child = self._open(event, result.started)
        curve = sample_curve if event["stage"] == "sample" else training_curve
        self.log.curve(child, curve(result), result.started, result.seconds)
        numbers = {k: float(v) for k, v in result.values.items() if isinstance(v, (int, float))}
        self.log.metrics(child, {**numbers, "seconds": result.seconds})
        for key, digest in result.inputs.items():
            if key.startswith("dataset-"):
                self.log.dataset(child, key, digest, str(self.store.folder(key)))
        for name in result.files:
            if not name.endswith((".extxyz", ".data")):
                self.log.file(child, result.path / name)
        self.log.end(child, "FINISHED", result.started + result.seconds)
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
        child = self.log.run(experiment, "ilmlip.task", name_of(event), tags, started)
        self.log.params(child, {**about, "stage": event["stage"]})
        self.state["children"][event["key"]] = child
        return child

    def _evaluation(self, event: Event, result: Result) -> None:
        """Metrics of one test composition on the model's run, and the means over compositions."""
        about = event["about"]
        child = self._model_run(about)
        x = about["composition"]
        numbers: dict[str, float] = {}
        for name, value in result.values.items():
            if isinstance(value, (int, float)) and not name.endswith(("_stderr", "n_frames")):
                numbers[f"{name}/{x}"] = float(value)
        for ion, energy in result.values.get("ion_energies", {}).items():
            numbers[f"ion_energy_{ion}/{x}"] = float(energy)
        self.log.metrics(child, numbers)
        there = self.log.metrics_of(child)
        for name in {metric.split("/")[0] for metric in numbers}:
            over = [value for metric, value in there.items() if metric.startswith(f"{name}/")]
            self.log.metrics(child, {name: statistics.fmean(over)})

    def _model_run(self, about: Mapping[str, Any]) -> str:
        """The run of an evaluated model: of this study's run, an earlier one, or made now."""
        key = str(about["model"])
        if key in self.state["children"]:
            return str(self.state["children"][key])
        found = self.log.find(self.state["experiment"], "ilmlip.task", key)
        if found is None:
            result = self.store.result(key)
            if result is None:
                raise StoreError(f"{self.store.folder(key)}: the evaluated model is gone")
            model = {k: v for k, v in about.items() if k not in ("composition", "model")}
            merged = {**self.state["params"], **model}
            found = self._child({"key": key, "stage": result.stage, "about": merged}, result)
        self.state["children"][key] = found
        return str(found)

    def _failed(self, event: Event) -> None:
        if event["stage"] not in CHILDREN:
            return
        child = self._open(event, event["time"])
        self.log.tags(child, {"ilmlip.reason": event["reason"], "ilmlip.log": event["log"]})
        self.log.end(child, "FAILED", event["time"])

    def _end(self, event: Event) -> None:
        parent = self.state["parent"]
        for path in event["outputs"].values():
            if Path(path).is_file():
                self.log.file(parent, Path(path))
        findings = event["outputs"].get("findings")
        if findings and Path(findings).is_file():
            found = json.loads(Path(findings).read_text())
            values = {f"finding/{f['name']}": f["value"] for f in found if f["value"] is not None}
            self.log.metrics(parent, values)
            self.log.tags(parent, {f"finding.{f['name']}": str(f["holds"]) for f in found})
        self.log.end(parent, "FINISHED" if event["status"] == "done" else "FAILED", event["time"])

    def _abandoned(self) -> None:
        """The driver died without a last word."""
        if self.state["parent"] is not None:
            self.log.end(self.state["parent"], "KILLED", None)
        self.state["complete"] = True
        self._save()


def name_of(event: Event) -> str:
    """A run's name for people: "0.4+0.6 seed 1", "0.4 linear", "MD x = 0.4 structure 0"."""
    about = event["about"]
    if event["stage"] == "sample":
        return f"MD x = {about.get('composition')} structure {about.get('structure')}"
    end = f"seed {about['seed']}" if "seed" in about else str(about.get("kind", ""))
    return f"{about.get('training')} {end}".strip()


def driver_lives(folder: Path) -> bool:
    """Whether the driver of a run may still write events."""
    try:
        os.kill(int((folder / "driver.pid").read_text()), 0)
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True
