"""MLflow, fed from the store in a process of its own: physics never waits for it.

The driver writes events (ilmlip.execute.events); `python -m ilmlip.track STORE URI` turns them
into runs, may be killed and started again at any time, and logs each thing once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ilmlip.spec.profile import profile
from ilmlip.uri import remembered, shown

CONNECTION = (
    "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN",
    "MLFLOW_TRACKING_AUTH", "MLFLOW_TRACKING_AWS_SIGV4", "MLFLOW_TRACKING_INSECURE_TLS",
    "MLFLOW_TRACKING_SERVER_CERT_PATH", "MLFLOW_TRACKING_CLIENT_CERT_PATH", "MLFLOW_HTTP_",
    "MLFLOW_ALLOW_HTTP_REDIRECTS", "MLFLOW_KERBEROS_", "MLFLOW_S3_", "MLFLOW_GCS_", "MLFLOW_BOTO_",
    "MLFLOW_MYSQL_", "MLFLOW_SQLALCHEMYSTORE_", "MLFLOW_ARTIFACT_UPLOAD_", "MLFLOW_WORKSPACE",
    "MLFLOW_ENABLE_PROXY_MULTIPART_", "MLFLOW_ENABLE_MULTIPART_", "MLFLOW_MULTIPART_",
)  # fmt: skip
"""How the variables of MLflow's begin that say how it is reached. Others (MLFLOW_RUN_ID,
MLFLOW_EXPERIMENT_ID …) would change where or what is logged."""
DYNAMICS = ("sample", "md", "explore")
"""Stages that leave a table of a run."""
CHILDREN = ("train", "fit_linear", *DYNAMICS)
"""Stages that have a run of their own in MLflow."""
SHOWN = (*CHILDREN, "evaluate", "package")
"""Stages whose results MLflow shows."""
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
    "OMP_NUM_THREADS": "1",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    "MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING": "false",
}
"""No telemetry: nothing leaves this machine but to the tracking URI itself, and that not forever."""


URI = "ILMLIP_TRACKING_URI"
"""The environment variable by which a tracker gets a full URI: arguments are seen by everybody."""


def whole(uri: str) -> str:
    """The full URI, with password or token, of one that a spec shows.

    What this process was given with the spec, what ILMLIP_TRACKING_URI holds, or what the profile
    lists; the same URI where none of them knows more (a database may find its password elsewhere,
    as in ~/.pgpass). Raises SpecError for a profile that cannot be read.
    """
    if (found := remembered(uri)) != uri:
        return found
    known = [os.environ.get(URI, ""), *profile().tracking]
    return next((one for one in known if shown(one) == uri), uri)


def environment() -> dict[str, str]:
    """This process's environment, without options of MLflow's but those of a connection."""
    kept = {k: v for k, v in os.environ.items() if k.startswith(CONNECTION) or "MLFLOW_" not in k}
    return {**kept, **QUIET}


def spawn(root: Path, uri: str) -> subprocess.Popen[bytes]:
    """Start the tracker of a store; its messages go to `<store>/tracking/tracker.log`.

    In a session of its own: Ctrl-C ends the run, and the tracker tells MLflow of that.
    """
    with (root / "tracking" / "tracker.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "ilmlip.track", str(root), uri],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**environment(), URI: whole(uri)},
        )


def log(root: Path, uri: str, *, rebuild: bool = False) -> bool:
    """Log what waits, told of on stderr, and wait for it; True if MLflow took everything.

    `rebuild`: all of it anew; what MLflow holds of these runs is deleted first.
    """
    words = [sys.executable, "-m", "ilmlip.track", str(root), uri]
    words += ["--rebuild"] if rebuild else []
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, check=False, env={**environment(), URI: whole(uri)}
    )
    return done.returncode == 0


def runs(root: Path) -> list[Path]:
    """The folders of all runs that have events, oldest first."""
    return sorted(path.parent for path in (root / "tracking").glob("*/events.jsonl"))


def pending(root: Path) -> int:
    """How many runs have events that are not in MLflow yet, or are fed by a process that lives."""
    return sum(1 for folder in runs(root) if not is_complete(folder))


def is_complete(folder: Path) -> bool:
    """Whether all events of a run are logged and no more are awaited.

    A run that was given up, or that is detached and goes on without a process that feeds it, is
    open again as soon as it says more.
    """
    state = progress(folder)
    if not state.get("complete", False):
        return False
    read = max(state["position"], state.get("seen", 0))
    return bool(read >= (folder / "events.jsonl").stat().st_size)


def is_detached(folder: Path) -> bool:
    """Whether a run goes on when no process feeds it: a batch system does its work."""
    return (folder / "detached").exists()


def progress(folder: Path) -> dict[str, Any]:
    """How far the tracker got with a run: `position` in its events, the ids of its MLflow runs.

    `seen`: how long the events were when no more were awaited; half a line may stand before it.
    """
    try:
        found: dict[str, Any] = json.loads((folder / "logged.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"position": 0, "parent": None, "children": {}}
    return found
