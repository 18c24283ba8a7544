"""What dead attempts and finished jobs leave in a store, and taking it out."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Collection
from pathlib import Path

from ilmlip.execute.claims import Claims
from ilmlip.store import Store

DONE = "done.jsonl"
"""In a run's folder: what the workers of jobs reported that ended well."""
WELL = ("done", "there", "busy")


def clear(store: Store, key: str) -> None:
    """Remove the work folders of earlier attempts at a key that is claimed."""
    for left in (store.root / "work").glob(f"{key}.*"):
        shutil.rmtree(left, ignore_errors=True)


def sweep(store: Store, claims: Claims, keys: Collection[str]) -> None:
    """Remove what dead attempts left at keys that are done: work, claims, failures, halves of them."""
    for path in _left(store):
        key = path.name.lstrip(".").removeprefix("old.").partition(".")[0]
        if key not in keys or claims.is_alive(key):
            continue
        with contextlib.suppress(OSError):
            if path.parent == claims.folder and not path.name.startswith("."):
                claims.bury(key)
            else:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _left(store: Store) -> list[Path]:
    root = store.root
    halves = [path for kind in ("results", "failed") for path in (root / kind).glob("*/.*")]
    failed = [path for path in (root / "failed").glob("*/*") if not path.name.startswith(".")]
    return [*(root / "work").iterdir(), *(root / "claims").iterdir(), *halves, *failed]


def forget(report: Path, log: Path | None, ends: Collection[str]) -> None:
    """Reduce a job that ended well to what its worker reported; keep all of one that did not."""
    if not all(end in WELL for end in ends):
        return
    with contextlib.suppress(OSError):
        with (report.parent / DONE).open("a", encoding="utf-8") as done:
            done.write(report.read_text(encoding="utf-8"))
        report.unlink()
        if log is not None:
            shutil.rmtree(log.parent)
