import contextlib
import dataclasses
import json

import numpy as np
import pytest
import toy
import yaml
from ase.io import read, write

from ilmlip.chemistry.labelled import read_frames
from ilmlip.engines import nequip, nequip_weights
from ilmlip.engines.nequip_config import training_config
from ilmlip.errors import StageError
from ilmlip.hashing import file_digest
from ilmlip.spec.model import Model
from ilmlip.stages import train
from ilmlip.stages.base import Given
from ilmlip.stages.train import starting_shifts

pytest_plugins = ("toy_fixtures",)


def frames_of(given, name):
    return read_frames(given.path / name)


def test_starting_shifts(toy_sets):
    frames = frames_of(toy_sets["train"], "train.extxyz")
    types = ["F", "K", "Li", "P"]
    assert set(starting_shifts("zero", frames, types).values()) == {0.0}
    mean = np.mean([frame.energy / len(frame) for frame in frames])
    assert starting_shifts("mean", frames, types) == pytest.approx(dict.fromkeys(types, mean))
    solved = starting_shifts("least_squares", frames, types)
    # two compositions are met exactly: no composition is left with a mean residual
    left: dict[str, list[float]] = {}
    for frame in frames:
        residual = frame.energy - sum(solved[symbol] for symbol in frame.symbols)
        left.setdefault(frame.formula(), []).append(residual)
    assert [np.mean(v) for v in left.values()] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert solved["P"] == pytest.approx(solved["F"])


@pytest.mark.engine
def test_what_a_training_leaves(trained, smoke_model):
    files = {"model.json", "weights.npz", "model.ckpt", "config.yaml", "curve.csv"}
    assert files <= {p.name for p in trained.path.iterdir()}
    assert trained.values["elements"] == ["Cl", "F", "K", "Li", "P"]
    assert trained.values["steps"] == smoke_model.max_steps
    header, *rows = (trained.path / "curve.csv").read_text(encoding="utf-8").splitlines()
    assert header.startswith("step,epoch,train_loss,val_loss,val_energy_mae")
    assert len(rows) == trained.values["epochs"] == 5
    config = yaml.safe_load((trained.path / "config.yaml").read_text(encoding="utf-8"))
    start = config["training_module"]["model"]["per_type_energy_shifts"]
    assert start == trained.values["shifts"]["start"]


@pytest.mark.engine
def test_refit_leaves_no_mean_error_in_either_composition(trained, toy_sets):
    """What is linear in the composition is solved: the residuals have no mean left to take."""
    frames = frames_of(toy_sets["train"], "train.extxyz")
    found = nequip.load(trained.path).predict(frames)
    residuals: dict[str, list[float]] = {}
    for frame, predicted in zip(frames, found, strict=True):
        residuals.setdefault(frame.formula(), []).append(frame.energy - predicted.energy)
    assert len(residuals) == 2
    for values in residuals.values():
        assert np.mean(values) == pytest.approx(0.0, abs=1e-4)


@pytest.mark.engine
def test_the_model_file_holds_no_path_of_this_machine(trained):
    for name in ("model.ckpt", "model.json", "weights.npz"):
        assert str(trained.path).encode() not in (trained.path / name).read_bytes()


@pytest.mark.slow
@pytest.mark.engine
def test_allegro_with_stress_and_averaged_weights(smoke_model, toy_sets, tmp_path):
    """The other architecture, loss and module: trained, refitted, and read back as well."""
    own = {"architecture": "allegro", "n_features": None, "n_scalar_features": 4}
    own |= {"n_tensor_features": 2, "loss": {"stress": 10.0}, "ema_decay": 0.9, "max_steps": 8}
    training = Model.model_validate(smoke_model.model_dump() | own).training(3)
    with contextlib.chdir(tmp_path):
        params = train.Params(training=training)
        made = train.run(params, toy.inputs(dataset=toy_sets["train"]), tmp_path)
    assert made.values["steps"] == 8
    assert "val_stress_mae" in (tmp_path / "curve.csv").read_text(encoding="utf-8").splitlines()[0]
    frames = frames_of(toy_sets["train"], "train.extxyz")
    found = nequip.load(tmp_path).predict(frames)
    left = [frame.energy - predicted.energy for frame, predicted in zip(frames, found, strict=True)]
    assert np.mean(left) == pytest.approx(0.0, abs=1e-4)


