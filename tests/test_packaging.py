"""The wheel holds conf/ and experiments/, and works from any folder without the checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = Path(tmp_path_factory.mktemp("wheel"))
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation",
         "-w", str(out), str(ROOT)],
        check=True,
    )  # fmt: skip
    (found,) = out.glob("*.whl")
    return found


def test_the_wheel_holds_every_config_and_experiment(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for kind in ("conf", "experiments"):
        for path in (ROOT / kind).rglob("*.yaml"):
            assert f"ilmlip/shipped/{path.relative_to(ROOT)}" in names


def test_the_wheel_holds_the_tools_of_an_export(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tools = {f"ilmlip/export/tools/{p.name}" for p in (ROOT / "ilmlip/export/tools").glob("*.py")}
    assert "ilmlip/export/tools/evaluate.py" in tools
    assert tools <= names


def test_the_wheel_holds_hydras_launcher(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in ("__init__.py", "launcher.py", "empty/config.yaml"):
        assert f"hydra_plugins/ilmlip_launcher/{name}" in names


def test_an_installed_ilmlip_finds_the_shipped_spec(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site),
         str(wheel)],
        check=True,
    )  # fmt: skip
    empty = tmp_path / "empty"
    empty.mkdir()
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r}); import ilmlip; "
        f"assert ilmlip.__file__.startswith({str(site)!r}), ilmlip.__file__; "
        "from ilmlip.cli import main; sys.exit(main(['plan', 'quickstart']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=empty,
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("quickstart: 494 tasks")
