"""A run as MLflow hears of it: what its first event says, and the tracker that goes beside it."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import Any

from ilmlip import track
from ilmlip.engines.process import ending
from ilmlip.execute.events import Events
from ilmlip.plan.add import About
from ilmlip.plan.compile import about_study, study_key, swept_names
from ilmlip.plan.task import Task
from ilmlip.spec.profile import profile, profile_path
from ilmlip.spec.study import Study, study_data
from ilmlip.spec.types import Spec
from ilmlip.store import Store
from ilmlip.uri import remembered, shown

PATIENCE = 60.0
"""Seconds without progress after which a run waits no longer for what is still to be logged."""


def started(study: Study) -> dict[str, Any]:
    """What the first event of a run says."""
    return {
        "study": study.spec.name,
        "study_key": study_key(study.specs),
        "command": _command(study),
        "spec": study_data(study),
        "params": _about(study),
        "swept": swept_names(study) if len(study.points) > 1 else [],
    }


def _command(study: Study) -> str:
    """What runs the study again, from any folder."""
    found = [str(Path(word).absolute()) if Path(word).is_file() else word for word in study.words]
    return shlex.join(["ilmlip", "run", *found]) if found else ""


def begin(study: Study, store: Store, missed: list[Task], *, detached: bool = False) -> Events:
    """The events of a new run, which first tells what MLflow lacks of what is there."""
    events = Events(store.root)
    events.start(detached=detached, **started(study))
    for task in missed:
        events.task(task)
    return events


def _about(study: Study) -> About:
    """The main parameters that all points share, and how many points there are."""
    first, *others = map(about_study, study.specs)
    same = {k: v for k, v in first.items() if all(other.get(k) == v for other in others)}
    return same if not others else {**same, "points": len(study.points)}


def broken_off(error: BaseException) -> str:
    """The status of a run that an exception ends: killed by Ctrl-C or SIGTERM, else failed."""
    return "killed" if isinstance(error, (KeyboardInterrupt, SystemExit)) else "failed"


def tracker_of(spec: Spec, store: Store) -> subprocess.Popen[bytes] | None:
    """Start the tracker, unless nothing is logged."""
    return track.spawn(store.root, spec.tracking.uri) if spec.tracking.uri else None


def not_for_jobs(spec: Spec) -> list[str]:
    """What to tell the user where jobs of Slurm's cannot log: a password stays in this process."""
    uri = spec.tracking.uri
    if remembered(uri) == uri or any(shown(one) == uri for one in profile().tracking):
        return []
    return [
        f"tracking.uri: jobs of Slurm's do not get the password of {uri}; put the full URI into "
        f"{profile_path()} (tracking: [URI]), else what they log waits for the next `ilmlip run`"
    ]


def caught_up(spec: Spec, store: Store) -> list[str]:
    """Nothing to run; but an earlier run may have found MLflow away."""
    if not spec.tracking.uri or not track.pending(store.root):
        return []
    return logged(tracker_of(spec, store), spec, store)


def logged(
    tracker: subprocess.Popen[bytes] | None, spec: Spec, store: Store, patience: float = PATIENCE
) -> list[str]:
    """Let the tracker finish while it gets on; what to tell the user if it fails or does not.

    Another takes the place of one that was killed; once, since something may kill each of them.
    """
    if tracker is None:
        return []
    log = f"{store.root}/tracking/tracker.log"
    try:
        code = _end(tracker, store, patience)
        if code < 0:
            tracker = track.spawn(store.root, spec.tracking.uri)
            code = _end(tracker, store, patience)
        if code == 0:
            return []
    except subprocess.TimeoutExpired:
        return [
            f"MLflow at {spec.tracking.uri} is slow; logging continues in the background (log: {log})"
        ]
    why = (
        f"what logs to MLflow {ending(code)}, twice"
        if code < 0
        else f"MLflow at {spec.tracking.uri} could not be reached or written"
    )
    return [
        f"{why}; what should be logged waits in the store and is logged by the next run (log: {log})"
    ]


def _end(tracker: subprocess.Popen[bytes], store: Store, patience: float) -> int:
    """Its exit status, awaited as long as it logs something in each such time: machines differ."""
    while True:
        before = _logged(store)
        try:
            return tracker.wait(patience)
        except subprocess.TimeoutExpired:
            if _logged(store) == before:
                raise


def _logged(store: Store) -> int:
    """Bytes of the runs' events that are in MLflow."""
    folders = track.runs(store.root)
    return sum(int(track.progress(folder).get("position", 0)) for folder in folders)
