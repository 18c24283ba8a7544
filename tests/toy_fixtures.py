"""Toy data, and one model that nequip really trained on it; a test module names this as plugin."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import toy
import yaml

from ilmlip.spec.model import Model
from ilmlip.stages import dataset, train
from ilmlip.stages.base import Given

CONF = Path(__file__).parents[1] / "conf"


@pytest.fixture(scope="session")
def smoke_model() -> Model:
    """The smallest model of the config groups."""
    return Model.model_validate(
        yaml.safe_load((CONF / "model" / "nequip_smoke.yaml").read_text(encoding="utf-8"))
    )


@pytest.fixture(scope="session")
def toy_sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Given]:
    """A training set of two compositions, and a test set of a third."""
    folder = tmp_path_factory.mktemp("toy")
    frames = [
        *toy.labels(folder, {"Li": 1, "K": 3, "PF": 4}, 6),
        *toy.labels(folder, {"Li": 2, "K": 2, "PF": 4}, 6),
    ]
    found = {}
    for role, given in (
        ("train", frames),
        ("test", toy.labels(folder, {"Li": 4, "PF": 4}, 3, seed=1)),
    ):
        work = folder / role
        work.mkdir()
        split = {"validation_fraction": 0.34} if role == "train" else {}
        params = dataset.Params.model_validate({"role": role, **split})
        made = dataset.run(params, toy.inputs(labels=given), work)
        found[role] = Given(f"dataset-{role}", work, made.values)
    return found


@pytest.fixture(scope="session")
def trained(
    smoke_model: Model, toy_sets: dict[str, Given], tmp_path_factory: pytest.TempPathFactory
) -> Given:
    """A model trained by nequip for a few steps, as the stage leaves it."""
    work = tmp_path_factory.mktemp("trained")
    params = train.Params(training=smoke_model.training(1), elements=("Cl",))
    with contextlib.chdir(work):
        made = train.run(params, toy.inputs(dataset=toy_sets["train"]), work)
    return Given("train-toy", work, made.values)
