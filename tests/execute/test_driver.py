"""The execution on real submitit jobs: each task once, failures kept apart, deaths survived."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from command import PATIENCE

from ilmlip.execute.claims import Claims
from ilmlip.execute.driver import Driver, Outcome
from ilmlip.execute.jobs import submitter
from ilmlip.plan.graph import Plan, states
from ilmlip.plan.task import Task
from ilmlip.spec.cluster import Cluster
from ilmlip.stages.probe import Params
from ilmlip.store import Store


def probe(plan: Plan, name: str, needs: tuple[str, ...] = (), quorum: float = 1.0, **act) -> str:
    params = Params(name=name, **act)
    roles = {"inputs": needs} if needs else {}
    return plan.add(Task("probe", 1, params, roles, {"inputs": quorum}))


def drive(
    plan: Plan, root: Path, executor: str = "debug", cores: int = 2, seen: list[str] | None = None
) -> Outcome:
    """Run a plan; `seen` gets the key of each task as it is settled."""
    store = Store(root)
    store.prepare()
    cluster = Cluster(executor=executor, cores=cores, memory_gb=4)
    folder = Path(tempfile.mkdtemp(prefix="run", dir=root / "jobs"))  # several drivers share a root
    jobs = submitter(cluster, store.root, folder)
    return Driver(
        plan,
        store,
        cluster,
        jobs,
        folder,
        lambda task, how: (seen if seen is not None else []).append(task.key),
    ).run()


@pytest.mark.parametrize("executor", ["debug", "local"])
def test_runs_everything_once_and_then_nothing(tmp_path: Path, executor: str) -> None:
    plan = Plan("t")
    first = [probe(plan, f"a{i}") for i in range(20)]
    gathered = probe(plan, "all", tuple(first))
    outcome = drive(plan, tmp_path, executor)
    assert set(outcome.settled.values()) == {"done"}
    result = Store(tmp_path).result(gathered)
    assert result is not None and result.values["inputs"] == [f"a{i}" for i in range(20)]
    again = drive(plan, tmp_path, executor)
    assert set(again.settled.values()) == {"cached"}
    assert not list((tmp_path / "work").iterdir())
    assert not list((tmp_path / "claims").glob("*.json"))


def test_a_failure_stops_only_what_needs_it(tmp_path: Path) -> None:
    plan, flag = Plan("t"), tmp_path / "flag"
    flag.touch()
    bad = probe(plan, "bad", act="fail", only_if=str(flag))
    odd = probe(plan, "odd", act="raise", only_if=str(flag))
    good = probe(plan, "good")
    below = probe(plan, "below", (bad, good))
    free = probe(plan, "free", (good,))
    root = tmp_path / "store"
    outcome = drive(plan, root)
    assert outcome.settled == {
        bad: "failed", odd: "failed", good: "done", below: "blocked", free: "done",
    }  # fmt: skip
    store = Store(root)
    failure = store.failure(bad)
    assert failure is not None
    assert (failure.reason, failure.command) == ("told to fail", "probe --fail")
    assert "told to fail" in Path(failure.log).read_text(encoding="utf-8")
    unforeseen = store.failure(odd)
    assert unforeseen is not None
    assert unforeseen.reason == "ZeroDivisionError: told to raise"
    assert "Traceback" in Path(unforeseen.log).read_text(encoding="utf-8")
    assert states(plan, store)[bad] == "failed"
    # again: only what failed, and what waited for it
    flag.unlink()
    outcome = drive(plan, root)
    assert outcome.settled == {
        bad: "done", odd: "done", good: "cached", below: "done", free: "cached",
    }  # fmt: skip
    assert store.failure(bad) is None


def test_a_dead_worker_fails_its_own_task_only(tmp_path: Path) -> None:
    plan = Plan("t")
    names = [probe(plan, f"a{i:02d}") for i in range(10)]
    deadly = probe(plan, "deadly", act="die")
    outcome = drive(plan, tmp_path, "local", cores=1)
    assert outcome.settled.pop(deadly) == "failed"
    assert {outcome.settled[key] for key in names} == {"done"}
    failure = Store(tmp_path).failure(deadly)
    assert failure is not None and "worker died" in failure.reason
    assert Path(failure.log).exists()


def test_a_quorum_goes_on_and_mends_itself(tmp_path: Path) -> None:
    plan, flag = Plan("t"), tmp_path / "flag"
    flag.touch()
    labels = [probe(plan, f"l{i}") for i in range(19)]
    labels.append(probe(plan, "late", act="fail", only_if=str(flag)))
    data = probe(plan, "data", tuple(labels), quorum=0.95)
    end = probe(plan, "end", (data,))
    root = tmp_path / "store"
    outcome = drive(plan, root)
    assert outcome.settled[labels[-1]] == "failed"
    assert outcome.settled[data] == outcome.settled[end] == "done"
    store = Store(root)
    first = store.result(data)
    assert first is not None and first.missing == {"inputs": [labels[-1]]}
    # as long as the label fails, what was made without it stands
    assert drive(plan, root).settled[data] == "cached"
    flag.unlink()
    outcome = drive(plan, root)
    assert [outcome.settled[key] for key in (labels[0], labels[-1], data, end)] == [
        "cached", "done", "done", "done",
    ]  # fmt: skip
    second = store.result(data)
    assert second is not None and not second.missing and len(second.values["inputs"]) == 20


def test_too_few_for_the_quorum_blocks(tmp_path: Path) -> None:
    plan = Plan("t")
    labels = [probe(plan, f"l{i}", act="fail" if i < 2 else "write") for i in range(20)]
    data = probe(plan, "data", tuple(labels), quorum=0.95)
    assert drive(plan, tmp_path).settled[data] == "blocked"


def test_slots_are_respected(tmp_path: Path) -> None:
    """Two cores: two probes of 0.5 s at a time, so that four take at least 1 s, not 0.5."""
    plan = Plan("t")
    for i in range(4):
        probe(plan, f"w{i}", wait=0.5)
    outcome = drive(plan, tmp_path, "local")
    assert set(outcome.settled.values()) == {"done"}
    spans = []
    for key in plan.tasks:
        result = Store(tmp_path).result(key)
        assert result is not None
        spans.append((result.started, result.started + result.seconds))
    overlap = max(sum(a <= t < b for a, b in spans) for t, _ in spans)
    assert overlap <= 2


DRIVER = """
import sys
import time
from pathlib import Path
sys.path[:0] = {tests!r}
from test_driver import drive, probe
from ilmlip.plan.graph import Plan
plan = Plan("t")
for i in range(30):
    probe(plan, f"p{{i}}", wait=0.05)
