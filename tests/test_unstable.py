"""MD runs that became unstable: `run`, `status` and their JSON say how many, and where to look."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ilmlip.execute.driver import Outcome
from ilmlip.plan.compile import compile_study
from ilmlip.plan.graph import Plan
from ilmlip.plan.task import Task
from ilmlip.run.outputs import lay_out
from ilmlip.run.unstable import md_runs
from ilmlip.spec.load import load, load_study
from ilmlip.store import Result, Store

HOT = "temperature 4000 K is above 3000 K"
WORDS = ("quickstart", "ensemble=nvt", "ensemble.duration=1000", "ensemble.training=[[0.4,0.6]]")


def publish(store: Store, task: Task, values: dict[str, Any], *files: str) -> None:
    work = store.root / "work" / task.key
    work.mkdir(parents=True)
    for name in files:
        (work / name).write_text("made up", encoding="utf-8")
    result = Result(
        task.key,
        task.stage,
        task.version,
        work,
        {},
        {},
        {},
        {},
        dict.fromkeys(files, ""),
        values,
        "",
    )
    store.publish(result, work)


@pytest.fixture
def made(tmp_path: Path) -> tuple[Store, Plan, set[str]]:
    """Six runs: four unstable, one that its wall time ended, one to its end; and their page."""
    store, plan = Store(tmp_path / "store"), compile_study([load([*WORDS])])
    store.prepare()
    runs = [task for task in plan if task.stage == "md"]
    assert len(runs) == 6
    ends: list[dict[str, Any]] = [{"stable": False, "reason": HOT}] * 4
    ends += [{"stable": False, "reason": "wall time 2 h is above 1 h"}, {"stable": True}]
    for task, ended in zip(runs, ends, strict=True):
        publish(store, task, ended | {"steps": 10})
    (page,) = (task for task in plan if task.stage == "md_report")
    publish(store, page, {"runs": 6, "unstable": 5}, "md.csv", "md.md", "md.png")
    return store, plan, {task.key for task in [*runs, page]}


def test_runs_that_became_unstable_are_counted(made: tuple[Store, Plan, set[str]]) -> None:
    store, plan, there = made
    found = md_runs(plan, store, there)
    assert (found.runs, len(found.unstable)) == (6, 4)
    line = found.line()
    assert line.startswith(f"4 of 6 MD runs became unstable ({HOT}): see ")
    assert line.endswith("md.md") and Path(line.rpartition("see ")[2]).is_file()
    data = found.data()
    assert data["runs"] == 6 and {one["reason"] for one in data["unstable"]} == {HOT}
    assert Path(data["see"]).is_file()
    assert md_runs(plan, store, set()).line() == ""


def test_the_page_is_that_of_the_study_once_it_is_laid_out(
    made: tuple[Store, Plan, set[str]],
) -> None:
    store, plan, there = made
    outcome = Outcome(settled=dict.fromkeys(there, "cached"))
    outputs, _ = lay_out(load_study([*WORDS]), plan, store, outcome)
    assert str(md_runs(plan, store, there).see) == outputs["md_page"]
    # an output whose file a result does not have is none, and no error
    assert "observables_figure" not in outputs


def test_the_commands_say_so(
    made: tuple[Store, Plan, set[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """`ilmlip status`, for people and as JSON."""
    import json

    from ilmlip.cli import main

    store, _, _ = made
    words = [*WORDS, f"store={store.root}"]
    assert main(["status", *words]) == 0
    assert "4 of 6 MD runs became unstable" in capsys.readouterr().out
    assert main(["status", "--json", *words]) == 0
    assert len(json.loads(capsys.readouterr().out)["md"]["unstable"]) == 4
