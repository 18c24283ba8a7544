"""`ilmlip cancel` and `ilmlip logs`: jobs in Slurm's queue, and what a task has written."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ilmlip.commands import FAILED, OK
from ilmlip.commands.common import answer, say
from ilmlip.commands.place import default_store, study_in_store
from ilmlip.errors import SpecError, StoreError
from ilmlip.execute import slurm
from ilmlip.execute.events import Events
from ilmlip.execute.relay import relay
from ilmlip.execute.slurm_jobs import log_of
from ilmlip.execute.submission import Held, in_queue, open_runs, queued, runs
from ilmlip.grammar import counted
from ilmlip.run.slurm import elsewhere
from ilmlip.store import LOGS, Store


def jobs_of(store: Store) -> dict[str, Held]:
    """The job in Slurm's queue that each task of a store waits for, by key; says it if none can be
    asked for.
    """
    if not open_runs(store.root):
        return {}
    try:
        return queued(store.root, in_queue(store.root)).tasks
    except slurm.SlurmError as error:
        say(str(error))
        return {}


def cancel(options: Namespace) -> int:
    """End the runs of a study that Slurm does; what is done stays."""
    study, _, store = study_in_store(options)
    name = study.spec.name
    mine = [run for run in open_runs(store.root) if run.study == name]
    if there := [run for run in elsewhere(store) if run.study == name]:
        raise slurm.SlurmError(
            f"cluster=slurm: run {there[0].name} was submitted to the cluster {there[0].cluster}, and "
            f"here {slurm.cluster_name()} answers (SLURM_CONF): cancel it where that one answers"
        )
    held = queued(store.root, in_queue(store.root)) if mine else None
    jobs = [job for run in mine for job in (held.jobs.get(run.name, []) if held else [])]
    # the jobs that end the runs first: they would submit what is left
    slurm.cancel(reversed(jobs))
    for run in mine:
        relay(store, run)
        run.close("cancelled")
        try:
            Events.reopen(store.root, run.name).end("killed", {})
        except StoreError:
            continue
    if options.json:
        answer({"study": name, "runs": [run.name for run in mine], "jobs": jobs})
    else:
        ended = f"{counted(len(jobs), 'job')} of {counted(len(mine), 'run')}"
        print(f"{name}: {ended} cancelled; what is done stays")
    return OK


@dataclass(frozen=True)
class Log:
    """Something that a task has written."""

    what: str
    path: Path


def logs(options: Namespace) -> int:
    """Show how a task ended, and the last lines of what it, its engine and its job have written."""
    if not options.words:
        raise SpecError(
            "command line", "name a task: ilmlip logs KEY [SPEC …] (keys: `ilmlip status --json`)"
        )
    asked, *words = options.words
    store = study_in_store(options, words)[2] if words else default_store()
    key = _key(store, asked)
    how, found = _told(store, key), list(_logs(store, key))
    if options.json:
        rows = [{"what": log.what, "path": str(log.path)} for log in found]
        answer({"key": key, "state": how, "logs": rows})
        return OK
    print(f"{key}: {how}")
    for log in found:
        print(f"--- {log.what}: {log.path}")
        lines = log.path.read_text(errors="replace", encoding="utf-8").splitlines()
        print("\n".join(lines[-options.lines :]))
    if not found:
        print(
            "no log is kept of it: of what ended well, a training alone keeps what it has written"
        )
    return OK if how != "unknown" else FAILED


def _key(store: Store, asked: str) -> str:
    """The only key that begins so. Raises SpecError where there is none, or several."""
    there = store.keys() | store.keys("failed")
    there |= {path.name.rpartition(".")[0] for path in (store.root / "work").glob("*.*")}
    there |= {
        key
        for run in runs(store.root)
        for record in run.records()
        for one in record.elements
        for key in one.tasks
    }
    found = sorted(key for key in there if key.startswith(asked))
    if asked in found:
        return asked
    if not found:
        raise SpecError(f"task {asked}", f"store {store.root} knows no key that begins so")
    if len(found) > 1:
        some = ", ".join(found[:5])
        raise SpecError(f"task {asked}", f"{len(found)} keys begin so: {some} …; give more of it")
    return found[0]


def _told(store: Store, key: str) -> str:
    failure, result = store.failure(key), store.result(key)
    held = jobs_of(store).get(key)
    if held is not None and result is None:
        return f"job {held.job}, {held.state.lower()}" + (
            f" ({held.reason})" if held.reason else ""
        )
    if failure is not None:
        return f"failed: {failure.reason}" + (f" [{failure.command}]" if failure.command else "")
    if result is not None:
        return f"done on {result.host}, {result.seconds:.1f} s"
    return "running, or broken off" if _work(store, key) else "never begun"


def _work(store: Store, key: str) -> list[Path]:
    """The work folders of a task, the newest last."""
    return sorted((store.root / "work").glob(f"{key}.*"), key=lambda path: path.stat().st_mtime)


def _logs(store: Store, key: str) -> Iterator[Log]:
    failure = store.failure(key)
    if failure is not None and failure.log and Path(failure.log).exists():
        yield Log("its log", Path(failure.log))
    for path in sorted((store.folder(key) / LOGS).glob("*")):
        yield Log("kept with its result", path)
    for folder in _work(store, key)[-1:]:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and (path.suffix in (".log", ".out") or path.name.startswith("log.")):
                yield Log("its work", path)
    for run in runs(store.root):
        for record in run.records():
            for one in record.elements:
                path = log_of(run, one.id)
                if key in one.tasks and path.exists():
                    yield Log(f"job {one.id}", path)
