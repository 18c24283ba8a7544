"""A run that is ended from outside is KILLED in MLflow, not FAILED, and at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import PATIENCE
from mlflow import MlflowClient

from ilmlip.track import is_complete, runs

pytestmark = pytest.mark.engine
RUN = """
import sys
from pathlib import Path
import ilmlip.commands.run as command
from ilmlip.cli import main
from ilmlip.plan.graph import Plan
from ilmlip.plan.task import Task
from ilmlip.spec.load import load_study
from ilmlip.stages.probe import Params
from ilmlip.store import Store

def study_of(options):
    study, plan = load_study(options.words), Plan("quickstart")
    plan.add(Task("probe", 1, Params(name="a", wait=9999.0)))
    plan.outputs.append({})
    return study, plan, Store(Path(study.spec.store))

command.study_of, command.checked = study_of, lambda *_: []
sys.exit(main(["run", "quickstart"]))
"""


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_ended_from_outside(tmp_path: Path, sign: signal.Signals) -> None:
    """Ctrl-C goes to all processes of the terminal, SIGTERM to the one that was started."""
    driver = subprocess.Popen(
        [sys.executable, "-c", RUN], cwd=tmp_path, start_new_session=True, stderr=subprocess.PIPE,
        # as a terminal does: what runs in the background inherits that Ctrl-C is ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    claims, end = tmp_path / "store" / "claims", time.monotonic() + PATIENCE
    while not (claims.exists() and any(claims.glob("probe-*.json"))):
        assert driver.poll() is None and time.monotonic() < end
        time.sleep(0.1)
    if sign == signal.SIGINT:
        os.killpg(driver.pid, sign)
    else:
        driver.send_signal(sign)
    _, said = driver.communicate(timeout=PATIENCE)
    assert driver.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[sign], said
    (folder,) = runs(tmp_path / "store")
    while not is_complete(folder):  # the tracker that the run had started ends its work
        assert time.monotonic() < end
        time.sleep(0.1)
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("quickstart")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "KILLED"
