"""`python -m ilmlip.track STORE URI`: log everything that waits, then follow what still runs."""

from __future__ import annotations

import contextlib
import fcntl
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ilmlip.store import Store
from ilmlip.track import pending, runs
from ilmlip.track.follow import Follower, driver_lives
from ilmlip.track.mlflow_log import connect

POLL = 0.5
"""Seconds between looks at the events of a run that goes on."""


def main() -> int:
    """Exit status 0 when everything is logged, 1 when MLflow could not be reached or written."""
    store, uri = Store(Path(sys.argv[1])), sys.argv[2]
    with _alone(store.root / "tracking" / "lock"):
        try:
            client = connect(uri)
            while pending(store.root):
                waiting = [
                    folder
                    for folder in runs(store.root)
                    if not Follower(folder, store, client).catch_up() and driver_lives(folder)
                ]
                if not waiting:
                    break
                time.sleep(POLL)
        except Exception as error:  # whatever MLflow raises: it waits in the store
            text = " ".join(str(error).split())[:500]
            print(f"tracker: {uri}: {type(error).__name__}: {text}", file=sys.stderr)
            return 1
    return 0


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One tracker a store at a time; another waits for its turn."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
