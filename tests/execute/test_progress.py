"""What a log file gets of a run's progress: one line for what has changed, with the time left."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from ilmlip.execute import progress
from ilmlip.execute.progress import Display, Remaining
from ilmlip.plan.graph import Plan
from ilmlip.plan.task import Task
from ilmlip.stages.probe import Params


def plan_of(stages: dict[str, int]) -> Plan:
    plan = Plan("study")
    for stage, number in stages.items():
        for index in range(number):
            plan.add(Task(stage, 1, Params(name=str(index))))
    return plan


def test_a_line_names_what_has_changed_and_is_never_wrapped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stages = {"forcefield": 1, "equilibrate": 2, "label": 3, "dataset_report": 1, "evaluate": 2}
    plan, out = plan_of(stages), io.StringIO()
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    tasks = list(plan)
    with Display(plan, Console(file=out, width=40)) as display:
        for task in tasks[:3]:
            display.update(task, "cached")
        for task in tasks[3:5]:
            display.update(task, "done")
        monkeypatch.setattr(progress, "LINE_EVERY", 1e9)
        display.update(tasks[5], "failed")
        display.update(tasks[6], "done")
    lines = [line.split("  ", 1)[1] for line in out.getvalue().splitlines()]
    assert lines == [
        "study: 9 tasks in 5 stages; 0 of 9 settled",
        "label 1/3; 4 of 9 settled",
        "label 2/3; 5 of 9 settled",
        "label 3/3 (1 failed), dataset_report 1/1; 7 of 9 settled",
    ]


def test_nothing_new_is_no_line() -> None:
    plan, out = plan_of({"label": 1}), io.StringIO()
    with Display(plan, Console(file=out)):
        pass
    assert len(out.getvalue().splitlines()) == 1


def test_the_time_left_follows_the_pace_of_what_is_done() -> None:
    now = 0.0
    left = Remaining({"a": 10.0, "b": 10.0, "c": 80.0}, wall=90.0, clock=lambda: now)
    assert left.left() == 90, "before anything is done, what the plan says"
    now = 30.0
    assert left.left() == 60
    left.settled("a")
    left.settled("b")
    assert left.left() == pytest.approx(120), "a fifth of the work took 30 s"
    left.settled("c")
    assert left.left() == 0 and str(left) == ""
    assert Remaining({"a": 1.0}, wall=None, clock=lambda: now).left() is None
    assert str(Remaining({"a": 1.0}, wall=3600.0, clock=lambda: now)) == "about 60 min left"
