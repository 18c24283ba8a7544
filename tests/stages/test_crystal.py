"""The stage `crystal`, and a label of its cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ilmlip.chemistry.boxes import read, read_one
from ilmlip.errors import StageError
from ilmlip.plan.compile import plan_of
from ilmlip.plan.task import Task
from ilmlip.spec.load import load_study
from ilmlip.stages import stage
from ilmlip.stages.base import Given, Inputs

WORDS = ("scale=labels", "system=lpscl", "compositions=table_s9", "dft=gfn1_xtb")


@pytest.fixture
def tasks() -> dict[str, Task]:
    plan = plan_of(load_study(WORDS))
    return {task.stage: task for task in plan if task.stage in ("crystal", "label")}


def test_a_cell_is_a_trajectory_of_one_frame(tasks: dict[str, Task], tmp_path: Path) -> None:
    task = tasks["crystal"]
    made = stage("crystal").run(task.params, Inputs({}), tmp_path)
    atoms = read_one(tmp_path / "trajectory.extxyz", 0)
    assert made.values["atoms"] == len(atoms) in (50, 52, 54)
    assert list(atoms.get_array("ion_type")) == atoms.get_chemical_symbols()
    assert made.values["closest_contact"] == pytest.approx(2.06, abs=0.01)


def test_a_site_that_is_not_what_it_says(tasks: dict[str, Task], tmp_path: Path) -> None:
    params = tasks["crystal"].params
    crystal = params.crystal
    wrong = crystal.mobile.model_copy(update={"number": 24})
    params = params.model_copy(update={"crystal": crystal.model_copy(update={"mobile": wrong})})
    with pytest.raises(StageError, match="24 are stated"):
        stage("crystal").run(params, Inputs({}), tmp_path)


@pytest.mark.engine
def test_a_cell_is_labelled(tasks: dict[str, Task], tmp_path: Path) -> None:
    """Tight binding on one cell: a disordered start, and no nonsense."""
    for name in ("cell", "label"):
        (tmp_path / name).mkdir()
    stage("crystal").run(tasks["crystal"].params, Inputs({}), tmp_path / "cell")
    given = Inputs({"trajectory": (Given("crystal", tmp_path / "cell", {}),)})
    stage("label").run(tasks["label"].params, given, tmp_path / "label")
    (atoms,) = read(tmp_path / "label" / "frame.extxyz")
    assert np.abs(atoms.get_forces()).max() < 20
    assert np.abs(atoms.get_forces().sum(axis=0)).max() < 1e-3
