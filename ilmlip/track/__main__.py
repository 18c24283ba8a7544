"""`python -m ilmlip.track STORE URI`: log everything that waits, then follow what still runs."""

from __future__ import annotations

import contextlib
import fcntl
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ilmlip.store import Store
from ilmlip.track import is_complete, runs
from ilmlip.track.follow import Follower
from ilmlip.track.mlflow_log import Log, connect

POLL = 0.5
"""Seconds between looks at the events of a run that goes on."""


def main() -> int:
    """Exit status 0 when everything is logged, 1 when MLflow failed or refused something."""
    store, uri = Store(Path(sys.argv[1])), sys.argv[2]
    with _alone(store.root / "tracking" / "lock"):
        try:
            return 0 if follow(store, connect(uri)) == 0 else 1
        except Exception as error:  # whatever MLflow raises: it waits in the store
            text = " ".join(str(error).split())[:500]
            print(f"tracker: {uri}: {type(error).__name__}: {text}", file=sys.stderr)
            return 1


def follow(store: Store, client: Log) -> int:
    """Log every run of the store until none is open; returns how many events were skipped."""
    known: dict[Path, Follower] = {}
    while waiting := [folder for folder in runs(store.root) if not is_complete(folder)]:
        for folder in waiting:
            if folder not in known:
                known[folder] = Follower(folder, store, client)
        done = [known[folder].catch_up() for folder in waiting]
        if not all(done):
            time.sleep(POLL)
    return sum(follower.skipped for follower in known.values())


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One tracker a store at a time; another waits for its turn."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
