"""What a machine lacks is named with its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import ilmlip

from ilmlip.lint import doctor


def by_name(found) -> dict[str, doctor.Part]:
    return {one.name: one for one in found}


def test_required_packages_are_there_with_their_versions() -> None:
    found = by_name(doctor.packages())
    assert {"hydra-core", "mlflow", "nequip", "submitit", "torch", "ase"} <= found.keys()
    assert all(one.found and not one.remedy and one.required for one in found.values())


def test_a_missing_and_a_wrong_package(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"nequip": "0.1.0", "mlflow": ""}
    monkeypatch.setattr(doctor, "_version", lambda name: there.get(name, "99.0"))
    monkeypatch.setattr(
        doctor, "requires", lambda _: ["nequip>=0.19", "mlflow", "ruff; extra == 'dev'"]
    )
    found = by_name(doctor.packages())
    assert "is 0.1.0, and >=0.19 is wanted" in found["nequip"].remedy
    assert found["mlflow"].remedy == "pip install 'mlflow'"
    assert "ruff" not in found


def test_programs_that_are_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text("programs: {pw.x: {command: no-such-pw}}\npseudopotentials: /no/such\n")
    monkeypatch.setenv("ILMLIP_PROFILE", str(profile))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    found = by_name(doctor.parts())
    assert "no-such-pw" in found["pw.x"].remedy and str(profile) in found["pw.x"].remedy
    assert "Debian: cp2k" in found["cp2k"].remedy
    assert "Debian: g++" in found["C++ compiler"].remedy
    assert "/no/such is not there" in found["pseudopotentials"].remedy
    assert not found["pw.x"].required


def test_a_damaged_profile_is_said_and_no_traceback(tmp_path: Path, monkeypatch) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text("programs: [")
    monkeypatch.setenv("ILMLIP_PROFILE", str(profile))
    answer = ilmlip("doctor", cwd=tmp_path)
    assert answer.code == 0 and "cannot be read as YAML" in answer.out
    assert "Traceback" not in answer.err


def test_the_command(tmp_path: Path) -> None:
    answer = ilmlip("doctor", "--json", cwd=tmp_path).json
    assert answer["ok"] and len(answer["parts"]) > 20
    shown = ilmlip("doctor", cwd=tmp_path)
    assert shown.code == 0 and "needed by" in shown.out and "nequip" in shown.out
    assert ilmlip("doctor", "quickstart", cwd=tmp_path).code == 2
