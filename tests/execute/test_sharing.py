"""Several drivers, each a process with workers of its own, on one store at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from command import PATIENCE

from ilmlip.store import Store

ROOT = Path(__file__).parents[2]
TASKS = 120


@pytest.mark.parametrize("drivers", [2, pytest.param(8, marks=pytest.mark.slow)])
def test_each_task_runs_once(drivers: int, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.prepare()
    all_of_them = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.drive", "probes", str(store.root), str(TASKS)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        for _ in range(drivers)
    ]
    for driver in all_of_them:
        out, _ = driver.communicate(timeout=PATIENCE)
        assert driver.returncode == 0, out
    ends: Counter[str] = Counter()
    for report in (store.root / "jobs").glob("*/*.jsonl"):
        for line in report.read_text(encoding="utf-8").splitlines():
            said = json.loads(line)
            ends[said.get("end", "")] += said.get("state") == "done"
    del ends[""]
    assert len(ends) == TASKS and set(ends.values()) == {1}
    assert len(store.keys()) == TASKS and not store.keys("failed")
    assert not list((store.root / "work").iterdir())
    assert not list((store.root / "claims").glob("*.json"))
