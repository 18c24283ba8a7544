"""This machine's profile: what it says of programs, and what is said of one that is wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ilmlip.errors import SpecError
from ilmlip.spec.profile import profile


def write(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = folder / "profile.yaml"
    path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("ILMLIP_PROFILE", str(path))
    return path


def test_a_launcher_stands_in_front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"programs: {{pw.x: {{command: '{sys.executable} -x', launcher: mpirun -np 4}}}}"
    write(text, tmp_path, monkeypatch)
    assert profile().words("pw.x") == ["mpirun", "-np", "4", sys.executable, "-x"]


def test_without_a_file_programs_are_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ILMLIP_PROFILE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    program = tmp_path / "bin" / "pw.x"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    assert profile().words("pw.x") == [str(program)]
    assert profile().words("cp2k") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("programs: {gaussian: {}}", "programs"),
        ("programs: {pw.x: {comand: pw.x}}", "comand"),
        ("pseudo: /x", "valid keys: limits, slurm, programs, tracking, pseudopotentials"),
        ("programs: [", "cannot be read as YAML"),
    ],
)
def test_a_wrong_profile_is_located(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(text, tmp_path, monkeypatch)
    with pytest.raises(SpecError, match=message) as raised:
        profile()
    assert str(path) in str(raised.value)


def test_a_named_file_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ILMLIP_PROFILE", str(tmp_path / "none.yaml"))
    with pytest.raises(SpecError, match="is not there; ILMLIP_PROFILE names it"):
        profile()
