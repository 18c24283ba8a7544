"""What a store holds of a trained model is data: it predicts as nequip does, and runs no code."""

import json
import pickle
import shutil
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

from ilmlip.chemistry.labelled import read_frames
from ilmlip.engines import nequip
from ilmlip.engines.nequip_config import training_config
from ilmlip.engines.nequip_weights import (
    CHECKPOINT,
    NETWORK,
    WEIGHTS,
    Network,
    build,
    export,
    strip,
)
from ilmlip.errors import StageError
from ilmlip.spec.model import Model

pytest_plugins = ("toy_fixtures",)

ALLEGRO = {
    "architecture": "allegro",
    "n_features": None,
    "n_scalar_features": 4,
    "n_tensor_features": 2,
    "n_layers": 2,
}


def from_checkpoint(path, frames):
    """Energies and forces by nequip's own reading of its checkpoint."""
    from nequip.data import AtomicDataDict, from_ase
    from nequip.integrations.utils import basic_transforms
    from nequip.model.saved_models import load_saved_model

    model = load_saved_model(str(path)).eval()
    types = model.metadata["type_names"].split(" ")
    transforms = basic_transforms(
        model.metadata, float(model.metadata["r_max"]), types, {t: t for t in types}
    )
    found = []
    for frame in frames:
        data = from_ase(frame.atoms())
        for transform in transforms:
            data = transform(data)
        out = model(AtomicDataDict.batched_from_list([data]))
        found.append(
            (float(out["total_energy"].detach()), out["forces"].detach().numpy().astype(float))
        )
    return found


@pytest.mark.engine
@pytest.mark.slow
def test_native_arguments_reach_nequip_and_are_read_back(smoke_model, toy_sets, tmp_path):
    """A deeper radial network: more weights, and the same predictions from the files."""
    own = {"native": {"radial_mlp_depth": 2}, "max_steps": 4}
    training = Model.model_validate(smoke_model.model_dump() | own).training(5)
    for name in ("train.extxyz", "val.extxyz"):
        shutil.copy(toy_sets["train"].path / name, tmp_path)
    nequip.write(training, {"F": -0.5, "K": 0.1, "Li": -1.0, "P": -0.7}, tmp_path)
    assert "radial_mlp_depth: 2" in (tmp_path / "config.yaml").read_text(encoding="utf-8")
    nequip.train(tmp_path)
    export(tmp_path, training)
    frames = read_frames(toy_sets["test"].path / "test.extxyz")[:2]
    found = nequip.load(tmp_path).predict(frames)
    for one, (energy, _) in zip(found, from_checkpoint(tmp_path / CHECKPOINT, frames), strict=True):
        assert one.energy == pytest.approx(energy, rel=1e-6)


FEW = [("nequip", "float32", None), ("allegro", "float64", 0.9)]
ALL = [
    (a, d, e) for a in ("nequip", "allegro") for d in ("float32", "float64") for e in (None, 0.9)
]
OTHERS = [pytest.param(*one, marks=pytest.mark.slow) for one in ALL if one not in FEW]


@pytest.mark.engine
@pytest.mark.parametrize(("architecture", "dtype", "ema_decay"), [*FEW, *OTHERS])
def test_predictions_are_those_of_the_checkpoint(
    smoke_model, toy_sets, tmp_path, architecture, dtype, ema_decay
):
    own = ALLEGRO if architecture == "allegro" else {"n_layers": 2, "parity": True}
    own |= {"dtype": dtype, "ema_decay": ema_decay, "max_steps": 8, "learning_rate": 0.003}
    training = Model.model_validate(smoke_model.model_dump() | own).training(5)
    for name in ("train.extxyz", "val.extxyz"):
        shutil.copy(toy_sets["train"].path / name, tmp_path)
    nequip.write(training, {"F": -0.5, "K": 0.1, "Li": -1.0, "P": -0.7}, tmp_path)
    nequip.train(tmp_path)
    export(tmp_path, training)
    before = nequip.load(tmp_path)
    frames = read_frames(toy_sets["test"].path / "test.extxyz")
    for shifts in (None, {"F": 0.5, "K": 0.0, "Li": -3.0, "P": 0.25}):
        if shifts:
            export(tmp_path, training, shifts)
        model = nequip.load(tmp_path)
        assert (model is before) == (shifts is None)  # other files are another model
        pairs = zip(
            model.predict(frames), from_checkpoint(tmp_path / CHECKPOINT, frames), strict=True
        )
        for found, (energy, forces) in pairs:
            assert found.energy == pytest.approx(energy, rel=1e-6)
            np.testing.assert_allclose(found.forces, forces, rtol=1e-6, atol=1e-6)
    raw = network_of(tmp_path, training)
    with np.load(tmp_path / WEIGHTS, allow_pickle=False) as weights:
        same = [np.array_equal(weights[name], raw[name]) for name in raw]
    assert all(same) == (ema_decay is None)  # the averages, where there are any


