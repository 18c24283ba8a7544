"""The measured processes that run a plan by ilmlip: `python -m benchmarks.drive WHAT STORE …`.

`probes STORE N` runs N tasks that do nothing, and prints the driver's memory (MiB) when the first and
when the last of them was settled; `study STORE STAGE [OVERRIDE …]` runs one task of
the quickstart at x = 0.4, with what it needs, and prints its key.
"""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from ilmlip.execute.driver import Driver
from ilmlip.execute.jobs import submitter
from ilmlip.plan.compile import compile_study
from ilmlip.plan.configurations import TRAINING
from ilmlip.plan.graph import Plan
from ilmlip.plan.task import Task
from ilmlip.spec.cluster import Cluster
from ilmlip.spec.load import load
from ilmlip.stages.probe import STAGE, Params
from ilmlip.store import Store

COMPOSITION = "0.4"
CORES = 2


def probes(count: int) -> Plan:
    """A plan of independent tasks that do nothing."""
    plan = Plan("probes")
    for i in range(count):
        plan.add(Task(STAGE.name, STAGE.version, Params(name=f"p{i}")))
    return plan


def study(stage: str, overrides: Sequence[str]) -> tuple[Plan, str]:
    """The quickstart's first task of a stage at x = 0.4 with all that it needs, and its key."""
    whole = compile_study([load(["quickstart", *overrides])])
    target = next(task for task in whole if task.stage == stage and _is_ours(task))
    wanted = {target.key}
    for task in reversed(list(whole)):  # inputs stand before what needs them
        if task.key in wanted:
            wanted.update(task.inputs())
    plan = Plan("benchmark")
    for task in whole:
        if task.key in wanted:
            plan.add(task)
    return plan, target.key


def _is_ours(task: Task) -> bool:
    """Of the first structure, or of its training set, at x = 0.4."""
    about = task.about
    if "structure" in about:
        return (about["composition"], about["structure"]) == (COMPOSITION, TRAINING)
    return COMPOSITION in (about.get("compositions"), about.get("training"))


def drive(plan: Plan, root: Path, settled: Callable[[], None] = lambda: None) -> None:
    """Run a plan on two cores by submitit's local executor, as `ilmlip run` does.

    `settled` is called for each task that is done or was done already.
    """
    store = Store(root)
    store.prepare()
    folder = store.root / "jobs" / uuid.uuid4().hex[:8]
    folder.mkdir()
    cluster = Cluster(executor="local", cores=CORES)
    jobs = submitter(cluster, store.root, folder)
    outcome = Driver(plan, store, cluster, jobs, folder, lambda task, how: settled()).run()
    for failure in outcome.failures.values():
        sys.exit(f"{failure.key}: {failure.reason} ({failure.log})")


def held(count: int) -> Callable[[], None]:
    """Prints what this process held at the first of `count` calls and at the last, at the last."""
    process, found = psutil.Process(), list[float]()
    calls = 0

    def look() -> None:
        nonlocal calls
        calls += 1
        if calls in {1, count}:
            found.append(process.memory_info().rss / 2**20)
        if calls == count:
            print(json.dumps({"first": found[0], "last": found[-1]}))

    return look


def main(what: str, root: str, *words: str) -> None:
    """Run what the words say."""
    if what == "probes":
        count = int(words[0])
        drive(probes(count), Path(root), held(count))
        return
    plan, key = study(words[0], words[1:])
    drive(plan, Path(root))
    print(key)


if __name__ == "__main__":
    main(*sys.argv[1:])
