"""MLflow's page as `ilmlip ui` opens it, in a real browser, on the runs of a small sweep."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from browser import browser, need_browser, picture
from command import PATIENCE

from ilmlip.cli import main

SWEEP = [
    "quickstart", "name=sweep", "scale=smoke", "model=nequip_smoke", "analysis=none", "-m",
    "compositions.fractions=[0.4]", "compositions.training=[[0.4]]",
    "model.seeds=[1]", "model.max_steps=30", "model.linear=false",
    "model.r_max=4,5", "model.l_max=0,1", "model.loss.stress=1,10", "sampling.seed=1",
]  # fmt: skip


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def shown(driver: Any, said: Callable[[str], bool]) -> str:
    """The text of the page once it says something; it is made by scripts."""
    end = time.monotonic() + PATIENCE
    while True:
        text = str(driver.find_element("tag name", "body").text)
        if said(text) or time.monotonic() > end:
            return text
        time.sleep(0.5)


def drawn(driver: Any, metric: str) -> int:
    """Corners of the line in the chart of a metric, as its page draws it once it is asked for."""
    end, asked = time.monotonic() + PATIENCE, False
    while time.monotonic() < end:
        boxes = driver.find_elements("css selector", "input[placeholder='Search metric charts']")
        if boxes and not asked:
            boxes[0].send_keys(metric)
            asked = True
        time.sleep(1)
        if not asked or f"({metric})" not in driver.find_element("tag name", "body").text:
            continue
        lines = driver.find_elements("css selector", "path.js-line")
        if corners := [str(line.get_attribute("d")).count("L") for line in lines]:
            return max(corners)
    return 0


def _as_a_terminal_does() -> None:
    """What runs in the background of a shell inherits that Ctrl-C is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.engine
@pytest.mark.slow
def test_runs_are_listed_compared_and_drawn(tmp_path: Path, monkeypatch: Any) -> None:
    need_browser()
    monkeypatch.chdir(tmp_path)
    assert main(["run", *SWEEP]) == 0
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("sweep").experiment_id
    found = client.search_runs([experiment], "tags.`ilmlip.stage` = 'train'")
    ids = [run.info.run_id for run in found]
    assert len(ids) == 8
    port = free_port()
    command = [sys.executable, "-m", "ilmlip.cli", "ui", "--port", str(port)]
    server = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
        preexec_fn=_as_a_terminal_does,
        encoding="utf-8",
    )
    try:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        assert address == f"http://127.0.0.1:{port}"
        with browser(1500, 1300) as driver:
            driver.get(f"{address}/#/experiments/{experiment}/runs")
            everything = len(client.search_runs([experiment]))
            said = f"{everything} matching run"
            assert said in shown(driver, lambda text: said in text)
            picture(driver, driver.find_element("tag name", "body"), "mlflow_runs")
            both = f"runs={json.dumps(ids)}&experiments={json.dumps([experiment])}"
            driver.get(f"{address}/#/compare-runs?{both.replace(' ', '')}")
            text = shown(driver, lambda text: "loss_stress" in text)
            rows = text.splitlines()
            # the parallel coordinates stand for what differs, without any clicking
            plot = rows[rows.index("Parameters:") : rows.index("Metrics:")]
            assert {"r_max", "l_max", "loss_stress"} <= set(plot)
            # and each parameter is a line with the values of all runs
            table = {row.split(" ")[0]: row.split(" ")[1:] for row in rows}
            assert set(table["r_max"]) == {"4.0", "5.0"} and set(table["l_max"]) == {"0", "1"}
            assert set(table["loss_stress"]) == {"1.0", "10.0"}
            assert {"loss_force", "loss_energy", "learning_rate", "training"} <= table.keys()
            picture(driver, driver.find_element("tag name", "body"), "mlflow_compare")
            driver.get(f"{address}/#/experiments/{experiment}/runs/{ids[0]}/model-metrics")
            assert drawn(driver, "train_loss") > 3
            picture(driver, driver.find_element("tag name", "body"), "mlflow_charts")
        children = psutil.Process(server.pid).children(recursive=True)
        assert children
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(PATIENCE)
    psutil.wait_procs(children, timeout=PATIENCE)
    assert not [child for child in children if child.is_running()]


def test_before_there_is_anything_to_look_at(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["ui"]) == 2
    assert "no database at" in (said := capsys.readouterr().err) and "`ilmlip run` of a" in said
    assert main(["ui", "quickstart", "tracking=none"]) == 2
    assert "is empty: nothing was logged" in capsys.readouterr().err
    assert main(["ui", "quickstart", "tracking.uri=http://localhost:5"]) in (0, 2)
    (tmp_path / "mlflow.db").touch()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        assert main(["ui", "--port", port]) == 2
    assert f"command line: --port {port}: another program listens there" in capsys.readouterr().err
