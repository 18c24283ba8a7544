"""Plans on a real Slurm: what waits for what, what is lost with a job, limits, queues, cancelling."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from command import PATIENCE, ilmlip
from rich.console import Console

from ilmlip.errors import IlmlipError
from ilmlip.execute import slurm
from ilmlip.execute.progress import Display
from ilmlip.execute.submission import Element, Run, in_queue, open_runs, queued, runs
from ilmlip.plan.graph import Plan
from ilmlip.plan.task import Task
from ilmlip.run import Ended
from ilmlip.run.follow import _Follower
from ilmlip.run.slurm import run_on_slurm
from ilmlip.spec.load import load_study
from ilmlip.stages.probe import Params
from ilmlip.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("cluster_of_one")]


def probe(
    plan: Plan, name: str, needs: Sequence[str] = (), quorum: float = 1.0, **act: object
) -> str:
    roles = {"inputs": tuple(needs)} if needs else {}
    return plan.add(Task("probe", 1, Params(name=name, **act), roles, {"inputs": quorum}))


def go(plan: Plan, root: Path, *words: str, detach: bool = False) -> Ended:
    """Run a plan as a study's would be, with a second's worth of tasks in a job."""
    study = load_study(
        ["quickstart", "cluster=slurm", f"store={root}", "tracking.uri=", *words], allow=[str(root)]
    )
    store = Store(root)
    store.prepare()
    return run_on_slurm(study, plan, store, detach=detach)


def wait(what: Callable[[], object], patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.3)


def ends(root: Path) -> dict[str, list[str]]:
    """How often and how each task ended, by key."""
    found: dict[str, list[str]] = {}
    for report in (root / "jobs").glob("*/*.jsonl"):
        for line in report.read_text(encoding="utf-8").splitlines():
            said = json.loads(line)
            if "end" in said:
                found.setdefault(said["end"], []).append(said["state"])
    return found


def jobs_of(root: Path, key: str) -> list[Element]:
    return [one for r in last(root).records() for one in r.elements if key in one.tasks]


def said(root: Path, key: str) -> str:
    """What `ilmlip logs` has to say of a task."""
    words = [key[:22], "quickstart", "cluster=slurm", f"store={root}"]
    answer = ilmlip("logs", *words, "--allow", str(root), cwd=root)
    assert answer.code == 0, answer.err
    assert "failed: its worker died" in answer.out and "TasksFailedError" in answer.out
    return answer.out


def last(root: Path) -> Run:
    return runs(root)[-1]


def test_a_plan_runs_as_arrays_and_then_there_is_nothing_to_do(tmp_path: Path) -> None:
    plan = Plan("t")
    labels = [probe(plan, f"l{i:02d}") for i in range(24)]
    data = probe(plan, "data", labels, quorum=0.95)
    trained = [probe(plan, f"t{i}", [data]) for i in range(3)]
    end = probe(plan, "end", trained)
    ended = go(plan, tmp_path, "cluster.pack_seconds=0.05")
    assert set(ended.outcome.settled.values()) == {"done"}
    assert all(how == ["done"] for how in ends(tmp_path).values())
    result = Store(tmp_path).result(end)
    assert result is not None and result.values["inputs"] == ["t0", "t1", "t2"]
    first, second, third, *_ = last(tmp_path).records()
    assert len(first.elements) > 1
    assert second.waits and all(wait.startswith("afterany:") for wait in second.waits)
    assert third.waits == (f"afterok:{second.id}",)
    assert last(tmp_path).closed() is not None
    again = go(plan, tmp_path)
    assert set(again.outcome.settled.values()) == {"cached"}
    assert len(runs(tmp_path)) == 1


def test_what_failed_stops_what_needs_it_and_is_tried_alone_the_next_time(tmp_path: Path) -> None:
    plan, flag, root = Plan("t"), tmp_path / "flag", tmp_path / "store"
    flag.touch()
    good = [probe(plan, f"g{i:02d}") for i in range(19)]
    bad = probe(plan, "bad", act="fail", only_if=str(flag))
    deadly = probe(plan, "deadly", act="die", only_if=str(flag))
    data = probe(plan, "data", [*good, bad], quorum=0.95)
    end = probe(plan, "end", [data])
    below = probe(plan, "below", [deadly])
    lower = probe(plan, "lower", [below])
    ended = go(plan, root)
    settled = ended.outcome.settled
    assert {settled[key] for key in (*good, data, end)} == {"done"}
    assert {settled[key] for key in (bad, deadly)} == {"failed"}
    assert {settled[key] for key in (below, lower)} == {"blocked"}
    failure = Store(root).failure(deadly)
    assert failure is not None and "SIGKILL" in failure.reason
    first = Store(root).result(data)
    assert first is not None and first.missing == {"inputs": [bad]}
    assert (closed := last(root).closed()) is not None and closed["status"] == "failed"
    assert any(f"job {one.id}" in said(root, deadly) for one in jobs_of(root, deadly))
    flag.unlink()
    ended = go(plan, root)
    assert ended.ok
    assert {ended.outcome.settled[key] for key in good} == {"cached"}
    assert {ended.outcome.settled[key] for key in (bad, deadly, data, end, below, lower)} == {
        "done"
    }
    second = Store(root).result(data)
    assert second is not None and not second.missing
    assert sum(how.count("done") for key, how in ends(root).items() if key in good) == len(good)


def test_after_submission_nobody_needs_to_stay(tmp_path: Path) -> None:
    plan = Plan("t")
    first = probe(plan, "a", wait=15.0)
    second = probe(plan, "b", [first])
    ended = go(plan, tmp_path, detach=True)
    assert set(ended.queued) == {first, second}
    held = queued(tmp_path, slurm.queue()).tasks
    assert held[second].state == "PENDING" and held[second].reason == "Dependency"
    # the same study again: nothing is submitted, the same run is followed to its end
    again = go(plan, tmp_path)
    assert set(again.outcome.settled.values()) == {"done"}
    assert len(runs(tmp_path)) == 1
    assert all(how == ["done"] for how in ends(tmp_path).values())


def test_another_study_waits_for_what_is_in_the_queue_already(tmp_path: Path) -> None:
    one, other = Plan("one"), Plan("other")
    shared = probe(one, "shared", wait=20.0)
    probe(other, "shared", wait=20.0)
    mine = probe(other, "mine", [shared])
    go(one, tmp_path, detach=True)
    job = queued(tmp_path, slurm.queue()).tasks[shared].job
    ended = go(other, tmp_path, "model.r_max=6")
    assert ended.outcome.settled[mine] == "done"
    assert len(runs(tmp_path)) == 2
    assert f"afterany:{job}" in last(tmp_path).records()[0].waits
    assert ends(tmp_path)[shared] == ["done"]


def test_a_queue_that_takes_few_jobs_gets_them_wave_by_wave(tmp_path: Path) -> None:
    plan = Plan("t")
    chains = [[probe(plan, f"c{i}.0")] for i in range(6)]
    for chain in chains:
        for step in range(1, 3):
            chain.append(probe(plan, f"{chain[0]}.{step}", [chain[-1]]))
    words = ("cluster.slurm.max_queued=5", "cluster.pack_seconds=0.001")
    words += ("cluster.slurm.longest_minutes=1", "cluster.slurm.slack=6e4")
    ended = go(plan, tmp_path, *words)
    assert set(ended.outcome.settled.values()) == {"done"}
    closing = [r for r in last(tmp_path).records() if r.stage == "closing"]
    assert len(closing) > 2
    assert all(how == ["done"] for how in ends(tmp_path).values())


def test_a_job_that_is_lost_is_submitted_again(tmp_path: Path) -> None:
    """The whole job is killed, as by a node that dies: it leaves no word."""
    plan = Plan("t")
    first = probe(plan, "a", wait=15.0)
    second = probe(plan, "b", [first])
    go(plan, tmp_path, detach=True)
    claim = tmp_path / "claims" / f"{first}.json"
    wait(claim.exists)
    worker = psutil.Process(json.loads(claim.read_text(encoding="utf-8"))["pid"])
    supervisor = worker.parent()
    assert supervisor is not None and "submitit" in " ".join(supervisor.cmdline())
    supervisor.kill()
    wait(lambda: last(tmp_path).closed())
    assert (closed := last(tmp_path).closed()) is not None and closed["status"] == "done"
    store = Store(tmp_path)
    assert store.result(first) is not None and store.result(second) is not None
    assert ends(tmp_path)[first] == ["done"]


def test_cancelled_jobs_leave_the_queue_and_the_next_run_goes_on(tmp_path: Path) -> None:
    from ilmlip.cli import main

    root = tmp_path / "store"
    plan = Plan("t")
    done, long = probe(plan, "done"), probe(plan, "long", wait=300.0)
    probe(plan, "end", [done, long])
    go(plan, root, "cluster.pack_seconds=0.001", detach=True)
    wait(lambda: Store(root).result(done) is not None)
    words = ["quickstart", "cluster=slurm", f"store={root}", "tracking.uri=", "--allow", str(root)]
    assert main(["cancel", *words]) == 0
    wait(lambda: not queued(root, slurm.queue()).jobs)
    assert open_runs(root) == []
    assert (closed := last(root).closed()) is not None and closed["status"] == "cancelled"
    assert Store(root).result(done) is not None
    wait(lambda: not any("ilmlip" in line for line in squeue("%k")))


def squeue(form: str) -> list[str]:
    done = subprocess.run(
        ["squeue", "-h", "-r", "-o", form],
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    return done.stdout.split("\n")


def test_a_task_that_outlives_its_limit_gets_more_time_and_what_needs_it_waits(
    tmp_path: Path,
) -> None:
    plan = Plan("t")
    long = probe(plan, "long", wait=70.0)
    below = probe(plan, "below", [long])
    words = ("cluster.slurm.least_minutes=1", "cluster.slurm.longest_minutes=4")
    words += ("cluster.slurm.slack=0.001", "cluster.slurm.notice=15")
    ended = go(plan, tmp_path, *words)
    assert ended.outcome.settled == {long: "done", below: "done"}
    again = [r for r in last(tmp_path).records() if long in r.elements[0].tasks]
    assert [r.elements[0].minutes for r in again] == [1, 2]
    assert last(tmp_path).records()[1].waits == (f"afterok:{again[1].id}",)
    assert ends(tmp_path)[long] == ["done"]


def test_a_task_that_outlives_the_longest_limit_fails_and_says_so(tmp_path: Path) -> None:
    plan = Plan("t")
    long = probe(plan, "long", wait=200.0)
    probe(plan, "below", [long])
    words = ("cluster.slurm.least_minutes=1", "cluster.slurm.longest_minutes=1")
    ended = go(plan, tmp_path, *words, "cluster.slurm.notice=15", "cluster.slurm.slack=0.001")
    assert ended.outcome.settled[long] == "failed"
    failure = Store(tmp_path).failure(long)
    assert failure is not None and "cluster.slurm.longest_minutes" in failure.reason


def test_preempted_jobs_come_back(tmp_path: Path) -> None:
    """A job of another's in a partition of higher priority takes the node; ours is requeued."""
    plan = Plan("t")
    key = probe(plan, "a", wait=12.0)
    go(plan, tmp_path, "cluster.slurm.partition=spare", detach=True)
    job = queued(tmp_path, slurm.queue()).tasks[key].job
    wait((tmp_path / "claims" / f"{key}.json").exists)
    subprocess.run(
        ["sbatch", "-p", "main", "--exclusive", "-o", "/dev/null", "--wrap", "sleep 5"],
        check=True, capture_output=True,
    )  # fmt: skip
    wait(lambda: last(tmp_path).closed())
    assert ends(tmp_path)[key] == ["done"]
    shown = subprocess.run(
        ["scontrol", "-o", "show", "job", job],
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    assert "Restarts=1" in shown.stdout


def test_a_slurm_that_refuses_is_heard_and_nothing_stays(tmp_path: Path) -> None:
    plan = Plan("t")
    probe(plan, "a")
    wrong = r"(?i)invalid partition.*cluster\.slurm\.partition \(is nowhere\).*main, spare, short"
    with pytest.raises(IlmlipError, match=wrong):
        go(plan, tmp_path, "cluster.slurm.partition=nowhere")
    assert open_runs(tmp_path) == []
    assert not queued(tmp_path, slurm.queue()).jobs
    assert go(plan, tmp_path).ok


def test_the_command_that_follows_may_be_interrupted(tmp_path: Path) -> None:
    plan = Plan("t")
    key = probe(plan, "a", wait=6.0)
    pid = os.fork()
    if pid == 0:  # a process of its own, so that the interrupt is its alone
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            go(plan, tmp_path)
        except KeyboardInterrupt as error:
            (tmp_path / "said").write_text(str(error), encoding="utf-8")
        os._exit(0)
    wait((tmp_path / "claims" / f"{key}.json").exists)
    os.kill(pid, signal.SIGINT)
    os.waitpid(pid, 0)
    assert "continue; see `ilmlip status`" in (tmp_path / "said").read_text(encoding="utf-8")
    wait(lambda: last(tmp_path).closed())
    assert Store(tmp_path).result(key) is not None


def test_the_users_environment_does_not_change_what_is_in_the_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """squeue takes options from variables, and its user from USER: nothing is submitted twice."""
    plan = Plan("t")
    first = probe(plan, "a", wait=8.0)
    second = probe(plan, "b", [first])
    go(plan, tmp_path, detach=True)
    lying = {"USER": "nobody", "LOGNAME": "nobody", "SQUEUE_STATES": "COMPLETED"}
    for name, value in {**lying, "SQUEUE_PARTITION": "spare", "SLURM_CLUSTERS": "gone"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("ilmlip.run.slurm.FRESH", 0.0)
    assert set(queued(tmp_path, in_queue(tmp_path)).tasks) == {first, second}
    again = go(plan, tmp_path)
    assert set(again.outcome.settled.values()) == {"done"}
    assert len(runs(tmp_path)) == 1
    assert all(how == ["done"] for how in ends(tmp_path).values())
    other = Plan("o")
    probe(other, "c")
    with pytest.raises(slurm.SlurmError, match="SLURM_CLUSTERS=gone"):
        go(other, tmp_path)


def test_jobs_on_another_cluster_are_not_submitted_here_again(tmp_path: Path) -> None:
    """One store, two clusters: the queue of one says nothing of the other's jobs."""
    plan = Plan("t")
    probe(plan, "a", wait=5.0)
    go(plan, tmp_path, detach=True)
    run = last(tmp_path)
    assert run.cluster == "ilmlip"
    replace(run, cluster="other").write()
    with pytest.raises(slurm.SlurmError, match="the cluster other, and here ilmlip answers"):
        go(plan, tmp_path)
    assert last(tmp_path).closed() is None and len(runs(tmp_path)) == 1
    run.write()
    assert go(plan, tmp_path).ok


def test_a_job_that_will_never_begin_is_told_of(tmp_path: Path) -> None:
    """Slurm takes a job of more time than its partition allows, and lets it wait for ever."""
    plan, said = Plan("t"), io.StringIO()
    key = probe(plan, "a")
    go(plan, tmp_path, "cluster.slurm.partition=short", detach=True)
    wait(lambda: queued(tmp_path, in_queue(tmp_path)).tasks[key].reason == "PartitionTimeLimit")
    with Display(plan, Console(file=said)) as display:
        follower = _Follower(plan, Store(tmp_path), last(tmp_path), display, set())
        for _ in range(2):
            assert follower._is_there()
    text = " ".join(said.getvalue().split())
    assert text.count("will not begin (PartitionTimeLimit)") == 1
    assert "cluster.slurm.longest_minutes" in text and "short (5:00)" in text
    slurm.cancel(queued(tmp_path, in_queue(tmp_path)).jobs[last(tmp_path).name])
