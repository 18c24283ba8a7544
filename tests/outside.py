"""Programs that do not come with the environment: their tests skip visibly, or must not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared" / "data"
PSEUDO = SHARED / "pseudo"
MUST = "ILMLIP_REQUIRE_ENGINES"
"""Set to 1 (as .ci/run does), a test that would be skipped for want of a program fails."""


def require(there: bool, what: str) -> None:
    """Skip the test if something is not there; fail it if everything has to be."""
    if there:
        return
    if os.environ.get(MUST) == "1":
        pytest.fail(f"{what} is not there, and {MUST}=1")
    pytest.skip(f"{what} is not there")


def use_pseudopotentials(
    folder: Path, monkeypatch: pytest.MonkeyPatch, root: Path = PSEUDO, **programs: object
) -> None:
    """Write this machine's profile for a test: pseudopotentials below `root`, and programs."""
    import yaml

    path = folder / "profile.yaml"
    path.write_text(
        yaml.safe_dump({"pseudopotentials": str(root), "programs": programs}), encoding="utf-8"
    )
    monkeypatch.setenv("ILMLIP_PROFILE", str(path))
