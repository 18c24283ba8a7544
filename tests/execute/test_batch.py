"""From tasks to arrays: everything once, nothing before what it needs, failures only downwards."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ilmlip.execute.batch import Array, Place, arrays, minutes, wanted
from ilmlip.plan.graph import Plan
from ilmlip.plan.task import Task
from ilmlip.spec.cluster import Cluster
from ilmlip.stages.probe import Params


def probe(plan: Plan, name: str, needs: tuple[str, ...] = (), quorum: float = 1.0) -> str:
    roles = {"inputs": needs} if needs else {}
    return plan.add(Task("probe", 1, Params(name=name), roles, {"inputs": quorum}))


def cluster(**slurm: object) -> Cluster:
    return Cluster(executor="slurm", pack_seconds=10, slurm=slurm)


def made(
    plan: Plan,
    seconds: float = 1.0,
    room: int = 1000,
    queued: dict[str, str] | None = None,
    **slurm: object,
) -> list[Array]:
    tasks = list(plan)
    return arrays(tasks, queued or {}, dict.fromkeys(plan.tasks, seconds), cluster(**slurm), room)


def places(found: Sequence[Array]) -> dict[str, Place]:
    return {
        task.key: Place(i, j)
        for i, array in enumerate(found)
        for j, pack in enumerate(array.packs)
        for task in pack.tasks
    }


def waits_for(array: Array, place: Place) -> str | None:
    """The kind of wait by which an array waits for a place, or None."""
    kinds = [w.kind for w in array.waits if w.on in (place, Place(place.array, None))]
    return kinds[0] if kinds else None


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Layers of probes that need some of those above, by a quorum or not."""
    plan, above = Plan("t"), list[str]()
    for level in range(draw(st.integers(1, 5))):
        here = []
        for i in range(draw(st.integers(1, 12))):
            needs = draw(st.lists(st.sampled_from(above), unique=True, max_size=6)) if above else []
            quorum = draw(st.sampled_from([1.0, 0.5]))
            here.append(probe(plan, f"{level}.{i}", tuple(needs), quorum))
        above += here
    return plan


@settings(max_examples=150, deadline=None)
@given(plans(), st.sampled_from([0.5, 4.0, 20.0]), st.integers(1, 5))
def test_each_task_once_behind_its_inputs(plan: Plan, seconds: float, longest: int) -> None:
    found = made(plan, seconds, max_array=longest)
    where = places(found)
    assert sorted(where) == sorted(plan.tasks)
    assert sum(len(pack.tasks) for array in found for pack in array.packs) == len(plan)
    for array in found:
        assert len(array.packs) <= longest
        assert all(0 <= w.on.array < found.index(array) for w in array.waits)
        for pack in array.packs:
            for task in pack.tasks:
                for key in task.inputs():
                    assert waits_for(array, where[key]) is not None


@settings(max_examples=150, deadline=None)
@given(plans(), st.sampled_from([0.5, 4.0, 20.0]))
def test_a_failure_keeps_nobody_from_running_who_does_not_need_it(
    plan: Plan, seconds: float
) -> None:
    """`afterok` only on jobs of which every task is needed, without quorum, by all that wait."""
    found = made(plan, seconds)
    for array in found:
        for wait in array.waits:
            if wait.kind == "afterany":
                continue
            packs = found[wait.on.array].packs
            on = packs if wait.on.element is None else [packs[wait.on.element]]
            for pack in array.packs:
                for task in pack.tasks:
                    assert {t.key for one in on for t in one.tasks} <= sure(plan, task.key)


def sure(plan: Plan, key: str) -> set[str]:
    """What a task can't be without."""
    found: set[str] = set()
    task = plan.tasks[key]
    if task.quorum.get("inputs", 1.0) == 1.0:
        for needed in task.inputs():
            found |= {needed} | sure(plan, needed)
    return found


def test_small_tasks_fill_a_job_and_large_ones_have_their_own() -> None:
    plan = Plan("t")
    for i in range(40):
        probe(plan, str(i))
    (array,) = made(plan, seconds=1.0)
    assert [len(pack.tasks) for pack in array.packs] == [10, 10, 10, 10]
    (array,) = made(plan, seconds=60.0)
    assert [len(pack.tasks) for pack in array.packs] == [1] * 40


def test_a_chain_waits_for_success_and_a_quorum_for_the_end() -> None:
    plan = Plan("t")
    labels = tuple(probe(plan, f"l{i}") for i in range(20))
    data = probe(plan, "data", labels, quorum=0.95)
    probe(plan, "end", (data,))
    first, second, third = made(plan)
    assert [w.kind for w in second.waits] == ["afterany"] * len(first.packs)
    assert [(w.kind, w.on) for w in third.waits] == [("afterok", Place(1, 0))]


def test_jobs_grow_where_the_queue_takes_few_and_the_rest_is_left_out() -> None:
    plan = Plan("t")
    for i in range(1000):
        probe(plan, f"{i:04d}")
    assert sum(len(a.packs) for a in made(plan, seconds=5.0)) == 500
    assert sum(len(a.packs) for a in made(plan, seconds=5.0, room=100)) <= 100
    assert len(places(made(plan, seconds=5.0, room=100))) == 1000
    # an hour each, at most three in a job of ten hours with a third of slack: room for 100 takes 300
    found = made(plan, seconds=3600.0, room=100, longest_minutes=600)
    assert sum(len(a.packs) for a in found) == 100
    assert 100 < len(places(found)) < 1000


def test_what_is_in_the_queue_is_waited_for() -> None:
    plan = Plan("t")
    first = probe(plan, "first")
    probe(plan, "second", (first,))
    tasks = [plan.tasks[key] for key in plan.tasks if key != first]
    (array,) = arrays(tasks, {first: "77_3"}, dict.fromkeys(plan.tasks, 1.0), cluster(), 10)
    assert [(w.kind, w.on) for w in array.waits] == [("afterany", "77_3")]


def test_what_comes_after_the_missing_is_wanted_and_nothing_else() -> None:
    plan = Plan("t")
    a, b = probe(plan, "a"), probe(plan, "b")
    ab, bb = probe(plan, "ab", (a, b)), probe(plan, "bb", (b,))
    end = probe(plan, "end", (ab, bb))
    assert [t.key for t in wanted(plan, [a])] == [a, ab, end]


@pytest.mark.parametrize(
    ("seconds", "limit"), [(1, 10), (600, 30), (36_000, 1440), (10_000_000, 1440)]
)
def test_the_time_limit_follows_the_estimate_between_its_bounds(seconds: float, limit: int) -> None:
    assert minutes(cluster(), "train", seconds) == limit


def test_a_stage_may_state_its_own_limit() -> None:
    stated = Cluster(executor="slurm", stages={"train": {"minutes": 7}})
    assert minutes(stated, "train", 1e6) == 7
    assert minutes(stated, "label", 1.0) == 10
