"""What a run leaves behind it: nothing of what is done, everything of what failed."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from command import PATIENCE
from test_driver import drive, probe

from ilmlip.execute.claims import Claims
from ilmlip.execute.events import Events
from ilmlip.execute.owner import me
from ilmlip.execute.tidy import sweep
from ilmlip.execute.unsaid import unsaid
from ilmlip.execute.worker import do
from ilmlip.plan.graph import Plan
from ilmlip.store import Failure, Store


def test_jobs_that_ended_well_leave_their_reports_alone(tmp_path: Path) -> None:
    plan = Plan("t")
    keys = {probe(plan, f"p{i}") for i in range(6)}
    drive(plan, tmp_path, "local")
    (run,) = (tmp_path / "jobs").iterdir()
    files = [path for path in run.rglob("*") if path.is_file()]
    assert [path.name for path in files] == ["done.jsonl"]
    said = [json.loads(line) for line in files[0].read_text(encoding="utf-8").splitlines()]
    assert {one["end"] for one in said if one.get("state") == "done"} == keys


def test_a_job_with_a_failure_keeps_everything(tmp_path: Path) -> None:
    plan = Plan("t")
    bad = probe(plan, "bad", act="fail")
    drive(plan, tmp_path, "local")
    (run,) = (tmp_path / "jobs").iterdir()
    (report,) = run.glob("*.jsonl")
    assert f'"end": "{bad}", "state": "failed"' in report.read_text(encoding="utf-8")
    assert list(run.glob("*/*_log.err")) and list(run.glob("*/*.pkl"))


def test_what_dead_attempts_left_goes_and_the_rest_stays(tmp_path: Path) -> None:
    store = Store(tmp_path)
    plan = Plan("t")
    done, claimed = probe(plan, "done"), probe(plan, "claimed")
    drive(plan, tmp_path)
    other = "probe-k1-other"

    def litter(key: str) -> list[Path]:
        store.publish_failure(Failure(key, "probe", "x", "", "", 0.0), store.new_work(key))
        halves = [store.folder(key).parent / f"{name}.abc" for name in (f".{key}", f".old.{key}")]
        for half in halves:
            half.mkdir()
        dead = tmp_path / "claims" / f"{key}.json"
        dead.write_text(json.dumps(me().plain() | {"born": 1.0}), encoding="utf-8")
        return [store.new_work(key), store.failed_folder(key), *halves, dead]

    gone, kept, foreign = litter(done), litter(claimed), litter(other)
    holder = Claims(tmp_path)
    assert holder.take(claimed)
    sweep(store, Claims(tmp_path), {done, claimed})
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in kept + foreign)
    assert store.result(done) is not None


def test_what_a_worker_left_that_died_when_it_had_published(tmp_path: Path) -> None:
    """The next worker that is given the task finds it done, and clears up."""
    plan = Plan("t")
    key = probe(plan, "done")
    drive(plan, tmp_path)
    store = Store(tmp_path)
    left = store.new_work(key)
    (left / "scratch").write_text("x", encoding="utf-8")
    assert do(store, Claims(tmp_path), plan.tasks[key]) == "there"
    assert not left.exists()


ORPHAN = """
import sys
from pathlib import Path
sys.path[:0] = {tests!r}
from test_driver import drive, probe
from ilmlip.plan.graph import Plan
plan = Plan("t")
probe(plan, "long", wait=6)
outcome = drive(plan, Path({root!r}), "local", 1)
print(*outcome.settled.values(), len(outcome.failures))
"""


def test_a_worker_outlives_its_controller(tmp_path: Path) -> None:
    """submitit's own process is killed: the task is not given up, and runs once."""
    store = Store(tmp_path)
    store.prepare()
    code = ORPHAN.format(tests=list(map(str, Path(__file__).parents[:2])), root=str(tmp_path))
    driver = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    end = time.monotonic() + PATIENCE
    while not (claims := list((tmp_path / "claims").glob("*.json"))):
        assert time.monotonic() < end
        time.sleep(0.05)
    worker = psutil.Process(json.loads(claims[0].read_text(encoding="utf-8"))["pid"])
    controller = worker.parent()
    assert controller is not None and "submitit.local._local" in controller.cmdline()
    controller.kill()
    out, _ = driver.communicate(timeout=PATIENCE)
    assert out.split() == ["done", "0"]
    assert len(store.keys()) == 1
    reports = "".join(
        path.read_text(encoding="utf-8") for path in (tmp_path / "jobs").glob("*/*.jsonl")
    )
    assert reports.count('"state": "done"') == 1
    assert not store.keys("failed") and not list((tmp_path / "work").iterdir())


def test_what_a_dead_run_did_not_tell(tmp_path: Path) -> None:
    store = Store(tmp_path)
    plan = Plan("t")
    keys = [probe(plan, name) for name in "abc"]
    drive(plan, tmp_path)
    told, untold, failed = plan
    assert unsaid(plan, store, set(keys)) == []  # no run has died
    dead = Events(tmp_path)
    dead.start(study="s", study_key="k", spec={}, params={})
    dead.task(told)
    with (dead.folder / "events.jsonl").open("a", encoding="utf-8") as lines:
        lines.write('{"event": "ta')
    present = {told.key, untold.key}
    assert unsaid(plan, store, present) == [untold]
    later = Events(tmp_path)
    later.start(study="s", study_key="k", spec={}, params={})
    later.task(untold)
    later.end("done", {})
    assert unsaid(plan, store, present) == []
    assert unsaid(plan, store, present | {failed.key}) == [failed]


def test_a_tracker_without_locks_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ilmlip.track import __main__ as tracker

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(tracker.fcntl, "flock", refuse)
    with (
        pytest.raises(SystemExit, match=r"cannot be locked \(No locks available\)"),
        tracker._alone(tmp_path / "lock"),
    ):
        pass
