"""Results of runs that died before they told of them: the next run's events do."""

from __future__ import annotations

import time
from pathlib import Path

from ilmlip.execute.events import Events
from ilmlip.execute.unsaid import unsaid
from ilmlip.plan.graph import Plan
from ilmlip.plan.task import Task
from ilmlip.stages.probe import Params
from ilmlip.store import Result, Store

WHAT = {"study": "quick", "study_key": "abc", "spec": {"name": "quick"}, "params": {}}


def probe(plan: Plan, name: str) -> Task:
    return plan.tasks[plan.add(Task("probe", 1, Params(name=name)))]


def publish(store: Store, task: Task) -> None:
    result = Result(
        task.key, task.stage, 1, Path(), {}, {}, {}, {}, {}, {}, "", started=time.time()
    )
    store.publish(result, store.new_work(task.key))


def test_what_a_dead_driver_did_not_say(tmp_path: Path) -> None:
    plan, store = Plan("t"), Store(tmp_path)
    store.prepare()
    one, two, three = (probe(plan, name) for name in "abc")
    killed = Events(store.root)
    killed.start(**WHAT)
    for task in (one, two):
        publish(store, task)
    killed.task(one)
    assert unsaid(plan, store, store.keys()) == [two]
    publish(store, three)
    later = Events(store.root, "20990101-000000-abcd")
    later.start(**WHAT)
    later.task(two)
    later.end("done", {})
    assert unsaid(plan, store, store.keys()) == [three]
    killed.end("failed", {})
    assert unsaid(plan, store, store.keys()) == []
