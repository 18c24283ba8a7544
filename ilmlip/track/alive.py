"""Whether a run may still say more."""

from __future__ import annotations

import json
from pathlib import Path

import psutil

SLACK = 60.0
"""Seconds by which the clocks of processes and files may disagree."""


def driver_lives(folder: Path) -> bool:
    """Whether the driver of a run may still write events; a later process of its pid may not."""
    note = folder / "driver.pid"
    try:
        process = psutil.Process(int(note.read_text(encoding="utf-8")))
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return bool(process.create_time() < note.stat().st_mtime + SLACK)
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return False


def goes_on(folder: Path) -> bool:
    """Whether a process feeds a run that has not told of its end."""
    *_, last = (folder / "events.jsonl").read_bytes().rstrip(b"\n").split(b"\n")
    try:
        ended = json.loads(last)["event"] == "end"
    except (ValueError, KeyError, TypeError):
        ended = False
    return not ended and driver_lives(folder)
