"""SIGKILL at any moment: a study whose processes are killed at random, beside one left alone.

Driver, tracker, submitit's controller, worker and engine of a run are killed, one at a time, and the
study is run again until a run ends well. Then its store must equal that of a run left alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.measure import REPOSITORY
from benchmarks.report import Table
from ilmlip.execute import upkeep
from ilmlip.execute.tidy import DONE
from ilmlip.store import MANIFEST, Store, stage_of

SEED = 7
WORDS = ("quickstart", "scale=smoke", "cluster.cores=2")
MARK = "ILMLIP_KILLS_MARK"
"""Environment variable that all processes of a disturbed study inherit, orphans too."""
LONGEST = 4.0
"""Seconds of the study's own processor time between kills are uniform from 0 to this: on a busy
machine its processes get just as far."""
LOOK = 0.2
MOST_RUNS = 400
REASONS = ("its worker died", "was killed by SIGKILL", "left no reason")
"""How failures may begin or what they hold when nothing but kills is wrong."""
CHILDREN = ("train", "fit_linear", "sample")
"""Stages of the study that have a run of their own in MLflow."""


@dataclass
class Told:
    """What became of disturbed studies."""

    killed: Counter[str] = field(default_factory=Counter)
    """Kills by the kind of process."""
    runs: int = 0
    stores: int = 0
    results: int = 0
    """Results compared with those of the undisturbed store."""
    wrong: list[str] = field(default_factory=list)
    """Everything that is not as it must be."""


def main(quick: bool) -> Table:
    """The campaign, as a table of docs/reliability.md. Raises RuntimeError if anything is wrong."""
    kills = 10 if quick else 200
    folder = Path(tempfile.mkdtemp())
    run(folder / "alone")
    told = campaign(folder, folder / "alone", kills, SEED)
    if told.wrong:
        raise RuntimeError(f"seed {SEED}, see {folder}:\n" + "\n".join(told.wrong))
    shutil.rmtree(folder)
    parts = ", ".join(f"{kind} {count}" for kind, count in told.killed.most_common())
    return Table(
        "kills",
        ("submitit", "nequip", "mlflow"),
        ("", ""),
        [
            (f"processes killed (seed {SEED})", f"{told.killed.total()}: {parts}"),
            ("runs until the last ended well", str(told.runs)),
            ("studies of 120 tasks", str(told.stores)),
            ("results equal to the undisturbed run's, by digest", str(told.results)),
            ("results that differ, or are not whole at any time", "0"),
            ("tasks that ran to their end or were published twice from the same inputs", "0"),
            ("folders, claims or failures left over", "0"),
            ("trainings and dynamics missing, twice or unfinished in MLflow", "0"),
        ],
        page=REPOSITORY / "docs" / "reliability.md",
    )


def run(folder: Path, words: Iterable[str] = WORDS) -> None:
    """The study, left alone. Raises RuntimeError if it fails."""
    folder.mkdir(parents=True, exist_ok=True)
    driver = _start(folder, words, "", 0)
    if driver.wait() != 0:
        raise RuntimeError(f"the undisturbed run failed: see {folder}")


def campaign(
    folder: Path, alone: Path, kills: int, seed: int, words: Iterable[str] = WORDS
) -> Told:
    """Disturb one study after another in `folder` until `kills` processes are killed.

    `alone` is the folder in which the study ran undisturbed.
    """
    chance, told, words = random.Random(seed), Told(), tuple(words)
    while told.killed.total() < kills:
        place = folder / f"disturbed{told.stores}"
        place.mkdir(parents=True)
        _Disturbed(place, words, chance, told).to_the_end(kills)
        told.stores += 1
        told.wrong += [f"{place.name}: {one}" for one in differences(alone, place)]
        told.results += len(Store(place / "store").keys())
    return told


def _start(folder: Path, words: Iterable[str], mark: str, number: int) -> subprocess.Popen[bytes]:
    with (folder / f"run{number:03d}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "ilmlip.cli", "run", *words],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1", MARK: mark},
        )


class _Disturbed:
    """One study that is run again and again while its processes are killed."""

    def __init__(
        self, folder: Path, words: tuple[str, ...], chance: random.Random, told: Told
    ) -> None:
        self.folder, self.words, self.chance, self.told = folder, words, chance, told
        self.store, self.mark = Store(folder / "store"), uuid.uuid4().hex
        self.seen: dict[str, dict[tuple[int, int], str]] = defaultdict(dict)
        """Which manifests stood under each key, by inode and time: the inputs that each was made of."""

    def to_the_end(self, kills: int) -> None:
        """Run until a run ends well; kill as long as fewer than `kills` were killed in all."""
        for number in range(MOST_RUNS):
            driver = _start(self.folder, self.words, self.mark, number)
            self.told.runs += 1
            while self._waits(driver):
                if self.told.killed.total() < kills and (role := self._kill(driver)):
                    self.told.killed[role] += 1
                    self._look_for_halves()
            self._look()
            self._look_at_failures()
            said = f"{self.told.killed.total()} kills, {len(self.store.keys())} results"
            print(f"{self.folder.name}, run {number}: {said}", file=sys.stderr, flush=True)
            if driver.returncode == 0:
                break
            if driver.returncode not in (1, -signal.SIGKILL):
                self._wrong(f"run {number} ended with status {driver.returncode}")
        else:
            self._wrong(f"{MOST_RUNS} runs did not end it")
        self._look_back()

    def _waits(self, driver: subprocess.Popen[bytes]) -> bool:
        """Wait for the moment of the next kill; False when the run is over before."""
        pause = self.chance.uniform(0, LONGEST)
        spent = dict(self._processor_time())
        worked = 0.0
        while worked < pause:
            with contextlib.suppress(subprocess.TimeoutExpired):
                driver.wait(LOOK * self.chance.random() * 2)
                return False
            self._look()
            now = dict(self._processor_time())
            worked += sum(t - spent.get(process, 0.0) for process, t in now.items())
            spent = now
        return True

    def _processor_time(self) -> Iterator[tuple[int, float]]:
        """Seconds of each process of the study, by its pid."""
        for process in self._ours():
            with contextlib.suppress(psutil.Error):
                used = process.cpu_times()
                yield process.pid, used.user + used.system

    def _ours(self) -> Iterator[psutil.Process]:
        """Every process of the study, orphans too."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(MARK) == self.mark:
                    yield process

    def _kill(self, driver: subprocess.Popen[bytes]) -> str:
        """Kill a process of a kind, both drawn by lot; returns the kind, or nothing if it was gone."""
        kinds: dict[str, list[psutil.Process]] = defaultdict(list)
        for process in self._ours():
            with contextlib.suppress(psutil.Error):
                kinds[_kind(process, driver.pid)].append(process)
        if not kinds:
            return ""
        kind = self.chance.choice(sorted(kinds))
        target = self.chance.choice(sorted(kinds[kind], key=lambda p: p.pid))
        with contextlib.suppress(psutil.Error):
            target.kill()
            return kind
        return ""

    # --- what must hold

    def _wrong(self, what: str) -> None:
        print(f"{self.folder.name}: WRONG: {what}", file=sys.stderr, flush=True)
        self.told.wrong.append(f"{self.folder.name}: {what}")

    def _look(self) -> None:
        for path in (self.store.root / "results").glob(f"*/[!.]*/{MANIFEST}"):
            with contextlib.suppress(FileNotFoundError), path.open(encoding="utf-8") as lines:
                about = os.fstat(lines.fileno())  # of what is read, not of what takes its place
                manifest = (about.st_ino, about.st_mtime_ns)
                seen = self.seen[path.parent.name]
                if manifest not in seen:
                    seen[manifest] = json.dumps(json.load(lines)["inputs"])

    def _look_for_halves(self) -> None:
        """What stands under its name is whole at any moment."""
        if self.store.root.exists():
            for damage in upkeep.damages(self.store):
                self._wrong(f"{damage.key} after a kill: {damage.what}")

    def _look_at_failures(self) -> None:
        for key in self.store.keys("failed"):
            failure = self.store.failure(key)
            if failure is not None and not any(text in failure.reason for text in REASONS):
                self._wrong(f"{key} failed: {failure.reason}")

    def _look_back(self) -> None:
        ends: Counter[str] = Counter()
        for report in _reports(self.store.root / "jobs"):
            for line in report.splitlines():
                with contextlib.suppress(ValueError):  # the last line of a killed worker
                    said = json.loads(line)
                    ends[said.get("end", "")] += said.get("state") == "done"
        for what in doubled(ends, {key: list(seen.values()) for key, seen in self.seen.items()}):
            self._wrong(what)
        for log in self.folder.glob("run*.log"):
            if "Traceback" in log.read_text(encoding="utf-8"):
                self._wrong(f"{log.name} holds a traceback")


