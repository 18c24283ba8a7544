"""Whatever is killed, and whenever: after the last run the store is that of an undisturbed run.

ILMLIP_KILLS and ILMLIP_KILLS_SEED say how many processes are killed, and by which lot, another in each
turn of CI. The whole campaign is `python -m benchmarks kills`, with its figures in docs/reliability.md.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from command import SMOKE, Smoke
from selection import read_turn

from benchmarks import kills
from ilmlip.store import Store

KILLS = int(os.environ.get("ILMLIP_KILLS", "12"))
SEED = int(os.environ.get("ILMLIP_KILLS_SEED", str(read_turn().number)))


@pytest.mark.slow
@pytest.mark.engine
def test_random_kills(smoke: Smoke, tmp_path: Path) -> None:
    assert kills.WORDS == SMOKE
    told = kills.campaign(tmp_path, smoke.folder, KILLS, SEED)
    print(f"seed {SEED}: {dict(told.killed)} in {told.runs} runs of {told.stores} studies")
    assert told.killed.total() == KILLS
    assert told.wrong == [], f"seed {SEED}"
    assert told.results > 0


def test_the_comparison_sees_what_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store with another file, one result fewer, and a folder left over."""
    from test_driver import drive, probe

    from ilmlip.plan.graph import Plan

    monkeypatch.setattr(kills, "_logged", lambda *_: [])
    for name in ("alone", "disturbed"):
        plan = Plan("t")
        keys = [probe(plan, n) for n in "abc"]
        drive(plan, tmp_path / name / "store")
    assert kills.differences(tmp_path / "alone", tmp_path / "disturbed") == []
    store = Store(tmp_path / "disturbed" / "store")
    (store.folder(keys[0]) / "name.txt").write_text("other", encoding="utf-8")
    (store.folder(keys[1]) / "manifest.json").unlink()
    left = store.new_work(keys[2])
    found = "\n".join(kills.differences(tmp_path / "alone", tmp_path / "disturbed"))
    assert f"{keys[0]}: name.txt" in found
    assert f"{keys[1]} is in one store only" in found
    assert f"left over: work/{left.name}" in found


def test_what_counts_as_done_twice() -> None:
    """Of the same inputs; a table that lacked an input and was made again when it was there is none."""
    once, short, whole = ["{}"], ['{"a": "1"}', '{"a": "1", "b": "2"}'], ['{"a": "1", "b": "2"}']
    assert kills.doubled({"t": 1, "m": 2}, {"t": once, "m": short}) == []
    assert kills.doubled({"t": 1, "m": 2}, {"t": once, "m": whole}) == ["m ran to its end 2 times"]
    assert kills.doubled({"m": 1}, {"m": whole * 2}) == ["m was published 2 times"]
    assert kills.doubled({"m": 3}, {"m": short}) == ["m ran to its end 3 times"]
    assert kills.doubled({"gone": 2}, {}) == ["gone ran to its end 2 times"]
