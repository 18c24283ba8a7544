import contextlib
import csv
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from ilmlip.chemistry.labelled import read_frames
from ilmlip.engines import nequip, nequip_config, nequip_weights
from ilmlip.engines.nequip_config import training_config
from ilmlip.errors import StageError
from ilmlip.hashing import file_digest
from ilmlip.spec.model import Model

pytest_plugins = ("toy_fixtures",)

SHIFTS = {"Li": -1.0, "F": 0.5}


def test_config_says_what_the_model_says(smoke_model):
    training = smoke_model.training(7)
    config = training_config(training, SHIFTS)
    model, module = config["training_module"]["model"], config["training_module"]
    assert model["per_type_energy_shifts"] == SHIFTS
    assert model["type_names"] == ["Li", "F"]
    assert (model["r_max"], model["l_max"], model["num_features"]) == (4.0, 1, 4)
    assert model["seed"] == config["data"]["seed"] == 7
    assert model["avg_num_neighbors"] == "${training_data_stats:num_neighbors_mean}"
    assert module["loss"]["_target_"] == "nequip.train.EnergyForceLoss"
    assert module["lr_scheduler"]["scheduler"]["T_max"] == training.max_steps
    assert module["_target_"].endswith("NequIPLightningModule")


def test_stress_and_average_enter_the_config_when_they_are_asked_for(smoke_model):
    changed = Model.model_validate(
        smoke_model.model_dump()
        | {
            "loss": {"stress": 100.0},
            "ema_decay": 0.99,
            "schedule": "constant",
            "n_features": [8, 4],
        }
    )
    module = training_config(changed.training(1), SHIFTS)["training_module"]
    assert module["loss"]["coeffs"] == {"total_energy": 1.0, "forces": 1.0, "stress": 100.0}
    assert module["val_metrics"]["_target_"] == "nequip.train.EnergyForceStressMetrics"
    assert module["_target_"].endswith("EMALightningModule")
    assert "lr_scheduler" not in module
    assert module["model"]["num_features"] == [8, 4]


@pytest.mark.parametrize(
    ("sizes", "limit", "expected"),
    [([], 5, []), ([2, 3, 1], 5, [[0, 1], [2]]), ([9, 1], 5, [[0], [1]]), ([5, 5], 5, [[0], [1]])],
)
def test_batches(sizes, limit, expected):
    assert nequip.batches(sizes, limit) == expected


def test_curve_is_one_row_an_epoch_in_house_units(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(
        "epoch,step,train_loss_step/weighted_sum,train_loss_epoch/weighted_sum,"
        "val0_epoch/weighted_sum,val0_epoch/forces_mae,val0_epoch/per_atom_energy_mae\n"
        "0,4,9.0,,,,\n0,9,,,2.0,0.25,0.5\n0,9,,3.0,,,\n1,14,8.0,,,,\n",
        encoding="utf-8",
    )
    (row,) = nequip.read_curve(path)  # the second epoch was cut short: no validation
    assert row == {
        "step": 10.0,
        "epoch": 0.0,
        "train_loss": 3.0,
        "val_loss": 2.0,
        "val_energy_mae": 500.0,
        "val_force_mae": 250.0,
    }


@pytest.mark.engine
def test_an_element_that_the_model_does_not_know(trained, toy_sets):
    (frame, *_) = read_frames(toy_sets["test"].path / "test.extxyz")
    strange = type(frame)(**{**vars(frame), "symbols": ("Xe", *frame.symbols[1:])})
    with pytest.raises(StageError, match=r"hold Xe; the model knows Cl, F, K, Li, P"):
        nequip.load(trained.path).predict([strange])


@pytest.mark.engine
def test_predictions_are_those_of_nequips_own_calculator(trained, toy_sets):
    """Energy, forces and atomic energies in batches of several frames, against ASE one by one."""
    from nequip.integrations.ase import NequIPCalculator

    path = trained.path
    calculator = NequIPCalculator._from_saved_model(
        path / nequip_weights.CHECKPOINT, chemical_species_to_atom_type_map=True
    )
    frames = [
        *read_frames(toy_sets["test"].path / "test.extxyz"),
        *read_frames(toy_sets["train"].path / "train.extxyz"),
    ]
    for frame, found in zip(frames, nequip.load(path).predict(frames), strict=True):
        atoms = frame.atoms()
        atoms.calc = calculator
        assert found.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-5)
        np.testing.assert_allclose(found.forces, atoms.get_forces(), atol=1e-5)
        np.testing.assert_allclose(found.atomic_energies, atoms.get_potential_energies(), atol=1e-5)


@pytest.mark.engine
def test_plain_nequip_train_makes_the_same_model(trained, smoke_model, tmp_path):
    """The exported config and data, run by hand: the same curve and the same model, to the bit."""
    for name in (nequip_config.CONFIG, "train.extxyz", "val.extxyz"):
        shutil.copy(trained.path / name, tmp_path)
    config = yaml.safe_load((tmp_path / nequip_config.CONFIG).read_text(encoding="utf-8"))
    assert config["data"]["train_file_path"] == "train.extxyz"
    command = [str(Path(sys.prefix) / "bin" / "nequip-train"), "-cn", "config"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    by_hand = nequip.read_curve(tmp_path / "curve" / "metrics.csv")
    with (trained.path / nequip.CURVE).open(encoding="utf-8") as stream:
        ours = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(stream)]
    assert ours == by_hand
    nequip_weights.export(tmp_path, smoke_model.training(1), trained.values["shifts"]["end"])
    for name in (nequip_weights.CHECKPOINT, nequip_weights.WEIGHTS, nequip_weights.NETWORK):
        assert file_digest(tmp_path / name) == file_digest(trained.path / name)


@pytest.mark.engine
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (
            {"learning_rate": 1.0, "dtype": "float32"},
            r"^the loss is nan at step \d, with frames (0|0, \d|\d, 0) \(from 0\) of train.extxyz; ",
        ),
        ({}, "No such file"),
    ],
)
def test_a_training_that_fails_says_why(smoke_model, toy_sets, tmp_path, data, reason):
    if data:
        for name in ("train.extxyz", "val.extxyz"):
            shutil.copy(toy_sets["train"].path / name, tmp_path)
        text = (tmp_path / "train.extxyz").read_text(encoding="utf-8")
        (tmp_path / "train.extxyz").write_text(_with_energy(text, "nan"), encoding="utf-8")
    training = smoke_model.model_copy(update={"max_steps": 12}).training(1)
    nequip.write(training, dict.fromkeys(("F", "K", "Li", "P"), 0.0), tmp_path)
    with contextlib.chdir(tmp_path), pytest.raises(StageError, match=reason) as caught:
        nequip.train(tmp_path)
    assert caught.value.log == nequip.LOG
    assert caught.value.command.endswith("-cn guarded hydra.run.dir=nequip")
    assert (tmp_path / nequip.LOG).stat().st_size


def _with_energy(text: str, energy: str) -> str:
    lines = text.splitlines(keepends=True)
    words = lines[1].split(" ")
    words = [f"energy={energy}" if word.startswith("energy=") else word for word in words]
    return "".join([lines[0], " ".join(words), *lines[2:]])