def doubled(ends: Mapping[str, int], made: Mapping[str, Sequence[str]]) -> list[str]:
    """Which tasks ran to their end or were published more often than their inputs ask for.

    `ends`: how often each key came to its end; `made`: the inputs of each result that stood under it.
    A table that was made by a quorum, while an input's worker had been killed, is made again once
    that is there: then its inputs are others. Of the same inputs, all is made once.
    """
    found = []
    for key, inputs in made.items():
        if len(inputs) > len(set(inputs)):
            found.append(f"{key} was published {len(inputs)} times")
    for key, count in ends.items():
        if count > max(1, len(set(made.get(key, ())))):
            found.append(f"{key} ran to its end {count} times")
    return found


def _kind(process: psutil.Process, driver: int) -> str:
    line = " ".join(process.cmdline())
    if process.pid == driver:
        return "driver"
    for word, kind in (
        ("ilmlip.track", "tracker"),
        ("submitit.local._local", "controller"),
        ("submitit.core._submit", "worker"),
    ):
        if word in line:
            return kind
    return "engine"


def _reports(jobs: Path) -> Iterable[str]:
    """The text of what the workers reported, each once."""
    for run in jobs.iterdir():
        done = run / DONE
        gathered = done.read_text(encoding="utf-8") if done.exists() else ""
        yield gathered
        for path in run.glob("*.jsonl"):
            if path != done and (text := path.read_text(encoding="utf-8")) not in gathered:
                yield text