@pytest.mark.slow
@pytest.mark.engine
def test_frames_without_stress_train_a_loss_without_it(smoke_model, toy_sets, tmp_path):
    """Labels need no stress where none is learnt, and the model is the same with and without."""
    training = smoke_model.model_copy(update={"max_steps": 8}).training(2)
    weights = {}
    for name in ("with", "without"):
        data, work = tmp_path / f"{name}-data", tmp_path / name
        for folder in (data, work):
            folder.mkdir()
        for file in ("train.extxyz", "val.extxyz"):
            frames = read(toy_sets["train"].path / file, index=":", format="extxyz")
            for frame in frames:
                if name == "without":
                    del frame.calc.results["stress"]
            write(data / file, frames, format="extxyz")
        assert ("stress=" in (data / "train.extxyz").read_text(encoding="utf-8")) == (
            name == "with"
        )
        with contextlib.chdir(work):
            given = toy.inputs(dataset=Given(f"dataset-{name}", data, {}))
            made = train.run(train.Params(training=training), given, work)
        assert made.values["steps"] == 8
        weights[name] = file_digest(work / "weights.npz")
    assert weights["with"] == weights["without"]
    loss = smoke_model.loss.model_copy(update={"stress": 1.0})
    learnt = train.Params(training=training.model_copy(update={"loss": loss}))
    (tmp_path / "learnt").mkdir()
    with pytest.raises(StageError, match=r"the labels have none; set dft.stress=true or"):
        train.run(learnt, given, tmp_path / "learnt")


ATOMS = {"F": -3.0, "K": -0.7, "Li": -1.9, "P": -5.5}
"""Energies that no fit to the toy frames gives, eV."""


def single_atoms(folder):
    return [Given(f"atom-{e}", folder, {"element": e, "energy": ATOMS[e]}) for e in ATOMS]


def shifts_in_the_file(folder):
    """Each element's shift, as the model that is read back has it."""
    elements = json.loads((folder / nequip_weights.NETWORK).read_text(encoding="utf-8"))["elements"]
    with np.load(folder / nequip_weights.WEIGHTS) as weights:
        (name,) = [n for n in weights if n.endswith("scale_shift.shifts")]
        return dict(zip(elements, weights[name].flatten().tolist(), strict=True))


@pytest.mark.engine
@pytest.mark.parametrize("e0", ["isolated", pytest.param("none", marks=pytest.mark.slow)])
def test_energies_of_single_atoms_are_kept_as_they_are(
    e0, smoke_model, toy_sets, tmp_path, monkeypatch
):
    """What dft.e0 says is in the model file after training, neither trained nor refitted."""
    training = smoke_model.model_copy(update={"max_steps": 8}).training(2, e0)
    monkeypatch.chdir(tmp_path)
    given = toy.inputs(dataset=toy_sets["train"], atoms=single_atoms(tmp_path))
    made = train.run(train.Params(training=training), given, tmp_path)
    expected = ATOMS if e0 == "isolated" else dict.fromkeys(ATOMS, 0.0)
    assert made.values["shifts"] == {"start": expected, "end": expected}
    assert shifts_in_the_file(tmp_path) == pytest.approx(expected, abs=1e-6)


def test_an_element_without_its_atom_is_named(smoke_model, toy_sets, tmp_path):
    training = smoke_model.training(2, "isolated")
    few = [atom for atom in single_atoms(tmp_path) if atom.values["element"] not in ("K", "P")]
    given = toy.inputs(dataset=toy_sets["train"], atoms=few)
    with pytest.raises(StageError, match="no energy of a single atom of K, P is there"):
        train.run(train.Params(training=training), given, tmp_path)


