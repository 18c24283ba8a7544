"""What runs inside a job: a pack of tasks, one after the other, each published or kept as failed."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ilmlip.engines.process import KILLED
from ilmlip.errors import StageError
from ilmlip.execute import disk
from ilmlip.execute.claims import Claims
from ilmlip.execute.sound import Sound, is_aside, set_aside
from ilmlip.execute.tidy import clear
from ilmlip.hashing import plain
from ilmlip.plan.graph import is_current
from ilmlip.plan.task import Task
from ilmlip.stages import stage
from ilmlip.stages.base import Given, Inputs, Output
from ilmlip.store import Failure, Result, Store

End = Literal["done", "there", "failed", "busy", "damaged", "blocked"]
"""Done now, done before, failed, in another's hands; an input is damaged and was set aside, or is
not there."""
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
TRACEBACK, WORKER_LOG = "traceback.log", "worker.log"
DOUBT = 3.0
"""Seconds after which a process that was killed in a job of Slurm's was not killed with its whole job:
else whoever waits is gone by then, and keeps no failure of what Slurm requeues."""


def pack(tasks: Sequence[Task]) -> list[dict[str, Any]]:
    """Tasks as plain data, which any process can read."""
    return [
        {
            "key": task.key,
            "stage": task.stage,
            "version": task.version,
            "params": plain(task.params),
            "needs": {role: list(keys) for role, keys in task.needs.items()},
            "quorum": dict(task.quorum),
            "how": dict(task.how),
        }
        for task in tasks
    ]


def unpack(data: Mapping[str, Any]) -> Task:
    """A task from plain data. Raises StageError if its key is not what this ilmlip would make."""
    kind = stage(data["stage"])
    task = Task(
        stage=data["stage"],
        version=kind.version,
        params=kind.params.model_validate(data["params"]),
        needs={role: tuple(keys) for role, keys in data["needs"].items()},
        quorum=data["quorum"],
        how=data["how"],
    )
    if task.key != data["key"]:
        raise StageError(
            f"this ilmlip makes key {task.key} of task {data['key']}: the job and the driver are "
            "of different versions"
        )
    return task


def work(root: Path, packed: Sequence[Mapping[str, Any]], report: Path, cores: int) -> None:
    """Do the tasks of a pack; `report` gets a JSON line at the start and the end of each."""
    os.environ.update(dict.fromkeys(THREADS, str(cores)))
    store, claims = Store(root), Claims(root)
    sound = Sound(store)
    with report.open("a", encoding="utf-8", buffering=1) as lines:

        def say(**what: Any) -> None:
            lines.write(json.dumps(what) + "\n")

        say(began=True)
        for data in packed:
            say(start=data["key"])
            try:
                task = unpack(data)
            except (StageError, KeyError, ValueError) as error:
                _refuse(store, data, error)
                say(end=data["key"], state="failed")
                continue
            say(end=data["key"], state=do(store, claims, task, sound))


def do(store: Store, claims: Claims, task: Task, sound: Sound | None = None) -> End:
    """Do one task unless it is done, another process does it, or an input is damaged or gone."""
    damaged = (sound or Sound(store)).damaged([*task.inputs(), task.key])
    for key in damaged:
        set_aside(store, claims, key)
    if damaged or any(is_aside(store, key) for key in task.inputs()):
        return "damaged"
    with claims.holding(task.key) as mine:
        if not mine:
            return "busy"
        inputs, digests = gather(store, task)
        there = store.result(task.key)
        if there is not None and is_current(there, digests, task):
            clear(store, task.key)  # what a worker left that was killed when it had published
            return "there"
        if shortage(task, inputs.missing) is not None:
            return "blocked"
        return _attempt(store, claims, task, inputs, digests)


def _attempt(
    store: Store, claims: Claims, task: Task, inputs: Inputs, digests: Mapping[str, str]
) -> End:
    """Run the stage of a claimed task, and publish what it leaves or keep why it failed."""
    if not stage(task.stage).goes_on:
        clear(store, task.key)
    folder, started = store.new_work(task.key), time.time()
    if stage(task.stage).goes_on:
        inputs = replace(inputs, earlier=store.earlier_work(task.key, folder))
    try:
        output = _run(task, inputs, folder)
        if disk.is_full(store.root):
            raise StageError(f"{disk.NO_ROOM}: what it wrote may be cut off")
        if not claims.is_mine(task.key):
            return "busy"  # it slept so long that another took it over
        store.publish(_result(task, inputs, digests, output, started), folder, output.logs)
    except StageError as error:
        if KILLED in error.reason and "SLURM_JOB_ID" in os.environ:
            time.sleep(DOUBT)
        _fail(store, task, folder, error)
        return "failed"
    except Exception as error:
        (folder / TRACEBACK).write_text(traceback.format_exc(), encoding="utf-8")
        reason = f"{type(error).__name__}: {error}"
        _fail(store, task, folder, StageError(reason, log=TRACEBACK))
        return "failed"
    return "done"


def _run(task: Task, inputs: Inputs, folder: Path) -> Output:
    """Run the stage with the work folder as the current one, so that nothing is left elsewhere."""
    with _inside(folder):
        output = stage(task.stage).run(task.params, inputs, folder)
    for name in output.files:
        if not (folder / name).is_file():
            raise StageError(f"stage {task.stage} promised the file {name} and did not write it")
    return output


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def gather(store: Store, task: Task) -> tuple[Inputs, dict[str, str]]:
    """The inputs of a task as they stand in the store, and their digests by key."""
    roles: dict[str, tuple[Given, ...]] = {}
    missing: dict[str, tuple[str, ...]] = {}
    places: dict[str, tuple[int, ...]] = {}
    digests: dict[str, str] = {}
    for role, keys in task.needs.items():
        found = {key: result for key in keys if (result := store.result(key)) is not None}
        there = [(key, found[key]) for key in keys if key in found]
        roles[role] = tuple(Given(key, result.path, result.values) for key, result in there)
        places[role] = tuple(i for i, key in enumerate(keys) if key in found)
        digests.update({key: result.digest for key, result in found.items()})
        if gone := tuple(key for key in keys if key not in found):
            missing[role] = gone
    return Inputs(roles, missing, places, task.how), digests


@dataclass(frozen=True)
class Short:
    """Inputs that a task cannot go without: too few of a role are there."""

    role: str
    there: int
    wanted: int


def shortage(task: Task, missing: Mapping[str, Sequence[str]]) -> Short | None:
    """The first role with fewer inputs than its quorum asks for, or None."""
    for role, gone in missing.items():
        total = len(task.needs[role])
        there = total - len(gone)
        if there < task.quorum.get(role, 1.0) * total:
            return Short(role, there, total)
    return None


def _result(
    task: Task, inputs: Inputs, digests: Mapping[str, str], output: Output, started: float
) -> Result:
    return Result(
        key=task.key,
        stage=task.stage,
        version=task.version,
        path=Path(),
        params=plain(task.params),
        needs={role: list(keys) for role, keys in task.needs.items()},
        inputs=digests,
        missing={role: list(keys) for role, keys in inputs.missing.items()},
        files=dict.fromkeys(output.files, ""),
        values=output.values,
        digest="",
        notes=output.notes,
        tools=output.tools,
        started=started,
        seconds=time.time() - started,
        host=socket.gethostname(),
    )


def _refuse(store: Store, data: Mapping[str, Any], error: Exception) -> None:
    """Keep as failed what this version cannot even read."""
    said = error if isinstance(error, StageError) else f"this ilmlip cannot read the task ({error})"
    remedy = "; run it by the ilmlip that its workers have, or update both"
    failure = Failure(data["key"], data["stage"], f"{said}{remedy}", "", "", time.time())
    store.publish_failure(failure, store.new_work(data["key"]))


def _fail(store: Store, task: Task, folder: Path, error: StageError) -> None:
    failure = Failure(task.key, task.stage, error.reason, error.command, error.log, time.time())
    store.publish_failure(failure, folder)


def obituary(store: Store, failure: Failure, log: Path | None = None) -> Failure:
    """Keep the failure of a task whose worker died, with its work folder and the worker's log."""
    left = sorted((store.root / "work").glob(f"{failure.key}.*"))
    work_folder = left[-1] if left else store.new_work(failure.key)
    if log is not None and log.exists():
        (work_folder / WORKER_LOG).write_bytes(log.read_bytes())
        failure = replace(failure, log=WORKER_LOG)
    return store.publish_failure(failure, work_folder)