outcome = drive(plan, Path({root!r}), "local", 1)
others = len(outcome.elsewhere)
print(outcome.count("done") - others, others, outcome.count("cached"))
"""


def test_two_drivers_share_a_store(tmp_path: Path) -> None:
    """Neither computes what the other does, and each tells its own tasks from the other's."""
    Store(tmp_path).prepare()
    code = DRIVER.format(tests=list(map(str, Path(__file__).parents[:2])), root=str(tmp_path))
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        for _ in range(2)
    ]
    mine = 0
    for process in both:
        out, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, out
        own, others, cached = map(int, out.split())
        assert own + others + cached == 30  # each says what became of all
        mine += own
    assert mine == 30  # and counts as its own what it has computed
    store = Store(tmp_path)
    assert len(store.keys()) == 30
    assert not store.keys("failed")
    assert not list((tmp_path / "work").iterdir())  # nothing was computed twice and left


def test_a_dead_claim_is_taken_over(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.prepare()
    code = (
        "import os, signal; from pathlib import Path; from ilmlip.execute.claims import Claims; "
        f"assert Claims(Path({str(tmp_path)!r})).take('probe-x'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], env=os.environ, check=False)
    claims = Claims(tmp_path)
    assert (tmp_path / "claims" / "probe-x.json").exists()
    assert not claims.is_alive("probe-x")
    assert claims.take("probe-x")
    assert not Claims(tmp_path).take("probe-x")
    claims.release("probe-x")
    assert not claims.is_alive("probe-x")


INTERRUPTED = """
import sys
import time
from pathlib import Path
sys.path[:0] = {tests!r}
from test_driver import drive, probe
from ilmlip.plan.graph import Plan
plan = Plan("t")
for i in range(2):
    probe(plan, f"long{{i}}", wait=9999)
drive(plan, Path({root!r}), "local", 2)
"""


def test_an_interrupted_driver_leaves_no_process(tmp_path: Path) -> None:
    """Whatever the signals that the jobs ignore; and the next run goes on."""
    code = INTERRUPTED.format(tests=list(map(str, Path(__file__).parents[:2])), root=str(tmp_path))
    driver = subprocess.Popen(
        [sys.executable, "-c", code],
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + PATIENCE
    while len(list((tmp_path / "claims").glob("*.json"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    workers = [
        json.loads(path.read_text(encoding="utf-8"))["pid"]
        for path in (tmp_path / "claims").glob("*.json")
    ]
    assert len(workers) == 2
    driver.send_signal(signal.SIGINT)
    driver.wait(PATIENCE)
    for pid in workers:
        psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=PATIENCE)
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert Claims(tmp_path).alive() == set()


def test_going_on_from_a_partly_done_plan_settles_each_task_once(tmp_path: Path) -> None:
    """Chains whose beginnings are cached: what follows waits for all its inputs, and runs once."""
    first, whole = Plan("t"), Plan("t")
    for plan, length in ((first, 3), (whole, 6)):
        ends = []
        for chain in "ab":
            key = probe(plan, f"{chain}0")
            for i in range(1, length):
                key = probe(plan, f"{chain}{i}", (key,))
            ends.append(key)
        if length == 6:
            probe(plan, "end", tuple(ends))
    drive(first, tmp_path)
    seen: list[str] = []
    outcome = drive(whole, tmp_path, seen=seen)
    assert sorted(seen) == sorted(whole.tasks)
    assert [outcome.settled[key] for key in whole.tasks].count("cached") == 6
    assert "blocked" not in outcome.settled.values()
    again: list[str] = []
    assert set(drive(whole, tmp_path, seen=again).settled.values()) == {"cached"}
    assert sorted(again) == sorted(whole.tasks)
