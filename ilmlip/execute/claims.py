"""Who computes a key now: two drivers on one store run each task once.

A claim is a file made under its name in one step that only one process can do: by a hard link, or
where the file system has none by an exclusive create. Its holder touches it while it lives. On one
machine a claim is dead when its process is. That of another machine is dead when this process has
seen it untouched for SILENT seconds of its own clock that nobody sets; clocks of two machines are
never compared.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from ilmlip.execute.owner import Owner, me

TOUCH: float = 20.0
"""Seconds between signs of life."""
SILENT: float = 300.0
"""Seconds without a sign after which a claim of another machine is taken over."""
HALF: float = 10.0
"""Seconds after which a claim that cannot be read was left so by a writer that died."""
NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)
"""What file systems without hard links answer (exFAT, FAT, many FUSE and SMB mounts)."""
LOCK = "lock"
clock = time.monotonic
"""Seconds that no one can set."""


class Claims:
    """The claims of one store, as seen by this process."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "claims"
        self._held: set[Path] = set()
        self._watched: dict[Path, tuple[int, float]] = {}
        """Of claims that another machine holds: when they were touched, and since when we know."""
        self._lock = threading.Lock()
        self._beat: threading.Thread | None = None

    def take(self, key: str) -> bool:
        """Claim a key; False if a living process holds it. A dead claim is taken over."""
        path = self.folder / f"{key}.json"
        for _ in range(3):
            if _make(path, json.dumps(me().plain())):
                self._hold(path)
                return True
            if self.is_alive(key):
                return False
            self.bury(key)
        return False

    def bury(self, key: str) -> None:
        """Remove a dead claim; of several processes that found it dead, only one may.

        They take turns by a lock, which the kernel gives back when one dies, and each looks again.
        Where there are no locks, two that find one claim dead within milliseconds of each other
        might both take it over; the result of one is then dropped (see `is_mine`).
        """
        with (self.folder / LOCK).open("a", encoding="utf-8") as turn:
            with contextlib.suppress(OSError):
                fcntl.flock(turn, fcntl.LOCK_EX)
            if self._look(key) == "dead":  # where there is none, a living one may just be made
                (self.folder / f"{key}.json").unlink(missing_ok=True)

    def is_alive(self, key: str) -> bool:
        """Whether a living process holds the key's claim, as far as this process can have seen."""
        return self._look(key) == "alive"

    def _look(self, key: str) -> Literal["alive", "dead", "none"]:
        """What there is of a key's claim, as far as this process can have seen."""
        path = self.folder / f"{key}.json"
        try:
            touched = path.stat().st_mtime_ns
            owner = _owner(path)
        except FileNotFoundError:
            self._watched.pop(path, None)
            return "none"
        lives = owner.lives() if owner else None
        if lives is not None:
            return "alive" if lives else "dead"
        before, since = self._watched.get(path, (None, 0.0))
        if before != touched:
            self._watched[path] = touched, clock()
            return "alive"
        return "alive" if clock() - since < (SILENT if owner else HALF) else "dead"

    def alive(self) -> set[str]:
        """Every key that a living process seems to hold, for a command that cannot wait and see.

        A claim of another machine counts by the file system's own clock, which made both times.
        """
        found, now = set(), None
        for path in self.folder.glob("*.json"):
            try:
                touched, owner = path.stat().st_mtime, _owner(path)
            except FileNotFoundError:
                continue
            lives = owner.lives() if owner else None
            if lives is None:
                now = self._now() if now is None else now
                lives = now - touched < SILENT
            if lives:
                found.add(path.stem)
        return found

    def is_mine(self, key: str) -> bool:
        """Whether this process still holds a claim: one that slept too long may have lost it."""
        try:
            return _owner(self.folder / f"{key}.json") == me()
        except FileNotFoundError:
            return False

    def release(self, key: str) -> None:
        """Give a claim back, unless it was lost."""
        path = self.folder / f"{key}.json"
        with self._lock:
            self._held.discard(path)
        if self.is_mine(key):
            path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def holding(self, key: str) -> Iterator[bool]:
        """`with claims.holding(key) as mine:` — released at the end if it was taken."""
        mine = self.take(key)
        try:
            yield mine
        finally:
            if mine:
                self.release(key)

    def _now(self) -> float:
        """The time by the file system that holds the claims; ours where nothing can be written."""
        probe = self.folder / f".now.{uuid.uuid4().hex[:8]}"
        try:
            probe.touch()
            return probe.stat().st_mtime
        except OSError:
            return time.time()
        finally:
            with contextlib.suppress(OSError):
                probe.unlink()

    def _hold(self, path: Path) -> None:
        with self._lock:
            self._held.add(path)
            if self._beat is None:
                self._beat = threading.Thread(target=self._touch_held, daemon=True)
                self._beat.start()

    def _touch_held(self) -> None:
        while True:
            time.sleep(TOUCH)
            with self._lock:
                held = list(self._held)
                if not held:
                    self._beat = None
                    return
            for path in held:
                with contextlib.suppress(OSError):
                    os.utime(path)  # never makes it again


def _owner(path: Path) -> Owner | None:
    """Who made a claim; None if that cannot be read (yet). Raises FileNotFoundError if it is gone."""
    try:
        return Owner.of(json.loads(path.read_text(encoding="utf-8")))
    except ValueError:
        return None


def _make(path: Path, text: str) -> bool:
    """Make a file that is not there yet, by one process of all that try; False if it was there."""
    own = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}")
    try:
        own.write_text(text, encoding="utf-8")
        with contextlib.suppress(FileExistsError):
            os.link(own, path)
            return True
        return own.stat().st_nlink > 1  # made, though a server's answer was lost on the way
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise
        return False  # swept away by another driver
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
    finally:
        own.unlink(missing_ok=True)
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        return False
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return True
