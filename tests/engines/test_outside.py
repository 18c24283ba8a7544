"""Models from outside predict as themselves, and are opened only if they are what was stated."""

import shutil

import numpy as np
import pytest
import toy

from ilmlip.chemistry.labelled import read_frames
from ilmlip.engines import nequip, outside
from ilmlip.engines.nequip_package import PACKAGE
from ilmlip.errors import StageError
from ilmlip.hashing import file_digest
from ilmlip.spec.outside import Calculator, elements_of_file
from ilmlip.stages import evaluate, package
from ilmlip.stages.base import Given, Inputs

pytest_plugins = ("toy_fixtures",)
pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def packaged(trained, toy_sets, tmp_path_factory):
    work = tmp_path_factory.mktemp("packaged")
    package.run(package.Params(), toy.inputs(model=trained, dataset=toy_sets["train"]), work)
    return work / PACKAGE


def evaluated(model: Calculator, tests: Given, work, path=None):
    params = evaluate.Params(kind="outside", outside=model)
    how = {"path": str(path)} if path else {}
    return evaluate.run(params, Inputs({"dataset": (tests,)}, how=how), work)


@pytest.mark.slow
def test_a_package_has_the_errors_of_the_model_that_it_was_made_of(
    packaged, trained, toy_sets, tmp_path
):
    assert set(elements_of_file(str(packaged), "")) == {"Cl", "F", "K", "Li", "P"}
    model = Calculator(sha256=file_digest(packaged))
    theirs = evaluated(model, toy_sets["test"], tmp_path, packaged).values
    inputs = toy.inputs(model=trained, dataset=toy_sets["test"])
    ours = evaluate.run(evaluate.Params(kind="nequip"), inputs, tmp_path).values
    assert theirs.keys() == ours.keys()
    assert theirs["ion_energies"] == pytest.approx(ours["ion_energies"], abs=1e-5)
    for name, value in ours.items():
        if name.endswith("_mae"):
            assert theirs[name] == pytest.approx(value, rel=1e-4)


def test_another_file_is_not_opened(packaged, toy_sets, tmp_path):
    other = tmp_path / PACKAGE
    shutil.copy(packaged, other)
    with pytest.raises(StageError, match="another file"):
        evaluated(Calculator(sha256="0" * 64), toy_sets["test"], tmp_path, other)
    with pytest.raises(StageError, match="not there any more"):
        evaluated(Calculator(sha256="0" * 64), toy_sets["test"], tmp_path, tmp_path / "away.zip")
    other.write_bytes(packaged.read_bytes()[:5000])
    with pytest.raises(StageError, match="cannot be opened"):
        model = Calculator(sha256=file_digest(other))
        evaluated(model, toy_sets["test"], tmp_path, other)


def test_the_calculator_of_the_labels_errs_by_the_ions_energies_alone(toy_sets, tmp_path):
    """The toy's labels are Lennard-Jones and an offset for each ion."""
    given = {"sigma": 1.4, "epsilon": 0.05, "rc": 4.0}
    model = Calculator(calculator="lj", parameters=given)
    values = evaluated(model, toy_sets["test"], tmp_path).values
    offset = (4 * toy.OFFSET["Li"] + 4 * toy.OFFSET["PF"]) / 12 * 1e3
    assert values["energy_bias"] == pytest.approx(-offset)
    assert values["force_mae"] == pytest.approx(0, abs=1e-3)
    assert values["stress_mae"] == pytest.approx(0, abs=1e-4)


def test_gfn1_is_that_of_the_labels(toy_sets):
    from ilmlip.engines import xtb

    (frame, *_) = read_frames(toy_sets["test"].path / "test.extxyz")
    ((found, *_), tools) = outside.predict(Calculator(calculator="gfn1_xtb"), None, [frame])
    label = xtb.label(frame.atoms(), 1.0, 300.0)
    assert "tblite" in tools
    assert found.energy == pytest.approx(label.energy, abs=1e-5)
    assert np.abs(found.forces - label.forces).max() < 1e-4
    assert np.abs(found.stress - label.stress).max() < 1e-6


def test_what_a_calculator_lacks_has_no_value(toy_sets, tmp_path):
    with pytest.raises(StageError, match="cannot predict frame 0"):
        evaluated(Calculator(calculator="emt"), toy_sets["test"], tmp_path)  # emt knows metals


def test_the_sign_of_forces_is_kept(trained, toy_sets, packaged):
    frames = read_frames(toy_sets["test"].path / "test.extxyz")
    model = Calculator(sha256=file_digest(packaged))
    theirs, _ = outside.predict(model, packaged, frames)
    for one, mine in zip(theirs, nequip.load(trained.path).predict(frames), strict=True):
        assert np.abs(one.forces - mine.forces).max() < 2e-6
        assert np.abs(one.stress - mine.stress).max() < 1e-8
        assert np.abs(one.atomic_energies - mine.atomic_energies).max() < 1e-5
