"""`python -m ilmlip.track STORE URI [--rebuild]`: log what waits, then follow what still runs."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO
from urllib.parse import unquote, urlsplit

from ilmlip.store import Store
from ilmlip.track import URI, is_complete, runs, whole
from ilmlip.track.alive import driver_lives, goes_on
from ilmlip.track.follow import Follower
from ilmlip.track.mlflow_log import Log, connect
from ilmlip.uri import hidden, remember, shown

POLL = 0.5
"""Seconds between looks at the events of a run that goes on."""
AGAIN = 10.0
"""Seconds until MLflow is tried again while a run goes on."""


def main() -> int:
    """Exit status 0 when everything is logged, 1 when MLflow failed or refused something.

    While a run goes on MLflow may go and come back: it is tried again. Afterwards it is not, since
    somebody may wait for us.
    """
    store, uri = Store(Path(sys.argv[1])), remember(sys.argv[2])
    address = address_of(uri)
    sys.stdout, sys.stderr = Discreet(sys.stdout), Discreet(sys.stderr)
    told = ""
    with _alone(store.root / "tracking" / "lock"):
        forgotten = "--rebuild" not in sys.argv[3:]
        while True:
            try:
                client = connect(address)
                if not forgotten:
                    forget(store, client)
                    forgotten = True
                return 0 if follow(store, client) == 0 else 1
            except Exception as error:  # whatever MLflow raises: it waits in the store
                text = f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
                if text != told:
                    print(f"tracker: {uri}: {text}", file=sys.stderr, flush=True)
                told = text
                if not any(map(goes_on, runs(store.root))):
                    return 1
                time.sleep(AGAIN)


def address_of(uri: str) -> str:
    """The full address that MLflow is given; that of a server without its user and password.

    MLflow takes these from its own variables as well, and then writes them into no message.
    """
    full = whole(uri)
    os.environ.pop(URI, None)
    remember(full)
    parts = urlsplit(full)
    if parts.scheme in ("http", "https") and parts.username and parts.password:
        os.environ["MLFLOW_TRACKING_USERNAME"] = unquote(parts.username)
        os.environ["MLFLOW_TRACKING_PASSWORD"] = unquote(parts.password)
        return shown(full)
    return full


class Discreet(io.TextIOBase):
    """A text stream that writes no secret of a URI, whoever writes to it (MLflow, a driver)."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text without secrets."""
        self._stream.write(hidden(text))
        return len(text)

    def flush(self) -> None:
        """Pass on what was written."""
        self._stream.flush()

    def fileno(self) -> int:
        """The stream's own descriptor."""
        return self._stream.fileno()


def follow(store: Store, client: Log) -> int:
    """Log every run of the store until none is open; returns how many events were skipped."""
    known: dict[Path, Follower] = {}
    while waiting := [folder for folder in runs(store.root) if not is_complete(folder)]:
        for folder in waiting:
            if folder not in known:
                known[folder] = Follower(folder, store, client)
        if not _take_turns([known[folder] for folder in waiting]):
            time.sleep(POLL)
    return sum(follower.skipped for follower in known.values())


def _take_turns(followers: list[Follower]) -> bool:
    """Log all events in the order in which they happened; True if no more of any are awaited.

    What a run finds in MLflow is then what it would have found while it ran: a model that another
    run had trained, the means at its end.
    """
    alive = {one: driver_lives(one.folder) for one in followers}  # before its last word is read
    turns = {one: one.next_time() for one in followers}
    done = [one.settle(alive[one]) for one, when in turns.items() if when is None]
    due = {one: when for one, when in turns.items() if when is not None}
    while due:
        first = min(due, key=lambda one: due[one])
        first.step()
        after = first.next_time()
        if after is None:
            done.append(first.settle(alive[first]))
            del due[first]
        else:
            due[first] = after
    return all(done)


def forget(store: Store, client: Log) -> None:
    """Delete what MLflow holds of the store's runs, and begin at their first events again."""
    for folder in runs(store.root):
        (folder / "logged.json").unlink(missing_ok=True)
    for folder in runs(store.root):
        with (
            (folder / "events.jsonl").open(encoding="utf-8") as lines,
            contextlib.suppress(ValueError, KeyError),
        ):
            first = json.loads(next(lines, "{}"))
            client.forget(first["study"], first["run"])


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One tracker a store at a time; another waits for its turn."""
    with path.open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            sys.exit(
                f"tracker: {path}: cannot be locked ({error.strerror}), and two trackers at once would "
                "log twice; put the store on a file system with locks, or run with tracking=none"
            )
        yield


if __name__ == "__main__":
    sys.exit(main())
