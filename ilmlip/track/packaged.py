"""A packaged model as MLflow's own kind of model, from code that lies beside it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

NAME = "model"
"""The model of a run is `runs:/<id>/model`."""
BESIDE = ("ase", "numpy", "pandas", "mlflow")
"""What predicting takes beside what the package was made with."""


def log_packaged(client: Any, run: str, package: Path, tools: Mapping[str, str]) -> str:
    """Log a package as the model of a run; `tools` are the versions that it was made with.

    Returns the model's id.

    Requirements and signature are stated: nothing is inferred, and nothing is opened.
    """
    import mlflow
    from mlflow.models import Model

    mlflow.set_tracking_uri(client.tracking_uri)
    there = client.get_run(run)
    # made here, since Model.log would put it into MLflow's default experiment
    made = client.create_logged_model(
        there.info.experiment_id, NAME, source_run_id=run, params=there.data.params
    )
    Model.log(
        artifact_path=None,
        name=NAME,
        model_id=made.model_id,
        flavor=mlflow.pyfunc,
        run_id=run,
        python_model=str(Path(__file__).with_name("predictor.py")),
        artifacts={"package": str(package)},
        pip_requirements=requirements(tools),
        signature=_signature(),
    )
    return str(made.model_id)


def requirements(tools: Mapping[str, str]) -> list[str]:
    """Pinned requirements; a build's own mark (2.13.0+cpu) is no version of the index."""
    pinned = {**tools, **{name: version(name) for name in BESIDE}}
    return [f"{name}=={number.split('+')[0]}" for name, number in sorted(pinned.items())]


def _signature() -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array

    numbers = Array(DataType.double)
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string)]),
        outputs=Schema(
            [
                ColSpec(DataType.long, "input"),
                ColSpec(DataType.long, "frame"),
                ColSpec(DataType.double, "energy"),
                ColSpec(Array(numbers), "forces"),
                ColSpec(numbers, "stress"),
            ]
        ),
    )
