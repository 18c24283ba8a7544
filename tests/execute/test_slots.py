"""Room for jobs, what goes into one, and what goes first."""

from __future__ import annotations

import pytest

from ilmlip.execute.slots import Estimates, Slots, choose, needs, urgency
from ilmlip.plan.task import Task
from ilmlip.spec.cluster import Cluster
from ilmlip.stages import stage
from ilmlip.stages.base import Resources
from ilmlip.stages.probe import Params


def cluster(**fields: object) -> Cluster:
    return Cluster.model_validate({"executor": "local", **fields})


def probes(n: int, needs: dict[str, tuple[str, ...]] | None = None) -> list[Task]:
    return [Task("probe", 1, Params(name=str(i)), needs or {}) for i in range(n)]


def test_cores_and_memory_both_count() -> None:
    slots = Slots(cores=2, memory_gb=5.0)
    training = Resources(cores=1, memory_gb=3.0)
    assert slots.fits(training)
    slots.take(training)
    assert not slots.fits(training)  # a core is free, memory is not
    assert slots.fits(Resources(cores=1, memory_gb=2.0))
    slots.give(training)
    assert slots == Slots(2, 5.0)


def test_a_profile_bounds_what_is_used() -> None:
    assert Slots.of(cluster(cores=3, memory_gb=7)) == Slots(3, 7.0)
    whole = Slots.of(cluster())
    assert whole.cores >= 1 and whole.memory_gb > 0.5


def test_a_profile_may_say_what_a_stage_takes() -> None:
    own = stage("train").resources
    found = needs(cluster(stages={"train": {"cores": 2}}), "train")
    assert (found.cores, found.memory_gb) == (2, own.memory_gb)
    assert needs(cluster(), "train") == own


@pytest.mark.parametrize(
    ("ready", "free", "seconds", "expected"),
    [
        (400, 2, 0.1, 150),  # by the aimed wall time
        (50, 1, 0.1, 50),  # all there are
        (50, 2, 0.1, 25),  # an even share
        (6, 2, 100.0, 1),  # a long task has a job of its own
        (200, 2, 0.0, 100),
    ],
)
def test_small_tasks_share_a_job(ready: int, free: int, seconds: float, expected: int) -> None:
    assert len(choose(probes(ready), free, seconds, 15.0)) == expected


def test_what_much_hangs_on_goes_first() -> None:
    estimates = Estimates()
    estimates.learn("probe", 2.0)
    first, lonely = probes(2)
    second = Task("probe", 1, Params(name="2"), {"in": (first.key,)})
    third = Task("probe", 1, Params(name="3"), {"in": (second.key,)})
    found = urgency({t.key: t for t in (first, lonely, second, third)}, estimates)
    assert found == {first.key: 6.0, second.key: 4.0, third.key: 2.0, lonely.key: 2.0}


def test_estimates_learn() -> None:
    estimates = Estimates()
    assert estimates.seconds("train") == stage("train").resources.seconds
    estimates.learn("train", 10.0)
    estimates.learn("train", 20.0)
    assert estimates.seconds("train") == 15.0
