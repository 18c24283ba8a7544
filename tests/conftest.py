"""One study at smoke scale, run once a session."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import SMOKE, Smoke, ilmlip


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Smoke:
    """The whole quickstart on real engines, at the smallest size; run once a session."""
    folder = Path(tmp_path_factory.mktemp("smoke"))
    answer = ilmlip("run", *SMOKE, "--json", cwd=folder)
    assert answer.code == 0, answer.err
    return Smoke(folder, answer)
