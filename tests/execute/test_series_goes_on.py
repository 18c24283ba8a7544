"""A series that was killed goes on: the same frames, and no label computed twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import PATIENCE

from ilmlip.chemistry.boxes import read_one, write
from ilmlip.execute.claims import Claims
from ilmlip.execute.worker import do, pack
from ilmlip.plan.task import Task
from ilmlip.spec import dft
from ilmlip.spec.derived import Aimd, Rattle, Relax, VolumeScan
from ilmlip.stages import sample, series
from ilmlip.stages.kept_labels import FOLDER
from ilmlip.store import Result, Store

FRAME = Path(__file__).parents[1] / "data" / "lipf6.extxyz"
MOVES = {
    "aimd": Aimd(steps=39, tolerance=20.0),  # velocities are rescaled now and then
    "relax": Relax(steps=39),
    "volume_scan": VolumeScan(densities=(0.6, 1.2), points=40),
    "rattle": Rattle(amplitude=0.05, count=40),
}
LABELS = 40
CODE = """
import json, sys
from pathlib import Path
from ilmlip.engines import xtb
from ilmlip.execute.worker import work
whole, log = xtb.label, Path("labels.log").absolute()

def counted(*args, **more):
    found = whole(*args, **more)
    with log.open("a") as lines:
        lines.write("x")
    return found

xtb.label = counted
work(Path("store"), json.loads(sys.argv[1]), Path("report.jsonl"), 1)
"""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store in a folder of its own, which is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    found = Store(tmp_path / "store")
    found.prepare()
    return found


def task(store: Store, kind: str, **more) -> Task:
    """A series of a frame that stands in the store."""
    key = "sample-k1-" + "0" * 24
    if store.result(key) is None:
        folder = store.new_work(key)
        write(folder / "trajectory.extxyz", [read_one(FRAME, 0)])
        files = {"trajectory.extxyz": ""}
        made = Result(key, "sample", sample.STAGE.version, Path(), {}, {}, {}, {}, files, {}, "")
        store.publish(made, folder)
    engine = {"xtb": dft.Xtb(scf_accuracy=0.1, electronic_temperature=300.0)}
    heat = {"temperature": 300.0} if kind == "aimd" else {}
    params = series.Params.model_validate(
        {"frame": 0, kind: MOVES[kind], "seed": 3, **engine, **heat, **more}
    )
    return Task("series", series.STAGE.version, params, {"trajectory": (key,)})


def undisturbed(tmp_path: Path, kind: str) -> Result:
    other = Store(tmp_path / "other")
    other.prepare()
    one = task(other, kind)
    assert do(other, Claims(other.root), one) == "done"
    found = other.result(one.key)
    assert found is not None
    return found


def computed() -> int:
    log = Path("labels.log")
    return log.stat().st_size if log.exists() else 0


def kept(store: Store) -> int:
    return len(list((store.root / "work").glob(f"*/{FOLDER}/*.json")))


def start(one: Task) -> subprocess.Popen[bytes]:
    """The real worker."""
    command = [sys.executable, "-c", CODE, json.dumps(pack([one]))]
    return subprocess.Popen(command, env=os.environ)


def kill_at_random(one: Task, dice: random.Random) -> bool:
    """Start the worker and kill it, as it starts or after some labels; whether it was alive."""
    before, job = computed(), start(one)
    if dice.random() < 0.25:
        time.sleep(dice.uniform(0.0, 2.0))
    else:
        end = time.monotonic() + PATIENCE
        while computed() == before and job.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.001)
        time.sleep(dice.uniform(0.0, 0.25))
    alive = job.poll() is None
    job.send_signal(signal.SIGKILL)
    job.wait()
    return alive


def killed_and_gone_on(store: Store, tmp_path: Path, kind: str, kills: int, seed: int) -> int:
    """Kill it so often, let it end, and compare; how many labels were computed in all."""
    expected = undisturbed(tmp_path, kind)
    one, dice = task(store, kind), random.Random(seed)
    killed = sum(kill_at_random(one, dice) for _ in range(kills) if not store.result(one.key))
    assert store.failure(one.key) is None
    at = kept(store)
    job = start(one)
    assert job.wait() == 0
    found = store.result(one.key)
    assert found is not None and killed > 0
    assert found.digest == expected.digest and found.files == expected.files
    if at:
        assert found.notes["labels_taken_over"] >= at
    needed = len(expected.values["steps"])  # a relaxation ends where it has converged
    assert LABELS - 5 <= needed <= LABELS
    assert needed <= computed() <= needed + killed  # at most the one that was being written
    assert not list((store.root / "work").iterdir())
    return computed()


@pytest.mark.parametrize("kind", MOVES)
def test_killed_it_goes_on_to_the_same_digest(kind: str, store: Store, tmp_path: Path) -> None:
    killed_and_gone_on(store, tmp_path, kind, kills=3, seed=len(kind))


@pytest.mark.slow
@pytest.mark.parametrize("kind", MOVES)
def test_killed_often(kind: str, store: Store, tmp_path: Path) -> None:
    total = killed_and_gone_on(store, tmp_path, kind, kills=12, seed=1)
    print(f"{kind}: {total} labels computed for {LABELS}")
