"""The store: results by key, published whole or not at all.

    results/<stage>/<key>/   manifest.json and the files of one result
    failed/<stage>/<key>/    failure.json and the work folder of a task that failed
    work/<key>.<token>/      the work folder of a task that runs
    claims/<key>.json        who computes a key now (ilmlip.execute.claims)
    jobs/, tracking/, studies/   submitit's folders, events for MLflow, a study's outputs

A folder gets its final name by one rename after everything in it is written, so whoever sees it
sees all of it. The layout can be read with `ls` and `jq`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ilmlip.engines.attempts import EARLIER
from ilmlip.errors import DamagedError, StoreError
from ilmlip.hashing import digest, file_digest, plain

FORMAT = 1
MANIFEST = "manifest.json"
FAILURE = "failure.json"
LOGS = "logs"
"""Folder of a result that holds what its engine has written."""
LONGEST_LOG = 2_000_000
"""Bytes of a log that are kept, at its end."""


def _has_default(one: Field[Any]) -> bool:
    return one.default is not MISSING or one.default_factory is not MISSING


@dataclass(frozen=True)
class Result:
    """A finished task: where its files lie, and what its manifest says of them."""

    key: str
    stage: str
    version: int
    path: Path
    """The folder of the files."""
    params: Mapping[str, Any]
    needs: Mapping[str, list[str]]
    """Keys of the inputs by role."""
    inputs: Mapping[str, str]
    """Digest of each input, by key, as it was when this result was made."""
    missing: Mapping[str, list[str]]
    """Keys, by role, that had failed and that a quorum let go."""
    files: Mapping[str, str]
    """SHA-256 of each file, by name."""
    values: Mapping[str, Any]
    digest: str
    """Of the files and values: equal digests mean equal results."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    tools: Mapping[str, str] = field(default_factory=dict)
    started: float = 0.0
    """Unix time, s."""
    seconds: float = 0.0
    host: str = ""


KNOWN = frozenset(f.name for f in fields(Result)) - {"path"}
"""Fields of a manifest."""
NEEDED = KNOWN - {f.name for f in fields(Result) if _has_default(f)}
REMEDY = "; `ilmlip fsck --remove` takes it out, and the next run makes it again"


@dataclass(frozen=True)
class Failure:
    """A task that failed: why, with which command, and where its work folder and log are."""

    key: str
    stage: str
    reason: str
    command: str
    log: str
    """Path of the log; empty if there is none."""
    time: float


def told(failures: Iterable[Failure]) -> list[dict[str, str]]:
    """Failures as commands tell them."""
    return [{"key": f.key, "stage": f.stage, "reason": f.reason, "log": f.log} for f in failures]


