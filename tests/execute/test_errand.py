"""What a job does with its pack, here without Slurm: deaths, others' work, the time limit."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from ilmlip.execute.claims import Claims
from ilmlip.execute.errand import DEATHS, Errand, TasksFailedError
from ilmlip.execute.submission import said_in
from ilmlip.execute.worker import pack
from ilmlip.plan.graph import Plan
from ilmlip.plan.task import Task
from ilmlip.stages.probe import Params
from ilmlip.store import Store


def probe(plan: Plan, name: str, needs: tuple[str, ...] = (), **act: object) -> str:
    return plan.add(Task("probe", 1, Params(name=name, **act), {"inputs": needs} if needs else {}))


def errand(root: Path, plan: Plan, minutes: int = 10, **more: object) -> Errand:
    Store(root).prepare()
    given = {"longest": 60, "notice": 10.0, "requeues": 2, **more}
    return Errand(root, pack(list(plan)), root / "report.jsonl", 1, minutes, **given)


def ends(root: Path) -> dict[str, str]:
    return {s["end"]: s["state"] for s in said_in(root / "report.jsonl") if "end" in s}


def test_does_its_tasks_in_order(tmp_path: Path) -> None:
    plan = Plan("t")
    first = probe(plan, "a")
    second = probe(plan, "b", (first,))
    errand(tmp_path, plan).run()
    assert ends(tmp_path) == {first: "done", second: "done"}
    result = Store(tmp_path).result(second)
    assert result is not None and result.values["inputs"] == ["a"]
    errand(tmp_path, plan).run()  # requeued when all was done: nothing left
    assert len(list(said_in(tmp_path / "report.jsonl"))) == 5


def test_a_task_that_kills_its_worker_fails_alone(tmp_path: Path) -> None:
    plan = Plan("t")
    first, deadly, last = probe(plan, "a"), probe(plan, "d", act="die"), probe(plan, "z")
    with pytest.raises(TasksFailedError, match="1 of 3 tasks"):
        errand(tmp_path, plan).run()
    assert ends(tmp_path) == {first: "done", deadly: "failed", last: "done"}
    failure = Store(tmp_path).failure(deadly)
    assert failure is not None and "SIGKILL" in failure.reason


def test_what_lacks_an_input_is_not_run_and_no_failure_of_its_own(tmp_path: Path) -> None:
    plan = Plan("t")
    bad = probe(plan, "bad", act="fail")
    below = probe(plan, "below", (bad,))
    with pytest.raises(TasksFailedError, match="2 of 2"):
        errand(tmp_path, plan).run()
    assert ends(tmp_path) == {bad: "failed", below: "blocked"}
    assert Store(tmp_path).failure(below) is None


def test_waits_for_what_another_process_computes(tmp_path: Path) -> None:
    plan = Plan("t")
    key = probe(plan, "a")
    job = errand(tmp_path, plan)
    claims = Claims(tmp_path)
    assert claims.take(key)
    given_back = threading.Event()

    def give_back() -> None:
        given_back.set()
        claims.release(key)

    threading.Timer(3.0, give_back).start()
    job.run()
    assert given_back.is_set()
    said = [s["state"] for s in said_in(tmp_path / "report.jsonl") if "end" in s]
    assert said[0] == "busy" and said[-1] == "done"


def test_a_worker_that_never_begins_ends_the_job(tmp_path: Path) -> None:
    plan = Plan("t")
    probe(plan, "a")
    job = errand(tmp_path, plan)
    job.root = tmp_path / "nowhere" / "at all"
    with pytest.raises(TasksFailedError, match=f"died {DEATHS} times"):
        Errand(tmp_path, job.packed, tmp_path / "no" / "report.jsonl", 1, 10, 60, 10.0, 2).run()


def begun(job: Errand, *lines: dict[str, object], ago: float) -> Errand:
    """An errand whose worker has reported these lines, and that began some seconds ago."""
    job.report.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    job.began = time.monotonic() - ago
    return job


def test_before_the_limit_a_job_gives_way_and_comes_back(tmp_path: Path) -> None:
    plan = Plan("t")
    key = probe(plan, "a")
    job = begun(errand(tmp_path, plan), {"began": True}, {"start": key}, ago=5)
    assert job.broken_off() == "requeue"
    assert job.requeues == 2


def test_at_the_limit_a_task_gets_more_time_until_there_is_no_more(tmp_path: Path) -> None:
    plan = Plan("t")
    first, second = probe(plan, "a"), probe(plan, "b")
    lines = ({"began": True}, {"start": first}, {"end": first, "state": "done"}, {"start": second})
    job = begun(errand(tmp_path, plan), *lines, ago=595)
    assert job.broken_off() == "more time"
    assert [data["key"] for data in job.left()] == [second]
    # with the longest limit, but not from its beginning: once more, then it is over
    job = begun(errand(tmp_path, plan, minutes=60), *lines, ago=3595)
    assert job.broken_off() == "more time"
    job = begun(errand(tmp_path, plan, minutes=60), {"began": True}, {"start": first}, ago=3595)
    assert job.broken_off() == "more time"  # for the second task
    assert ends(tmp_path) == {first: "failed"}
    failure = Store(tmp_path).failure(first)
    assert failure is not None and "longest_minutes" in failure.reason


def test_what_can_go_on_is_requeued_as_often_as_is_stated(tmp_path: Path) -> None:
    """But first it gets more time: a job too short for a checkpoint would come back for ever."""
    plan = Plan("t")
    plan.add(Task("probe", 1, Params(name="a")))
    job = errand(tmp_path, plan)
    job.packed = [{**job.packed[0], "key": "train-k1-000000000000000000000000"}]
    lines = ({"began": True}, {"start": "train-k1-000000000000000000000000"})
    assert begun(job, *lines, ago=595).broken_off() == "more time"
    job.minutes = job.longest
    for _ in range(2):
        assert begun(job, *lines, ago=3595).broken_off() == "requeue"
    assert begun(job, *lines, ago=3595).broken_off() == "nothing"
    failure = Store(tmp_path).failure("train-k1-000000000000000000000000")
    assert failure is not None and "requeues" in failure.reason
