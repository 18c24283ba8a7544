"""The measured process without ilmlip: `python -m benchmarks.bare FOLDER N [JOBS]`.

Runs N no-op tasks by submitit's local executor, two jobs at a time: a job each, or shared out among
JOBS of them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import submitit

from ilmlip.stages.base import Inputs
from ilmlip.stages.probe import Params, run

CORES = 2
POLL = 0.05
"""Seconds between looks at the running jobs, as ilmlip's driver has it."""


def probes(folder: Path, names: Sequence[str]) -> None:
    """What a worker does for a pack of probes, without store, key and claim."""
    for name in names:
        work = folder / name
        work.mkdir()
        run(Params(name=name), Inputs({}), work)


def main(folder: str, count: str, jobs: str = "") -> None:
    """Submit, two at a time, and wait for all."""
    root = Path(folder)
    executor = submitit.LocalExecutor(root / "%j")
    names = [f"p{i}" for i in range(int(count))]
    parts = int(jobs or count)
    packs = [names[i::parts] for i in range(parts)]
    running: list[submitit.Job[None]] = []
    while packs or running:
        running = [job for job in running if not job.done()]
        while packs and len(running) < CORES:
            running.append(executor.submit(probes, root, packs.pop(0)))
        time.sleep(POLL)


if __name__ == "__main__":
    main(*sys.argv[1:])
