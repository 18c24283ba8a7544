"""Outside programs: failures have a reason, and no program outlives its worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from command import PATIENCE

from ilmlip.engines.process import RANKS, KilledError, execute, last_error
from ilmlip.errors import StageError


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_output_goes_to_the_log(tmp_path: Path) -> None:
    execute(python("import os; print(os.environ['X'])"), tmp_path, "log", environment={"X": "7"})
    assert (tmp_path / "log").read_text(encoding="utf-8") == "7\n"


def test_a_failure_names_its_last_error_line(tmp_path: Path) -> None:
    code = "print('ERROR: first'); print('ERROR: second'); print('bye'); raise SystemExit(3)"
    with pytest.raises(StageError) as error:
        execute(python(code), tmp_path, "log", environment={})
    assert error.value.reason.endswith("ended with status 3: ERROR: second")
    assert error.value.log == "log" and error.value.command


def test_a_killed_program_names_the_signal(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="was killed by SIGKILL"):
        execute(python("import os; os.kill(os.getpid(), 9)"), tmp_path, "log", environment={})


def test_a_program_that_is_killed_behind_a_launcher_names_the_signal(tmp_path: Path) -> None:
    """A shell, mpirun and srun pass on 128 and its number."""
    with pytest.raises(KilledError, match="was killed by SIGKILL"):
        execute(python("raise SystemExit(137)"), tmp_path, "log", environment={})


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="cannot start no-such-program"):
        execute(["no-such-program"], tmp_path, "log", environment={})


def test_the_end_of_a_log_without_errors(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a\nb\n", encoding="utf-8")
    assert last_error(tmp_path / "log", ("ERROR",)) == "b"


def test_a_program_dies_with_its_worker(tmp_path: Path) -> None:
    inner = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(9999)"
    code = (
        "import sys; from pathlib import Path; from ilmlip.engines.process import execute; "
        f"execute([sys.executable, '-c', {inner!r}], Path.cwd(), 'log', environment={{}})"
    )
    worker = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    deadline = time.monotonic() + PATIENCE
    while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text(encoding="utf-8")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child = psutil.Process(int((tmp_path / "pid").read_text(encoding="utf-8")))
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    psutil.wait_procs([child], timeout=PATIENCE)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_program_gets_nothing_that_would_change_its_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables that LAMMPS, pw.x, Lightning and others listen to; what is asked for stays."""
    theirs = (
        "LAMMPS_PLUGIN_PATH", "LAMMPS_POTENTIALS", "ESPRESSO_PSEUDO", "PL_TRAINER_MAX_EPOCHS",
        "PL_GLOBAL_SEED", "NEQUIP_FLOAT64_MODEL_TOL", "NVIDIA_TF32_OVERRIDE", "LC_NUMERIC",
        "MLFLOW_TRACKING_PASSWORD", "ILMLIP_TRACKING_URI", "SLURM_NTASKS", "WORLD_SIZE",
    )  # fmt: skip
    for name in (*theirs, "CUDA_VISIBLE_DEVICES", "LC_ALL"):
        monkeypatch.setenv(name, "theirs")
    monkeypatch.setenv("PYTHONUTF8", "1")
    given = {"LAMMPS_PLUGIN_PATH": "mine"}  # by the profile
    execute(["env"], tmp_path, "log", environment=given, without=RANKS)
    lines = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    assert found.keys() & set(theirs) == {"LAMMPS_PLUGIN_PATH"}
    assert found["LAMMPS_PLUGIN_PATH"] == "mine" and found["LC_ALL"] == "C.UTF-8"
    assert found["CUDA_VISIBLE_DEVICES"] == "theirs" and found["PATH"] == os.environ["PATH"]
    execute(["env"], tmp_path, "log", environment={})
    assert "SLURM_NTASKS=theirs" in (tmp_path / "log").read_text(encoding="utf-8")