def network_of(folder, training):
    """The weights that stand in the checkpoint under the network's names, averages left aside."""
    import torch

    prefix = "model.sole_model."
    state = torch.load(folder / CHECKPOINT, weights_only=True)["state_dict"]
    return {
        name.removeprefix(prefix): tensor.numpy()
        for name, tensor in state.items()
        if name.startswith(prefix)
    }


@pytest.fixture
def untrained(smoke_model, tmp_path):
    """A model in the form that a training leaves, with its first weights."""
    network = Network(
        training=smoke_model.training(1), elements=("F", "Li", "P"), avg_num_neighbors=3.0
    )
    (tmp_path / NETWORK).write_text(network.model_dump_json(), encoding="utf-8")
    save(tmp_path, {n: t.numpy() for n, t in build(network).state_dict().items()})
    return tmp_path


def save(folder, arrays):
    np.savez(folder / WEIGHTS, **arrays)


def arrays_of(folder):
    with np.load(folder / WEIGHTS, allow_pickle=False) as weights:
        return {name: weights[name] for name in weights.files}


EMBEDDING = "model.func.type_embed.embed_module.weight"
SHIFTS = "model.func.per_type_energy_scale_shift.shifts"


def test_a_model_as_it_should_be(untrained):
    assert nequip.load(untrained).types == ("F", "Li", "P")


