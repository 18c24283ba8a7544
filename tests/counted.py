"""Work counted rather than timed: calls, modules and files are as many on any machine."""

from __future__ import annotations

import contextlib
import cProfile
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path


def calls_in(profile: cProfile.Profile) -> int:
    """Calls of Python functions that a profile has seen."""
    return sum(entry.callcount for entry in profile.getstats())


@cache
def of_a_plan() -> int:
    """Calls that planning the quickstart takes, everything imported: half a million."""
    from ilmlip.lint.run import lint
    from ilmlip.plan.compile import compile_study
    from ilmlip.spec.load import load_study

    for _ in range(2):  # what the first one imports is not counted
        profile = cProfile.Profile(builtins=False, subcalls=False)
        profile.enable()
        study = load_study(["quickstart"])
        lint(study, compile_study(study.specs))
        profile.disable()
    return calls_in(profile)


@contextlib.contextmanager
def bounded(plans: float = 20) -> Iterator[None]:
    """What is done within makes at most as many calls as so many plans of the quickstart.

    An error that leaves it is passed on uncounted.
    """
    limit = plans * of_a_plan()
    profile = cProfile.Profile(builtins=False, subcalls=False)
    profile.enable()
    try:
        yield
    finally:
        profile.disable()
    assert calls_in(profile) <= limit


@dataclass(frozen=True)
class Command:
    """What one command did, in a process of its own."""

    code: int
    modules: list[str]
    """All that were imported."""
    calls: int
    read: dict[str, int]
    """YAML files, and how often each was opened."""
    started: int
    """Other processes."""
    out: str


COUNT = """
import collections, cProfile, json, sys
read, started = collections.Counter(), []
def heard(event, given):
    if event == "open" and str(given[0]).endswith(".yaml"):
        read[str(given[0])] += 1
    elif event in ("subprocess.Popen", "os.fork", "os.posix_spawn"):
        started.append(event)
sys.addaudithook(heard)
profile = cProfile.Profile(builtins=False, subcalls=False)
profile.enable()
from ilmlip.cli import main
try:
    code = main(sys.argv[1:])
except SystemExit as end:
    code = end.code
profile.disable()
calls = sum(entry.callcount for entry in profile.getstats())
print(json.dumps([code or 0, sorted(sys.modules), calls, read, len(started)]), file=sys.stderr)
"""


def command(*words: str, cwd: Path) -> Command:
    """Run one command of ilmlip, and count what it did."""
    done = subprocess.run(
        [sys.executable, "-c", COUNT, *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    code, modules, calls, read, started = json.loads(done.stderr.splitlines()[-1])
    return Command(code, modules, calls, read, started, done.stdout)
