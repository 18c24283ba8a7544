"""Who computes a key now: two drivers on one store run each task once.

A claim is a file made under its name by a hard link, which only one process can do. Its holder
touches it while it lives. On the same host a claim is dead when its process is; a claim of
another host is dead when it has not been touched for SILENT seconds.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil

TOUCH: float = 20.0
"""Seconds between signs of life."""
SILENT: float = 300.0
"""Seconds without a sign after which a claim of another host is taken over."""


class Claims:
    """The claims of one store, as seen by this process."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "claims"
        self._held: set[Path] = set()
        self._lock = threading.Lock()
        self._beat: threading.Thread | None = None

    def take(self, key: str) -> bool:
        """Claim a key; False if a living process holds it. A dead claim is taken over."""
        path = self.folder / f"{key}.json"
        mine = self.folder / f".{key}.{uuid.uuid4().hex[:8]}"
        me = psutil.Process()
        mine.write_text(
            json.dumps({"host": socket.gethostname(), "pid": me.pid, "born": me.create_time()})
        )
        try:
            for _ in range(3):
                with contextlib.suppress(FileExistsError):
                    os.link(mine, path)
                    self._hold(path)
                    return True
                if self.is_alive(key):
                    return False
                self._bury(path)
            return False
        finally:
            mine.unlink()

    def _bury(self, path: Path) -> None:
        """Remove a dead claim: of several that try, one rename succeeds."""
        grave = path.with_name(f".dead.{uuid.uuid4().hex[:8]}")
        with contextlib.suppress(FileNotFoundError):
            path.rename(grave)
            grave.unlink()

    def is_alive(self, key: str) -> bool:
        """Whether a living process holds the key's claim."""
        path = self.folder / f"{key}.json"
        try:
            claim = json.loads(path.read_text())
            silent = time.time() - path.stat().st_mtime
        except FileNotFoundError:
            return False
        except ValueError:
            return True  # just being written by a file system without atomic links
        if claim["host"] != socket.gethostname():
            return silent < SILENT
        try:
            return bool(abs(psutil.Process(claim["pid"]).create_time() - claim["born"]) < 1.0)
        except psutil.NoSuchProcess:
            return False

    def alive(self) -> set[str]:
        """Every key that a living process holds."""
        keys = {p.stem for p in self.folder.glob("*.json")}
        return {key for key in keys if self.is_alive(key)}

    def release(self, key: str) -> None:
        """Give a claim back."""
        path = self.folder / f"{key}.json"
        with self._lock:
            self._held.discard(path)
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
            for path in held:
                with contextlib.suppress(OSError):
                    path.touch()
