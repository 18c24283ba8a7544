"""A small classical run that the tests of several stages share."""

from __future__ import annotations

from pathlib import Path

import pytest
from classical import Classical

from ilmlip.spec.load import load


@pytest.fixture(scope="session")
def classical(tmp_path_factory: pytest.TempPathFactory) -> Classical:
    """Three pairs, equilibrated by the paper's protocol at a five-thousandth of its durations."""
    return Classical(Path(tmp_path_factory.mktemp("classical")), load(["quickstart"]))
