"""Whether results are what their manifests say, and setting aside those that are not."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path

from ilmlip.errors import DamagedError
from ilmlip.execute.claims import Claims
from ilmlip.hashing import digest, file_digest
from ilmlip.store import Failure, Result, Store, stage_of

Stamp = tuple[str, int, int, int]
"""Path, inode, time and size of a file: as long as these stay, so do its bytes."""


ASIDE = "damaged"
"""Folder of a failure that holds a damaged result."""


class Sound:
    """Results that this process has compared with their manifests, each file once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[Stamp, str] = {}

    def damaged(self, keys: Collection[str]) -> dict[str, str]:
        """What is wrong with each damaged result, by key; those that are not there are not damaged."""
        return {key: what for key in dict.fromkeys(keys) if (what := self.damage(key))}

    def damage(self, key: str) -> str:
        """What is wrong with a result; empty if it is sound or not there."""
        for _ in range(3):
            try:
                result = self._store.result(key)
            except DamagedError:
                return "its manifest cannot be read"
            what = self._lack(key) if result is None else self._what(result)
            if not what or self._store.result(key) == result:
                return what
        return ""  # it is being replaced

    def _lack(self, key: str) -> str:
        return "it has no manifest" if self._store.folder(key).exists() else ""

    def _what(self, result: Result) -> str:
        wrong = [n for n, own in result.files.items() if self._digest(result.path / n) != own]
        if wrong:
            return f"{', '.join(wrong)}: missing, or other than when it was made"
        values = digest("ilmlip.result", {"files": result.files, "values": result.values})
        return "" if values == result.digest else "its values are other than when it was made"

    def _digest(self, path: Path) -> str:
        try:
            about = path.stat()
            stamp = (str(path), about.st_ino, about.st_mtime_ns, about.st_size)
            if stamp not in self._known:
                self._known[stamp] = file_digest(path)
        except OSError:
            return ""
        return self._known[stamp]


def set_aside(store: Store, claims: Claims, key: str) -> None:
    """Keep a damaged result as a failure, so that it is made again; nothing if it is sound by now."""
    with claims.holding(key) as mine:
        what = Sound(store).damage(key) if mine else ""
        if not what:
            return
        reason = f"damaged: {what}; it was set aside, to be made again"
        failure = Failure(key, stage_of(key), reason, "", "", time.time())
        store.publish_failure(failure, store.folder(key), ASIDE)


def is_aside(store: Store, key: str) -> bool:
    """Whether a result was set aside and has not been made again, nor failed, since."""
    return not store.folder(key).exists() and (store.failed_folder(key) / ASIDE).exists()
