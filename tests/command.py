"""The command line as a user calls it, for tests."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
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


def in_process(*words: str, cwd: Path) -> Answer:
    """The same without a process of its own, for commands that only read and print."""
    from ilmlip.cli import main

    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            code = main(list(words))
        except SystemExit as end:
            code = int(end.code or 0)
    return Answer(code, out.getvalue(), err.getvalue())


@dataclass(frozen=True)
class Smoke:
    """The folder in which the quickstart was run at smoke scale, and how that ended.

    Tests of other processes use it at the same time: commands that find all done may run in it.
    """

    folder: Path
    answer: Answer

    def copy_store(self, folder: Path) -> None:
        """Copy its store there; what comes and goes meanwhile, as claims do, makes it try again."""
        for left in range(9, -1, -1):
            try:
                shutil.copytree(self.folder / "store", folder / "store")
            except shutil.Error:
                if not left:
                    raise
                shutil.rmtree(folder / "store")
            else:
                return
