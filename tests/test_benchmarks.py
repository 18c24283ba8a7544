"""The benchmarks' own code, as far as it can be tried without measuring."""

import json
from pathlib import Path

import pytest

from benchmarks import drive
from benchmarks.results import HEAD, Found, _wall, page, spliced


@pytest.mark.parametrize("stage", ["sample", "train", "md"])
def test_the_measured_task_is_found_with_what_it_needs(stage: str) -> None:
    plan, key = drive.study(stage, ("ensemble=nvt",))
    (target,) = (task for task in plan if task.key == key)
    assert target.stage == stage
    assert all(needed in plan.tasks for task in plan for needed in task.inputs())
    assert sum(task.stage == stage for task in plan) == 1


def nothing(name: str, remarks: str = "") -> Found:
    """A study that left nothing in the store."""
    return Found(name, f"ilmlip run {name}", remarks, name, {}, {}, {}, 3, 3, 0.0, 0.0, ())


def test_sections_are_written_into_a_page_whose_others_stay() -> None:
    old = page([nothing("one"), nothing("two"), nothing("three")])
    changed = spliced(old.replace("3 of its 3", "4 of its 4"), [nothing("two")])
    assert changed.startswith(HEAD)
    assert changed.count("4 of its 4") == 2 and changed.count("3 of its 3") == 1
    assert spliced(changed, [nothing("one"), nothing("three")]) == old
    more = spliced(old, [nothing("four")])
    assert more.index("## three") < more.index("## four") < more.index("Computed on")
    assert "| [four](#four) | not run" in more and more.count("Computed on") == 1


def test_two_drivers_of_a_study_at_once_take_their_time_once(tmp_path: Path) -> None:
    for i, (key, start, end) in enumerate(
        [("a", 10, 60), ("a", 30, 70), ("a", 90, 95), ("b", 0, 99)]
    ):
        events = [
            {"event": "start", "study_key": key, "time": start},
            {"event": "end", "time": end},
        ]
        file = tmp_path / f"tracking/run{i}/events.jsonl"
        file.parent.mkdir(parents=True)
        file.write_text("\n".join(map(json.dumps, events)), encoding="utf-8")
    assert _wall(tmp_path, "a") == 65


def test_every_benchmark_can_be_called() -> None:
    """The command imports them all: one that is broken breaks the others."""
    from benchmarks.__main__ import ALL, LONG

    assert set(LONG) < set(ALL) and all(callable(one) for one in ALL.values())
