"""A tracker killed while MLflow makes its database: the next one finds none, or a whole one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import PATIENCE
from mlflow import MlflowClient

from ilmlip.track import QUIET

CONNECT = """
import sys
from ilmlip.track.mlflow_log import connect
connect(sys.argv[1])
"""


def connecting(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", CONNECT, f"sqlite:///{folder / 'mlflow.db'}"],
        cwd=folder,
        env={**os.environ, **QUIET},
    )


@pytest.mark.slow
@pytest.mark.engine
def test_killed_while_the_tables_are_made(tmp_path: Path) -> None:
    """At several moments between the first table and the last."""
    new, database = tmp_path / ".mlflow.db.new", tmp_path / "mlflow.db"
    for size in (10_000, 300_000, 600_000):
        maker = connecting(tmp_path)
        end = time.monotonic() + PATIENCE
        while not (new.exists() and new.stat().st_size > size):
            assert maker.poll() is None and time.monotonic() < end
            time.sleep(0.001)
        maker.kill()
        maker.wait()
        assert not database.exists() and new.exists()
    assert connecting(tmp_path).wait(PATIENCE) == 0
    assert database.exists() and not list(tmp_path.glob(".mlflow.db.new*"))
    (default,) = MlflowClient(f"sqlite:///{database}").search_experiments()
    assert ".new" not in default.artifact_location
