"""A packaged model in MLflow predicts from extended XYZ, where neither ilmlip nor its store is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import toy
from mlflow import MlflowClient

from ilmlip.chemistry.labelled import read_frames
from ilmlip.engines import nequip
from ilmlip.stages import package
from ilmlip.stages.base import Given
from ilmlip.track.mlflow_log import connect
from ilmlip.track.packaged import requirements

pytest_plugins = ("toy_fixtures",)
pytestmark = pytest.mark.engine

PREDICT = """
import json, sys
sys.modules["ilmlip"] = None
import mlflow
uri, run, data, out = sys.argv[1:]
mlflow.set_tracking_uri(uri)
model = mlflow.pyfunc.load_model(f"runs:/{run}/model")
text = open(data).read()
found = [model.predict(given).to_dict("list") for given in (data, [data, text])]
json.dump(found, open(out, "w"))
"""


@pytest.mark.slow
def test_mlflow_predicts_without_us(
    trained: Given, toy_sets: dict[str, Given], tmp_path: Path
) -> None:
    work = tmp_path / "store"
    work.mkdir()
    inputs = toy.inputs(model=trained, dataset=toy_sets["train"])
    made = package.run(package.Params(), inputs, work)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri)
    experiment = client.create_experiment("toy", artifact_location=str(tmp_path / "artefacts"))
    run = client.create_run(experiment).info.run_id
    log = connect(uri)
    for _ in range(2):  # again changes nothing
        log.model(run, work / made.files[0], "digest", made.tools)
    assert len(client.search_logged_models([experiment])) == 1
    shutil.rmtree(work)
    data, out = toy_sets["test"].path / "test.extxyz", tmp_path / "out.json"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", PREDICT, uri, run, str(data), str(out)],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
     encoding="utf-8")  # fmt: skip
    assert done.returncode == 0, done.stderr
    one, two = json.loads(out.read_text(encoding="utf-8"))
    frames = read_frames(data)
    expected = nequip.load(trained.path).predict(frames)
    assert two["energy"] == pytest.approx(one["energy"] * 2)
    assert two["input"] == [0] * len(frames) + [1] * len(frames)
    assert one["frame"] == list(range(len(frames)))
    for mine, energy, forces, stress in zip(
        expected, one["energy"], one["forces"], one["stress"], strict=True
    ):
        assert energy == pytest.approx(mine.energy, abs=2e-5)
        assert np.abs(np.array(forces) - mine.forces).max() < 2e-6
        assert np.isfinite(stress).all() and len(stress) == 6


def test_requirements_are_pinned_to_what_an_index_knows() -> None:
    found = requirements({"torch": "2.13.0+cpu", "nequip": "0.19.1"})
    assert {"torch==2.13.0", "nequip==0.19.1"} <= set(found)
    assert {line.split("==")[0] for line in found} >= {"ase", "mlflow", "numpy", "pandas"}
