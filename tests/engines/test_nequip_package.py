"""Models that leave the store predict as they do in it, where ilmlip is not."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import toy

from ilmlip.chemistry.labelled import read_frames
from ilmlip.engines import nequip, nequip_package, nequip_weights
from ilmlip.engines.nequip_package import COMPILED, PACKAGE, check_targets, lacks_compiler
from ilmlip.errors import StageError
from ilmlip.stages import compile_model, package

pytest_plugins = ("toy_fixtures",)

SAME = {"energy": 2e-6, "forces": 2e-6, "stress": 1e-8}
"""Greatest difference in eV per atom, eV/Å, eV/Å³: the rounding of single precision."""


def elsewhere(model, frames, folder):
    """Predictions by nequip's own calculator, in a process that cannot import ilmlip."""
    script = Path(__file__).with_name("without_ilmlip.py")
    out = folder / "predicted.json"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    subprocess.run(
        [sys.executable, str(script), str(model), str(frames), str(out)],
        check=True,
        env=environment,
        cwd=folder,
        capture_output=True,
    )
    return json.loads(out.read_text(encoding="utf-8"))


def stresses(folder, frames):
    """(frames, 6) of the network in the store, eV/Å³, in ASE's order."""
    from ase.stress import full_3x3_to_voigt_6_stress
    from nequip.data import AtomicDataDict, from_ase

    _, model = nequip_weights.read(folder)
    transforms = nequip.load(folder)._transforms
    found = []
    for frame in frames:
        data = from_ase(frame.atoms())
        for transform in transforms:
            data = transform(data)
        out = model(AtomicDataDict.batched_from_list([data]))
        found.append(full_3x3_to_voigt_6_stress(out["stress"].detach().numpy().reshape(3, 3)))
    return found


def assert_same(found, folder, frames):
    for one, mine, stress, frame in zip(
        found, nequip.load(folder).predict(frames), stresses(folder, frames), frames, strict=True
    ):
        assert abs(one["energy"] - mine.energy) / len(frame) < SAME["energy"]
        assert np.abs(np.array(one["forces"]) - mine.forces).max() < SAME["forces"]
        assert np.abs(np.array(one["stress"]) - stress).max() < SAME["stress"]
        assert np.abs(stress).max() > 1e3 * SAME["stress"]


@pytest.mark.slow
@pytest.mark.engine
def test_the_package_predicts_as_the_store_does(trained, toy_sets, tmp_path):
    inputs = toy.inputs(model=trained, dataset=toy_sets["train"])
    made = package.run(package.Params(), inputs, tmp_path)
    assert made.files == (PACKAGE,)
    assert set(made.values["elements"]) == {"Cl", "F", "K", "Li", "P"}
    data = toy_sets["test"].path / "test.extxyz"
    found = elsewhere(tmp_path / PACKAGE, data, tmp_path)
    assert_same(found, trained.path, read_frames(data))


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.skipif(bool(lacks_compiler()), reason="there is no C++ compiler")
def test_the_compiled_model_predicts_as_the_store_does(trained, toy_sets, tmp_path):
    inputs = toy.inputs(model=trained, dataset=toy_sets["train"])
    made = compile_model.run(compile_model.Params(), inputs, tmp_path)
    assert made.files == (COMPILED,)
    data = toy_sets["test"].path / "test.extxyz"
    found = elsewhere(tmp_path / COMPILED, data, tmp_path)
    assert_same(found, trained.path, read_frames(data))


def test_where_there_is_no_compiler_it_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert "no-such-compiler" in lacks_compiler()
    with pytest.raises(StageError, match="no-such-compiler"):
        nequip_package.compiled(tmp_path, tmp_path, tmp_path)


@pytest.mark.engine
def test_a_checkpoint_that_names_something_else_is_not_opened(trained):
    network = nequip_weights.read_network(trained.path / nequip_weights.NETWORK)
    check_targets({"a": [{"_target_": "nequip.model.NequIPGNNModel"}]}, network.training, ("F",))
    with pytest.raises(StageError, match=r"names os\.system"):
        check_targets({"a": [{"_target_": "os.system"}]}, network.training, ("F",))


@pytest.mark.engine
def test_a_checkpoint_that_holds_code_is_not_opened(trained, toy_sets, tmp_path):
    import pickle

    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    folder, work = tmp_path / "model", tmp_path / "work"
    shutil.copytree(trained.path, folder)
    work.mkdir()
    (folder / nequip_weights.CHECKPOINT).write_bytes(pickle.dumps(Evil()))
    with pytest.raises(StageError, match="no checkpoint of plain values"):
        nequip_package.package(folder, toy_sets["train"].path, work)
    assert not (tmp_path / "ran").exists()
