"""Fixtures of the force field's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from liquid import PAIRS, Liquid, shaken

from ilmlip.spec.load import load
from ilmlip.spec.types import System


@pytest.fixture(scope="session")
def system() -> System:
    return load(["quickstart"]).system


@pytest.fixture(scope="session")
def liquid(system: System, tmp_path_factory: pytest.TempPathFactory) -> Liquid:
    """Li[PF6] in [EMIM][PF6] at x = 0.4, packed, squeezed and shaken a little."""
    work = Path(tmp_path_factory.mktemp("liquid"))
    return shaken(system, {"EMIM": 12, "Li": 8, "PF6": PAIRS}, 16.6, work)
