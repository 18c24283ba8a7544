"""Programs that do not come with the environment: their tests skip visibly, or must not.

Files that may not be passed on (pseudopotentials, the paper's tables) lie beside the checkout of
those who have them; without them, what needs them skips visibly, in .ci/run as well.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared" / "data"
PSEUDO = Path(os.environ.get("ILMLIP_TEST_PSEUDO", SHARED / "pseudo"))
"""Folder with the families that conf/dft names, each a folder: ILMLIP_TEST_PSEUDO names another."""
MUST = "ILMLIP_REQUIRE_ENGINES"
"""Set to 1 (as .ci/run does), a test that would be skipped for want of a program fails."""


def require(there: bool, what: str) -> None:
    """Skip the test if something is not there; fail it if everything has to be."""
    if there:
        return
    if os.environ.get(MUST) == "1":
        pytest.fail(f"{what} is not there, and {MUST}=1")
    pytest.skip(f"{what} is not there")


def require_pseudopotentials() -> None:
    """Skip the test where there are none: they do not come with the project."""
    if not PSEUDO.is_dir():
        pytest.skip(f"pseudopotentials are not here ({PSEUDO}); ILMLIP_TEST_PSEUDO names a folder")


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