def differences(alone: Path, disturbed: Path) -> list[str]:
    """What differs between two folders in which one study has ended well."""
    ours, theirs = Store(alone / "store"), Store(disturbed / "store")
    found = []
    for key in sorted(ours.keys() | theirs.keys()):
        first, second = ours.result(key), theirs.result(key)
        if first is None or second is None:
            found.append(f"{key} is in one store only")
        elif first.digest != second.digest:
            files = [n for n, own in first.files.items() if second.files.get(n) != own]
            found.append(f"{key} differs: {', '.join(files) or 'its values'}")
    found += [f"{one.key}: {one.what}" for one in upkeep.damages(theirs)]
    found += [f"left over: {path}" for path in leftovers(theirs.root)]
    return found + _logged(ours, alone, disturbed)


def leftovers(root: Path) -> list[str]:
    """What a finished study leaves in a store beyond its results, reports and events."""
    found = [*(root / "work").iterdir(), *(root / "claims").glob("*.json")]
    found += (root / "failed").glob("*/*")
    found += (root / "results").glob("*/.*")
    found += [path for path in root.rglob(".*") if path.is_file()]
    return sorted({str(path.relative_to(root)) for path in found})


def _logged(store: Store, alone: Path, disturbed: Path) -> list[str]:
    """Where MLflow differs: each training and each run of dynamics once, with the same metrics."""
    first, second = _runs(alone), _runs(disturbed)
    found = []
    for key in sorted(filter(lambda key: stage_of(key) in CHILDREN, store.keys("results"))):
        if [status for status, _ in second[key]] != ["FINISHED"]:
            found.append(f"MLflow has {key} as {[status for status, _ in second[key]]}")
        elif first[key][0][1] != second[key][0][1]:
            other = sorted(first[key][0][1] ^ second[key][0][1])
            found.append(f"MLflow has other metrics of {key}: {other[:4]}")
    found += [
        f"a run in MLflow is {s}"
        for s, _ in second[""]
        if s not in ("FINISHED", "FAILED", "KILLED")
    ]
    return found


def _runs(folder: Path) -> dict[str, list[tuple[str, frozenset[str]]]]:
    """Status and metrics' names of each run in MLflow, by the task's key ("" for parents)."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient  # noqa: PLC0415 - seconds

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("quickstart")
    found: dict[str, list[tuple[str, frozenset[str]]]] = defaultdict(list)
    if experiment is not None:
        for run in client.search_runs([experiment.experiment_id], max_results=5000):
            own = (run.info.status, frozenset(run.data.metrics) - {"seconds"})
            found[run.data.tags.get("ilmlip.task", "")].append(own)
    return found
