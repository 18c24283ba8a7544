"""One study at smoke scale, run once a session."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from command import SMOKE, Smoke, ilmlip

# As a worker has it: with several threads tblite sums in another order each time, and tests that
# compare to the bit would fail now and then. OpenMP reads it when it is loaded, which is later.
os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Smoke:
    """The whole quickstart on real engines, at the smallest size; run once a session."""
    folder = Path(tmp_path_factory.mktemp("smoke"))
    answer = ilmlip("run", *SMOKE, "--json", cwd=folder)
    assert answer.code == 0, answer.err
    return Smoke(folder, answer)
