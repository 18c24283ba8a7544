"""The command line as a user calls it, for tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE = 1200.0
"""Seconds that a test waits for anything to happen: only one that fails takes them."""
SMOKE = ("quickstart", "scale=smoke", "cluster.cores=2")


@dataclass(frozen=True)
class Answer:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout, which must be one JSON object and nothing else."""
        return json.loads(self.out)


def ilmlip(*words: str, cwd: Path, timeout: float = 3 * PATIENCE) -> Answer:
    """Run one command as a user would, in a folder."""
    done = subprocess.run(
        [sys.executable, "-m", "ilmlip.cli", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        encoding="utf-8",
    )
    return Answer(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Smoke:
    """The folder in which the quickstart was run at smoke scale, and how that ended."""

    folder: Path
    answer: Answer
