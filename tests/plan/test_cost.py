"""What a plan would take: stated without results, learned where there are some."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import SMOKE, Smoke

from ilmlip.plan.compile import compile_study
from ilmlip.plan.cost import cost
from ilmlip.plan.graph import Plan, states
from ilmlip.plan.task import Task
from ilmlip.plan.wall import wall_seconds
from ilmlip.spec.load import load
from ilmlip.stages.probe import Params
from ilmlip.store import Store


def test_stated_on_an_empty_store(tmp_path: Path) -> None:
    plan, store = compile_study([load(["quickstart"])]), Store(tmp_path)
    found = cost(plan, states(plan, store), store, {})
    assert found.label_calls == 400
    assert all(one.learned == 0 for one in found.stages.values())
    assert found.stages["train"].tasks == 6
    total = sum(one.seconds for one in found.stages.values())
    assert found.core_hours == pytest.approx(total / 3600)
    stages = [plan.tasks[key].stage for key in found.critical_path]
    assert stages[0] in ("build", "forcefield") and stages[-1] in ("matrix", "findings")
    assert stages.count("train") == 1


def test_more_steps_take_longer(tmp_path: Path) -> None:
    store = Store(tmp_path)
    seconds = []
    for steps in (1000, 10_000):
        plan = compile_study([load(["quickstart", f"model.max_steps={steps}"])])
        seconds.append(cost(plan, states(plan, store), store, {}).stages["train"].seconds)
    assert seconds[1] > 5 * seconds[0]


def test_cores_count() -> None:
    plan, store = compile_study([load(["quickstart"])]), Store(Path("nowhere"))
    found = states(plan, store)
    one, four = (cost(plan, found, store, {"train": n}).stages["train"] for n in (1, 4))
    assert four.core_hours == pytest.approx(4 * one.core_hours) and four.seconds == one.seconds


def test_the_longest_chain() -> None:
    plan, store = Plan("x"), Store(Path("nowhere"))
    first = plan.add(Task("probe", 1, Params(name="a")))
    second = plan.add(Task("probe", 1, Params(name="b"), {"inputs": (first,)}))
    plan.add(Task("probe", 1, Params(name="c")))
    third = plan.add(Task("probe", 1, Params(name="d"), {"inputs": (second,)}))
    found = cost(plan, states(plan, store), store, {})
    assert found.critical_path == (first, second, third)
    assert found.critical_seconds == pytest.approx(0.03)


def test_wall_time_of_what_needs_each_other_and_of_what_does_not(tmp_path: Path) -> None:
    """a → b → d take 3 s in a row; c, of two cores, waits until both are free."""
    plan = Plan("x")
    first = plan.add(Task("probe", 1, Params(name="a")))
    second = plan.add(Task("probe", 1, Params(name="b"), {"inputs": (first,)}))
    last = plan.add(Task("probe", 1, Params(name="d"), {"inputs": (second,)}))
    alone = plan.add(Task("noop", 1, Params(name="c")))
    seconds = dict.fromkeys((first, second, last), 1.0) | {alone: 5.0}
    assert wall_seconds(plan, seconds, {}, 1) == 8
    assert wall_seconds(plan, seconds, {}, 2) == 5
    assert wall_seconds(plan, seconds, {"noop": 2}, 2) == 8
    assert wall_seconds(plan, seconds, {"noop": 9}, 2) == 8, "at most all cores"
    assert wall_seconds(plan, {}, {}, 2) == 0


@pytest.mark.parametrize("cores", [1, 2, 16])
def test_wall_time_lies_within_its_bounds(cores: int) -> None:
    """R. L. Graham, Bell Syst. Tech. J. 45, 1563 (1966), for tasks of one core."""
    plan, store = compile_study([load(["quickstart"])]), Store(Path("nowhere"))
    found = cost(plan, states(plan, store), store, {}, cores)
    work = found.core_hours * 3600 / cores
    assert found.wall_seconds is not None and found.cores == cores
    assert max(work, found.critical_seconds) <= found.wall_seconds * (1 + 1e-9)
    assert found.wall_seconds <= work + found.critical_seconds
    assert cost(plan, states(plan, store), store, {}).wall_seconds is None


@pytest.mark.engine
def test_learned_from_past_runs(smoke: Smoke) -> None:
    """A change of r_max after a finished run: trainings are to do, at the pace of those before."""
    store = Store(smoke.folder / "store")
    plan = compile_study([load([*SMOKE, "model.r_max=3.5"])])
    found = cost(plan, states(plan, store), store, {})
    train = found.stages["train"]
    past = [
        r.seconds
        for k in store.keys("results")
        if k.startswith("train-") and (r := store.result(k))
    ]
    assert train.learned == len(past) == 4
    assert min(past) / 3 < train.seconds / train.tasks < 3 * max(past)
    assert found.label_calls == 0
    done = compile_study([load(list(SMOKE))])
    nothing = cost(done, states(done, store), store, {})
    assert nothing.core_hours == 0 and nothing.critical_path == ()
