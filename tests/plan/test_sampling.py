"""NPT, several temperatures and the tail in the plan."""

from __future__ import annotations

from collections import Counter

from ilmlip.plan.compile import compile_study
from ilmlip.plan.graph import Plan
from ilmlip.spec.load import load
from ilmlip.spec.types import Spec
from ilmlip.stages.equilibrate import protocol

NPT = ("sampling.ensemble=npt", "sampling.pressure=1.01325")


def plan(*words: str) -> Plan:
    return compile_study([load(["quickstart", *words])])


def counts(found: Plan) -> Counter[str]:
    return Counter(task.stage for task in found)


def test_defaults_written_out_change_no_key() -> None:
    same = plan("sampling.ensemble=nvt", "sampling.tail=false", "sampling.temperatures=[]")
    assert set(same.tasks) == set(plan().tasks)


def test_npt_settles_at_the_pressure_and_not_at_a_density() -> None:
    found = plan(*NPT)
    assert counts(found) == counts(plan())
    for task in found:
        if task.stage == "equilibrate":
            assert (task.params.density, task.params.pressure) == (None, 1.01325)
        if task.stage == "sample":
            assert (task.params.pressure, task.params.barostat_time) == (1.01325, 1000)
    before = {t.key for t in plan() if t.stage in ("forcefield", "build")}
    assert before <= set(found.tasks)


def test_the_tail_samples_anew_and_packs_what_there_was() -> None:
    before = plan()
    new = [task for task in plan("sampling.tail=true") if task.key not in before.tasks]
    assert {"forcefield", "build"}.isdisjoint(task.stage for task in new)
    dynamics = [task for task in new if task.stage in ("equilibrate", "sample")]
    assert len(dynamics) == 16
    assert all(task.params.tail for task in dynamics)


def test_each_temperature_has_a_trajectory_and_frames_of_its_own() -> None:
    found = plan("sampling.temperatures=[300,350]", "dataset.frames=10")
    assert counts(found)["sample"] == 2 * 8
    assert counts(found)["label"] == 2 * 8 * 10
    sets = [task for task in found if task.stage == "dataset"]
    one = [task for task in sets if len(task.needs["labels"]) == 2 * 10]
    assert len(one) == 7  # six to test on, and the training set of one composition
    samples = [task for task in found if task.stage == "sample"]
    assert Counter(task.params.temperature for task in samples) == {300: 8, 350: 8}
    assert len({task.params.seed for task in samples}) == 16


def test_a_temperature_more_keeps_what_the_others_gave() -> None:
    """The seed of a trajectory depends on its own temperature, and on no other."""
    few, more = plan("sampling.temperatures=[300]"), plan("sampling.temperatures=[350,300]")
    kept = {task.key for task in few if task.stage in ("build", "sample", "label")}
    assert kept <= set(more.tasks)


def test_a_sweep_over_the_pressure_packs_once_and_samples_each() -> None:
    specs: list[Spec] = [
        load(["quickstart", *NPT, f"sampling.pressure={p}"]) for p in (1, 1000)
    ]  # fmt: skip
    found = counts(compile_study(specs))
    assert (found["build"], found["sample"]) == (8, 16)


def test_the_volume_of_the_protocol_can_be_kept() -> None:
    found = plan("sampling.density=equilibrated")
    assert counts(found) == counts(plan())
    for task in found:
        if task.stage == "equilibrate":
            params = task.params
            assert (params.density, params.pressure, params.keep_volume) == (None, None, True)
            assert not any("deform" in line for part in protocol(params, None) for line in part)
    same = plan("sampling.density=molar")
    assert set(same.tasks) == set(plan().tasks)