class Trap:
    """Makes a file as soon as anyone unpickles it."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_the_trap_works(tmp_path):
    pickle.loads(pickle.dumps(Trap(tmp_path / "sprung"))).close()
    assert (tmp_path / "sprung").exists()


def test_a_planted_pickle_does_not_run(untrained):
    trap = np.empty((3, 1), dtype=object)
    trap[:] = Trap(untrained / "sprung")
    save(untrained, arrays_of(untrained) | {SHIFTS: trap})
    with pytest.raises(StageError, match=r"weights.npz holds no weights: Object arrays"):
        nequip.load(untrained)
    (untrained / WEIGHTS).write_bytes(pickle.dumps(Trap(untrained / "sprung")))
    with pytest.raises(StageError, match=r"weights.npz holds no weights: File is not a zip"):
        nequip.load(untrained)
    assert not (untrained / "sprung").exists()


def test_a_planted_checkpoint_is_not_opened(untrained):
    (untrained / CHECKPOINT).write_bytes(pickle.dumps(Trap(untrained / "sprung")))
    nequip.load(untrained)
    with pytest.raises(pickle.UnpicklingError):  # not even where a fresh one is expected
        export(untrained, nequip_training(untrained))
    assert not (untrained / "sprung").exists()


def nequip_training(folder):
    return Network.model_validate_json((folder / NETWORK).read_bytes()).training


def without(arrays, name):
    return {n: a for n, a in arrays.items() if n != name}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda a: without(a, SHIFTS), "it lacks model.func.per_type"),
        (lambda a: a | {"more": np.zeros(1)}, "it holds also more"),
        (lambda a: a | {SHIFTS: np.zeros((2, 1))}, r"is float64 \(2, 1\), .* float64 \(3, 1\)"),
        (lambda a: a | {SHIFTS: np.zeros((3, 1), "f4")}, r"is float32 \(3, 1\)"),
        (lambda a: a | {SHIFTS: np.zeros((99999, 1))}, "has 800120 bytes, the network needs 24"),
    ],
)
def test_weights_that_are_not_those_of_the_network(untrained, change, reason):
    save(untrained, change(arrays_of(untrained)))
    with pytest.raises(StageError, match=reason):
        nequip.load(untrained)


def test_a_cut_and_a_changed_file(untrained):
    whole, first = (untrained / WEIGHTS).read_bytes(), arrays_of(untrained)[EMBEDDING]
    (untrained / WEIGHTS).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StageError, match="holds no weights"):
        nequip.load(untrained)
    place = whole.index(first.tobytes())
    (untrained / WEIGHTS).write_bytes(whole[:place] + b"xxxx" + whole[place + 4 :])
    with pytest.raises(StageError, match="holds no weights: Bad CRC"):
        nequip.load(untrained)


def test_a_header_that_claims_more_than_there_is(untrained):
    arrays = arrays_of(untrained)
    with zipfile.ZipFile(untrained / WEIGHTS, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as stream:
                header = {"descr": "<f8", "fortran_order": False, "shape": (10**15,)}
                np.lib.format.write_array_header_1_0(stream, header)
                stream.write(array.tobytes())
    with pytest.raises(StageError, match="holds no weights"):
        nequip.load(untrained)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"_target_": "os.system"}, "_target_: Extra inputs are not permitted"),
        ({"elements": ["F", "Li", "Li"]}, "elements has one twice"),
        ({"elements": ["F", "Li", "Xx"]}, "Xx is no element"),
        ({"elements": ["F", "Li"]}, r"weights.npz: .* the network needs"),
        ({"avg_num_neighbors": 0}, "avg_num_neighbors: Input should be greater than 0"),
        ({"training": {"_target_": "os.system"}}, r"training.*"),
    ],
)
def test_a_description_that_is_wrong(untrained, change, reason):
    data = json.loads((untrained / NETWORK).read_text(encoding="utf-8"))
    (untrained / NETWORK).write_text(json.dumps(data | change), encoding="utf-8")
    with pytest.raises(StageError, match=reason):
        nequip.load(untrained)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"_target_": "os.system"}, "training._target_: Extra inputs"),
        ({"n_bessels": {"_target_": "os.system"}}, "training.n_bessels: Input should be"),
        ({"n_features": None}, "model.n_features: is missing"),
        ({"n_features": 5}, "the network needs"),
        ({"architecture": "os.system"}, "training.architecture: Input should be 'nequip'"),
    ],
)
def test_a_training_that_is_wrong(untrained, change, reason):
    data = json.loads((untrained / NETWORK).read_text(encoding="utf-8"))
    data["training"] |= change
    (untrained / NETWORK).write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(StageError, match=reason):
        nequip.load(untrained)


def test_no_files_and_no_json(untrained):
    (untrained / NETWORK).write_text("nonsense", encoding="utf-8")
    with pytest.raises(StageError, match=r"model.json describes no model: Invalid JSON"):
        nequip.load(untrained)
    (untrained / WEIGHTS).unlink()
    with pytest.raises(StageError, match=r"no trained model: weights.npz is missing"):
        nequip.load(untrained)


def test_the_network_is_built_from_what_the_config_says(smoke_model):
    """The same names and shapes as those that nequip-train makes of the config."""
    training = smoke_model.training(1)
    config = training_config(training, {"F": 1.0, "Li": 2.0})["training_module"]["model"]
    assert config.pop("_target_") == "nequip.model.NequIPGNNModel"
    network = Network(training=training, elements=("F", "Li"), avg_num_neighbors=1.0)
    metadata = build(network).metadata
    assert metadata["type_names"].split() == config["type_names"]
    assert float(metadata["r_max"]) == config["r_max"]
    assert metadata["model_dtype"] == config["model_dtype"]


def test_a_checkpoint_is_one_file_whatever_its_objects_share(tmp_path):
    """What was read from a file has other objects of equal strings and lists than what wrote it."""
    import torch

    def checkpoint(share):
        weight = torch.arange(6.0).reshape(2, 3)
        state = OrderedDict(
            {"model.w": weight, "model.v": weight[1] if share else weight[1].clone()}
        )
        state._metadata = OrderedDict({"": {"version": 1}})
        model = {"type_names": ["Li", "F"]}
        names = ["forces_mae" if share else "".join(["forces_", "mae"]) for _ in range(2)]
        assert (names[0] is names[1]) == share
        info = {
            "training_module": {"model": model if share else {"type_names": ["Li", "F"]}},
            "trainer": {"callbacks": []},
        }
        return {
            "state_dict": state, "pytorch-lightning_version": "2", "epoch": 1, "global_step": 2,
            "hyper_parameters": {"model": model, "info_dict": info, "a": {names[0]: 1.5},
                                 "b": {names[1]: 1.5}},
        }  # fmt: skip

    written = []
    for share in (True, False):
        path = tmp_path / CHECKPOINT
        torch.save(checkpoint(share), path)
        found = strip(path)
        assert found["state_dict"]._metadata == {"": {"version": 1}}
        assert torch.equal(found["state_dict"]["model.v"], torch.tensor([3.0, 4.0, 5.0]))
        written.append(path.read_bytes())
    assert written[0] == written[1]
