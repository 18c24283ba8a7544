"""Results of runs that died before they told of them: the next run's events do."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from ilmlip.execute.events import Events
from ilmlip.execute.unsaid import unsaid, untold
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


def test_what_only_another_study_has_told_is_told_again(tmp_path: Path) -> None:
    """Each study is an experiment of MLflow's, which shows every point of a sweep."""
    plan, store = Plan("sweep"), Store(tmp_path)
    store.prepare()
    one, two = (probe(plan, name) for name in "ab")
    two = plan.tasks[two.key] = replace(two, about={"r_max": 4})
    for task in (one, two):
        publish(store, task)
    first = Events(store.root, "20250101-000000-abcd")
    first.start(**{**WHAT, "study": "other"})
    first.task(one)
    first.task(two)
    first.end("done", {})
    assert untold(plan, store, store.keys(), ("train",)) == []
    assert untold(plan, store, store.keys(), ("probe",)) == [one, two]
    own = Events(store.root, "20250102-000000-abcd")
    own.start(**{**WHAT, "study": "sweep"})
    own.task(one)
    own.task(replace(two, about={}))  # before it was swept
    own.end("done", {})
    assert untold(plan, store, store.keys(), ("probe",)) == [two]
