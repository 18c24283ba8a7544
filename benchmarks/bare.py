"""The measured process without ilmlip: `python -m benchmarks.bare FOLDER N`.

Runs N no-op tasks by submitit's local executor, a job each, two at a time.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import submitit

from ilmlip.stages.base import Inputs
from ilmlip.stages.probe import Params, run

CORES = 2
POLL = 0.05
"""Seconds between looks at the running jobs, as ilmlip's driver has it."""


def probe(folder: Path, name: str) -> None:
    """What a worker does for a probe, without store, key and claim."""
    work = folder / name
    work.mkdir()
    run(Params(name=name), Inputs({}), work)


def main(folder: str, count: str) -> None:
    """Submit, two at a time, and wait for all."""
    root = Path(folder)
    executor = submitit.LocalExecutor(root / "%j")
    names = [f"p{i}" for i in range(int(count))]
    running: list[submitit.Job[None]] = []
    while names or running:
        running = [job for job in running if not job.done()]
        while names and len(running) < CORES:
            running.append(executor.submit(probe, root, names.pop(0)))
        time.sleep(POLL)


if __name__ == "__main__":
    main(*sys.argv[1:])