class Store:
    """Results by key under one root folder, which several drivers may share."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def prepare(self) -> None:
        """Make the folders. Raises StoreError if the root can't be written or is of another format."""
        mark = self.root / "FORMAT"
        try:
            for name in ("results", "failed", "work", "claims", "jobs", "tracking", "studies"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
            if not mark.exists():
                write_text(mark, f"{FORMAT}\n")
        except OSError as error:
            raise StoreError(
                f"store {self.root}: cannot be written ({error.strerror}); "
                "name another folder with store=PATH"
            ) from error
        found = mark.read_text(encoding="utf-8").strip()
        if found != str(FORMAT):
            raise StoreError(
                f"store {self.root}: has format {found}, this ilmlip reads format {FORMAT}; "
                "name another folder with store=PATH, or use the ilmlip that made it"
            )

    # --- where things are

    def folder(self, key: str) -> Path:
        """The folder of a key's result, whether or not it is there."""
        return self.root / "results" / stage_of(key) / key

    def failed_folder(self, key: str) -> Path:
        """The folder that a key's failure is kept in."""
        return self.root / "failed" / stage_of(key) / key

    def new_work(self, key: str) -> Path:
        """An empty work folder for one attempt at a key."""
        work = self.root / "work" / f"{key}.{uuid.uuid4().hex[:8]}"
        work.mkdir(parents=True)
        return work

    def earlier_work(self, key: str, now: Path) -> Path | None:
        """The newest work folder of earlier attempts at a key that is claimed; the others go.

        It is moved into `now`, the folder of the attempt that begins. None if there is none.
        """
        left = [p for p in (self.root / "work").glob(f"{key}.*") if p != now]
        failed = self.failed_folder(key) / "work"
        found = sorted([*left, *([failed] if failed.is_dir() else [])], key=_newest)
        if not found:
            return None
        target = now / EARLIER
        found[-1].rename(target)
        for old in found[:-1]:
            shutil.rmtree(old, ignore_errors=True)
        return target

    # --- reading

    def result(self, key: str) -> Result | None:
        """The result of a key, or None.

        Raises DamagedError if its manifest cannot be read, StoreError if another version made it.
        """
        folder = self.folder(key)
        try:
            text = (folder / MANIFEST).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            data = json.loads(text)
            whole = data["key"] == key
        except (ValueError, TypeError, KeyError) as error:
            raise DamagedError(f"{folder / MANIFEST}: is damaged ({error}){REMEDY}") from error
        if not whole:
            raise DamagedError(f"{folder / MANIFEST}: is damaged (it is of {data['key']}){REMEDY}")
        if unknown := data.keys() - KNOWN:
            other = f"has the unknown fields {', '.join(sorted(unknown))}"
        elif lacking := NEEDED - data.keys():
            other = f"lacks the fields {', '.join(sorted(lacking))}"
        else:
            return Result(path=folder, **data)
        raise StoreError(
            f"{folder / MANIFEST}: {other}: another version of ilmlip made it; "
            "use that one, or name another folder with store=PATH"
        )

    def failure(self, key: str) -> Failure | None:
        """How a key failed last, or None."""
        folder = self.failed_folder(key)
        try:
            data = json.loads((folder / FAILURE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        log = str(folder / "work" / data["log"]) if data["log"] else ""
        return Failure(**{**data, "log": log})

    def keys(self, kind: str = "results") -> set[str]:
        """Every key that has a result (or, with kind "failed", a failure), by listing folders."""
        found: set[str] = set()
        with contextlib.suppress(FileNotFoundError):
            for stage in os.scandir(self.root / kind):
                found.update(e.name for e in os.scandir(stage.path) if not e.name.startswith("."))
        return found

    # --- writing

    def publish(self, result: Result, work: Path, logs: Iterable[str] = ()) -> Result:
        """Move the files of `result` from `work` into the store under its key, whole or not at all.

        `logs` go into a folder of their own beside them, the end of long ones: what an engine says
        holds times and paths, and is not in the digest.
        `result.path`, `.files` and `.digest` are filled in here. A result already there with the
        same digest stays; one made from other inputs is replaced. Returns what now stands.
        """
        files = {name: file_digest(work / name) for name in sorted(result.files)}
        values = plain(dict(result.values))
        own = digest("ilmlip.result", {"files": files, "values": values})
        final = self.folder(result.key)
        data = asdict(result) | {"files": files, "values": values, "digest": own}
        del data["path"]
        staged = final.parent / f".{result.key}.{uuid.uuid4().hex[:8]}"
        staged.mkdir(parents=True)
        for name in files:
            target = staged / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (work / name).rename(target)
        for name in logs:
            _keep_log(work / name, staged / LOGS)
        write_text(staged / MANIFEST, json.dumps(data, indent=1, allow_nan=False) + "\n")
        self._install(staged, final, own)
        shutil.rmtree(self.failed_folder(result.key), ignore_errors=True)
        shutil.rmtree(work, ignore_errors=True)
        published = self.result(result.key)
        if published is None:
            raise StoreError(f"{final}: vanished while it was published; run again")
        return published

    def _install(self, staged: Path, final: Path, own: str) -> None:
        """Give a staged folder its final name, setting aside a result made from other inputs."""
        for _ in range(10):
            try:
                staged.rename(final)
                return
            except OSError:
                if not final.exists():
                    raise
            there = self.result(final.name)
            if there is not None and there.digest == own and _same_inputs(there, staged):
                shutil.rmtree(staged)
                return
            old = final.parent / f".old.{final.name}.{uuid.uuid4().hex[:8]}"
            with contextlib.suppress(FileNotFoundError):
                final.rename(old)
                shutil.rmtree(old, ignore_errors=True)
        raise StoreError(f"{final}: another process keeps publishing it; run again later")

    def publish_failure(self, failure: Failure, work: Path, kept: str = "work") -> Failure:
        """Keep a failed task's folder, under `kept`, with the reason; replaces an earlier failure."""
        folder = self.failed_folder(failure.key)
        staged = folder.parent / f".{failure.key}.{uuid.uuid4().hex[:8]}"
        staged.mkdir(parents=True)
        if work.exists():
            work.rename(staged / kept)
        data = asdict(failure)
        write_text(staged / FAILURE, json.dumps(data, indent=1) + "\n")
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # another driver kept its own failure just now
            staged.rename(folder)
        shutil.rmtree(staged, ignore_errors=True)
        there = self.failure(failure.key)
        return failure if there is None else there


def stage_of(key: str) -> str:
    """The stage's name, which every key begins with: "label-k1-3f2a…" gives "label"."""
    return key.split("-", 1)[0]


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all: under a temporary name, flushed to disk, then renamed."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    with temporary.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def _keep_log(path: Path, folder: Path) -> None:
    if not path.is_file():
        return
    folder.mkdir(exist_ok=True)
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - LONGEST_LOG))
        (folder / path.name).write_bytes(log.read())


def _newest(folder: Path) -> float:
    """When a file in a folder was last written; an empty one is older than any."""
    return max((p.stat().st_mtime for p in folder.iterdir()), default=0.0)


def _same_inputs(there: Result, staged: Path) -> bool:
    """Whether a staged result was made from the inputs that the published one was made from."""
    inputs: dict[str, str] = json.loads((staged / MANIFEST).read_text(encoding="utf-8"))["inputs"]
    return inputs == dict(there.inputs)