def test_fewer_frames_than_a_batch(smoke_model, toy_sets, tmp_path):
    training = smoke_model.model_copy(update={"batch_size": 9}).training(2)
    with pytest.raises(
        StageError, match=r"^model.batch_size is 9, and there are 8 frames to train"
    ):
        train.run(train.Params(training=training), toy.inputs(dataset=toy_sets["train"]), tmp_path)


def without_stress(toy_sets, folder, bare):
    """The toy frames, some of those to train on (by number) without stress."""
    folder.mkdir()
    for file in ("train.extxyz", "val.extxyz"):
        frames = read(toy_sets["train"].path / file, index=":", format="extxyz")
        for i in bare if file == "train.extxyz" else ():
            del frames[i].calc.results["stress"]
        write(folder / file, frames, format="extxyz")
    return Given("dataset-some", folder, {})


@pytest.mark.engine
@pytest.mark.parametrize(
    "architecture", ["nequip", pytest.param("allegro", marks=pytest.mark.slow)]
)
def test_stress_of_some_frames_is_learnt(
    architecture, smoke_model, toy_sets, tmp_path, monkeypatch
):
    """Three of eight frames have no stress: batches of four always hold one that has."""
    own = {"batch_size": 4, "loss": {"stress": 10.0}, "max_steps": 8, "zbl": True}
    if architecture == "allegro":
        own |= {"architecture": "allegro", "n_features": None, "n_scalar_features": 4}
        own |= {"n_tensor_features": 2}
    model = Model.model_validate(smoke_model.model_dump() | own)
    given = without_stress(toy_sets, tmp_path / "data", (0, 3, 6))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    made = train.run(train.Params(training=model.training(1)), toy.inputs(dataset=given), work)
    rows = (work / "curve.csv").read_text(encoding="utf-8").splitlines()
    assert "val_stress_mae" in rows[0] and "nan" not in "".join(rows)
    assert made.values["steps"] == 8
    # the repulsion is in the model that is read back: two nuclei 0.5 Å apart
    (frame, *_) = frames_of(toy_sets["test"], "test.extxyz")
    close = frame.positions.copy()
    close[1] = close[0] + [0.5, 0, 0]
    near = nequip.load(work).predict([dataclasses.replace(frame, positions=close)])[0]
    assert near.energy > nequip.load(work).predict([frame])[0].energy + 10


def test_a_batch_that_may_hold_no_stress(smoke_model, toy_sets, tmp_path):
    loss = smoke_model.loss.model_copy(update={"stress": 1.0})
    training = smoke_model.model_copy(update={"loss": loss}).training(2)  # batches of two
    given = toy.inputs(dataset=without_stress(toy_sets, tmp_path / "data", (0, 3)))
    with pytest.raises(StageError, match="2 of 8 frames have no stress, so that a batch of 2 may"):
        train.run(train.Params(training=training), given, tmp_path)


@pytest.mark.slow
@pytest.mark.engine
def test_early_stopping_ends_with_the_steps_that_were_done(
    smoke_model, toy_sets, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    own = {"max_steps": 4000, "learning_rate": 1e-9, "early_stopping": 2, "max_hours": 25.5}
    training = smoke_model.model_copy(update=own).training(2)
    params = train.Params(training=training)
    made = train.run(params, toy.inputs(dataset=toy_sets["train"]), tmp_path)
    assert made.values["steps"] == 4 * made.values["epochs"] < 400
    config = yaml.safe_load((tmp_path / "config.yaml").read_text(encoding="utf-8"))
    assert config["trainer"]["max_time"] == "01:01:30:00"
    assert "guard" not in str(config)


def test_a_card_that_is_not_there(smoke_model, toy_sets, tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    given = dataclasses.replace(toy.inputs(dataset=toy_sets["train"]), how={"device": "cuda"})
    with pytest.raises(
        StageError, match=r"^cluster.device is cuda, and torch .* finds no CUDA dev"
    ):
        train.run(train.Params(training=smoke_model.training(1)), given, tmp_path)
    assert not list(tmp_path.iterdir())
    config = training_config(smoke_model.training(1), {"Li": 0.0}, device="cuda")
    assert config["trainer"]["accelerator"] == "gpu"
