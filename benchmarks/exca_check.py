"""Times exca's check of cached tasks: `python benchmarks/exca_check.py FOLDER N`, in its Python.

Runs N tasks that return a small dict, or finds them in the folder; then, with new objects, asks
each for its status and for its result. The last line is a JSON object of seconds a task.
"""

from __future__ import annotations

import json
import sys
import time

import exca
import pydantic


class Job(pydantic.BaseModel):
    """A task with a few parameters."""

    name: str
    learning_rate: float = 0.01
    max_steps: int = 2500
    batch_size: int = 1
    infra: exca.TaskInfra = exca.TaskInfra()

    @infra.apply
    def run(self) -> dict[str, float]:
        """What would be computed."""
        return {"energy_mae": 1.0}


def jobs(folder: str, count: int) -> list[Job]:
    """New objects, that know nothing yet."""
    return [Job(name=f"j{i}", infra={"folder": folder}) for i in range(count)]


def main(folder: str, words: str) -> None:
    """Run, then look twice."""
    count = int(words)
    for job in jobs(folder, count):
        job.run()
    fresh = jobs(folder, count)
    began = time.perf_counter()
    found = {job.infra.status() for job in fresh}
    status = time.perf_counter() - began
    if found != {"completed"}:
        raise RuntimeError(f"not all are cached: {found}")
    began = time.perf_counter()
    for job in jobs(folder, count):
        job.run()
    hit = time.perf_counter() - began
    print(json.dumps({"status": status / count, "hit": hit / count}))


if __name__ == "__main__":
    main(*sys.argv[1:])
