"""Eight trackers at once onto one database: nothing is lost, and nothing there twice."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from command import PATIENCE
from crowd import Crowd
from postgres import cluster

pytestmark = [pytest.mark.engine, pytest.mark.slow]
WRITERS, RUNS = 8, int(os.environ.get("ILMLIP_LOAD", "104"))
"""`python -m benchmarks tracking` has 504 runs, ILMLIP_LOAD others; both databases take minutes."""


def told(tmp_path: Path, uri: str) -> None:
    crowd = Crowd(tmp_path, WRITERS, RUNS)
    began = time.monotonic()
    assert crowd.track(uri, PATIENCE) == [0] * WRITERS, crowd.said()
    took = time.monotonic() - began
    print(f"{RUNS} runs, {crowd.points()} points of metrics: {took:.0f} s on {uri}")
    found = crowd.found(uri)
    assert len(found) == RUNS
    assert found == crowd.expected()


def test_sqlite(tmp_path: Path) -> None:
    told(tmp_path, f"sqlite:///{tmp_path}/mlflow.db")


def test_postgresql(tmp_path: Path) -> None:
    """The database is empty: all eight find no tables, and one of them makes them."""
    with cluster() as uri:
        told(tmp_path, uri)
