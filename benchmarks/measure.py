"""Time, processor time and memory of a process, and statistics of repetitions."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
TAIL = 2000
"""Characters of a failed process's output that are shown."""
LOG = "benchmark.log"
"""What the last measured process wrote, in its folder."""
LOOK = 0.02
"""Seconds between looks at a process's memory."""


@dataclass(frozen=True)
class Used:
    """What a process took, with all its descendants."""

    wall: float
    """s, from its start to its own end."""
    cpu: float
    """s, user and system."""
    peak: float
    """MiB, the most that the process itself held, without its descendants."""


def measure(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> Used:
    """Run a command in a folder. Raises RuntimeError with the end of its output if it fails."""
    paths = [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
    threads = {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    log = folder / LOG
    with log.open("wb") as out:
        before, began = _cpu(), time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **threads, **(environment or {})},
        )
        with _Peak(process.pid) as peak:
            status = process.wait()
            wall = time.monotonic() - began
    _reap()
    if status != 0:
        raise RuntimeError(
            f"{command} ended with {status}:\n{log.read_text(encoding='utf-8')[-TAIL:]}"
        )
    return Used(wall, _cpu() - before, peak.mib)


def answer(folder: Path) -> dict[str, Any]:
    """The JSON object, on one line, that the last process measured in a folder printed."""
    lines = (folder / LOG).read_text(encoding="utf-8").splitlines()
    found: dict[str, Any] = json.loads(next(x for x in reversed(lines) if x.startswith("{")))
    return found


class _Peak:
    """Looks at the peak memory of a process while it runs.

    What `wait4` tells is no use: it is at least what the parent held when it started the process.
    """

    def __init__(self, pid: int) -> None:
        self.mib = 0.0
        self._file = Path(f"/proc/{pid}/status")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> _Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while True:
            with contextlib.suppress(OSError):
                for line in self._file.read_text(encoding="utf-8").splitlines():
                    if line.startswith("VmHWM:"):
                        self.mib = int(line.split()[1]) / 1024
            if self._over.wait(LOOK):
                return


def python(module: str, *words: object) -> list[str]:
    """The command that runs a module of ours by this Python."""
    return [sys.executable, "-m", module, *map(str, words)]


def adopt_orphans(yes: bool = True) -> None:
    """Have Linux give this process the orphans of its descendants, whose time counts as well."""
    set_child_subreaper = 36
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(set_child_subreaper, int(yes))


def _reap() -> None:
    """Wait for adopted orphans, which finish what they do."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def spread(values: Sequence[float], form: Callable[[float], str]) -> str:
    """The median and, in brackets, the smallest and the largest value."""
    low, high = form(min(values)), form(max(values))
    return f"{form(statistics.median(values))} ({low}–{high})"


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def ratio(value: float) -> str:
    """Three decimals."""
    return f"{value:.3f}"
