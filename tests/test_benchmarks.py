"""The benchmarks' own code, as far as it can be tried without measuring."""

import pytest

from benchmarks import drive


@pytest.mark.parametrize("stage", ["sample", "train", "md"])
def test_the_measured_task_is_found_with_what_it_needs(stage: str) -> None:
    plan, key = drive.study(stage, ("ensemble=nvt",))
    (target,) = (task for task in plan if task.key == key)
    assert target.stage == stage
    assert all(needed in plan.tasks for task in plan for needed in task.inputs())
    assert sum(task.stage == stage for task in plan) == 1
