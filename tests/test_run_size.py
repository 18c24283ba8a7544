"""A run that is larger than the machine's profile lets it be asks first, or refuses."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from ilmlip.cli import main

SETS = (
    "labels_smoke", "dft=opls", "cluster=debug", "tracking=none",
    "dataset.derived=[{kind: frames}]",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, on a machine whose profile allows next to nothing."""
    profile = tmp_path / "profile.yaml"
    profile.write_text("limits: {core_hours: 1.0e-6}\n", encoding="utf-8")
    monkeypatch.setenv("ILMLIP_PROFILE", str(profile))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_bare_run_shows_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (["run"], ["run", "--json"], ["run", "-m"], ["run", "--yes"]):
        assert main(words) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.startswith("usage: ilmlip run")
        for command in ("run quickstart scale=smoke", "plan quickstart", "run quickstart "):
            assert f"\n  ilmlip {command}" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    [
        ["name=default"],
        ["name=default", "--json"],
        ["name=default", "cluster=slurm", "--detach"],
        ["-m", "name=default", "model.r_max=4,5"],
    ],
)
def test_the_default_study_is_not_started_without_a_terminal(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ILMLIP_PROFILE", raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(["run", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "core-hours, 8450 label" in err and "--yes" in err
    assert "more than the limit of 50 core-hours (limits.core_hours in " in err
    assert f"{tmp_path}/.config/ilmlip/profile.yaml" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.engine
def test_yes_runs_it_and_what_is_done_does_not_count(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *SETS]) == 2
    assert "labels_smoke: 8 tasks, " in capsys.readouterr().err
    assert main(["run", *SETS, "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["done"] == 8
    assert main(["run", *SETS]) == 0
    (folder / "profile.yaml").write_text("limits: {tasks: 1}\n", encoding="utf-8")
    assert main(["run", *SETS, "dataset.seed=1"]) == 2
    assert "2 tasks, " in (said := capsys.readouterr().err) and "limit of 1 tasks" not in said
    (folder / "profile.yaml").write_text("limits: {tasks: 2}\n", encoding="utf-8")
    assert main(["run", *SETS, "dataset.seed=1"]) == 0


def _read(terminal: int) -> str:
    """What a program has written to a terminal; empty once it has ended."""
    try:
        return os.read(terminal, 4096).decode(errors="replace")
    except OSError:  # Linux says EIO
        return ""


@pytest.mark.engine
def test_on_a_terminal_it_asks(folder: Path) -> None:
    for answer, code in (("n", 2), ("", 2), ("y", 0)):
        ours, theirs = pty.openpty()
        os.write(ours, f"{answer}\n".encode())
        run = subprocess.Popen(
            [sys.executable, "-m", "ilmlip.cli", "run", *SETS],
            stdin=theirs, stderr=theirs, stdout=subprocess.DEVNULL, cwd=folder,
        )  # fmt: skip
        os.close(theirs)
        said = "".join(iter(lambda ours=ours: _read(ours), ""))
        os.close(ours)
        assert run.wait(60) == code
        assert "Run it? [y/N]" in said and (code == 0 or "nothing was started" in said)
        assert (folder / "store").is_dir() == (code == 0)


def test_a_sweeper_asks_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    words = [
        "run", "-m", "quickstart", "scale=smoke", "hydra/sweeper=optuna",
        "hydra.sweeper.n_trials=2", "hydra.sweeper.n_jobs=1", "model.r_max=interval(4,5)",
        "analysis.objective.quantity=force_mae",
    ]  # fmt: skip
    assert main(words) == 2
    assert "more than the limit of 1e-06 core-hours" in capsys.readouterr().err
    assert not (folder / "store" / "results").exists()
