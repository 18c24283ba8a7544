"""One study at smoke scale, run once a session."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import pytest
from command import SMOKE, Smoke, ilmlip

# As a worker has it: with several threads tblite sums in another order each time, and tests that
# compare to the bit would fail now and then. OpenMP reads it when it is loaded, which is later.
os.environ["OMP_NUM_THREADS"] = "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files whose tests may take longest come first, so that no process is left with one at the end.

    (pytest-xdist gives out whole files, by itself those of most tests first: `make test` says
    --no-loadscope-reorder.)
    """
    longest: dict[Path, float] = defaultdict(float)
    for item in items:
        limit = item.get_closest_marker("timeout")
        longest[item.path] = max(longest[item.path], limit.args[0] if limit else 0.0)
    items.sort(key=lambda item: -longest[item.path])


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Smoke:
    """The whole quickstart on real engines, at the smallest size; run once a session."""
    folder = Path(tmp_path_factory.mktemp("smoke"))
    answer = ilmlip("run", *SMOKE, "--json", cwd=folder)
    assert answer.code == 0, answer.err
    return Smoke(folder, answer)
