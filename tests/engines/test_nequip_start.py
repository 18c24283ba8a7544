"""Trainings that start from a packaged model."""

import contextlib
import dataclasses
import zipfile
from pathlib import Path

import numpy as np
import pytest
import toy

from ilmlip.chemistry.labelled import read_frames
from ilmlip.engines import nequip, nequip_package, nequip_start
from ilmlip.engines.nequip_package import PACKAGE
from ilmlip.errors import SpecError, StageError
from ilmlip.hashing import file_digest
from ilmlip.spec.model import Packaged
from ilmlip.stages import package, train
from ilmlip.stages.base import Given

pytest_plugins = ("toy_fixtures",)
pytestmark = [pytest.mark.engine, pytest.mark.slow]


@pytest.fixture(scope="module")
def packaged(trained, toy_sets, tmp_path_factory) -> Path:
    """The toy model as nequip packages it."""
    work = tmp_path_factory.mktemp("packaged")
    package.run(package.Params(), toy.inputs(model=trained, dataset=toy_sets["train"]), work)
    return work / PACKAGE


def training(smoke_model, path: Path, **own):
    made = smoke_model.model_copy(update=own).training(1)
    return made.model_copy(update={"fine_tune": Packaged(sha256=file_digest(path))})


def tuned(wanted, path: Path, data: Given, work: Path):
    work.mkdir()
    inputs = dataclasses.replace(toy.inputs(dataset=data), how={"path": str(path)})
    with contextlib.chdir(work):
        return train.run(train.Params(training=wanted), inputs, work)


def test_without_learning_it_is_what_was_packaged(
    smoke_model, packaged, trained, toy_sets, tmp_path
):
    """Every weight is taken over: the same predictions, with elements that the frames lack."""
    still = {"learning_rate": 1e-12, "max_steps": 4, "shifts": "zero", "refit_shifts": False}
    wanted = training(smoke_model, packaged, **still)
    made = tuned(wanted, packaged, toy_sets["train"], tmp_path / "work")
    assert made.values["elements"] == ["Cl", "F", "K", "Li", "P"]
    frames = read_frames(toy_sets["test"].path / "test.extxyz")
    before, after = (nequip.load(p).predict(frames) for p in (trained.path, tmp_path / "work"))
    for old, new in zip(before, after, strict=True):
        assert new.energy == pytest.approx(old.energy, abs=1e-4)
        assert np.abs(new.forces - old.forces).max() < 1e-4
    ends = trained.values["shifts"]["end"]
    assert made.values["shifts"]["start"] == pytest.approx(ends, abs=1e-9)


def shifted(data: Given, folder: Path) -> Given:
    """The toy frames with an energy of 3 eV more for each Li, as by another reference."""
    from ase.io import read, write

    folder.mkdir()
    for name in ("train.extxyz", "val.extxyz"):
        frames = read(data.path / name, index=":", format="extxyz")
        for atoms in frames:
            atoms.calc.results["energy"] += 3.0 * atoms.symbols.count("Li")
        write(folder / name, frames, format="extxyz")
    return Given("dataset-shifted", folder, {})


def test_it_learns_on_and_can_be_packaged_without_its_origin(
    smoke_model, packaged, trained, toy_sets, tmp_path
):
    """Other labels: their energies are solved, and what it left of the forces is learnt."""
    data = shifted(toy_sets["train"], tmp_path / "data")
    wanted = training(smoke_model, packaged, max_steps=200)
    begun = training(smoke_model, packaged, max_steps=4, learning_rate=1e-12)
    first = tuned(begun, packaged, data, tmp_path / "begun").values
    last = tuned(wanted, packaged, data, tmp_path / "work").values
    # on compositions that it was trained on, what the packaged model leaves is all solved
    assert first["val_energy_mae"] == pytest.approx(trained.values["val_energy_mae"], abs=0.1)
    assert last["val_force_mae"] < 0.8 * first["val_force_mae"]
    again = tmp_path / "again"
    again.mkdir()
    packaged.rename(tmp_path / "away.zip")
    try:
        nequip_package.package(tmp_path / "work", data.path, again)
    finally:
        (tmp_path / "away.zip").rename(packaged)
    frames = read_frames(toy_sets["test"].path / "test.extxyz")
    calculator = nequip_package.calculator(again / PACKAGE, packaged=True)
    for frame, mine in zip(frames, nequip.load(tmp_path / "work").predict(frames), strict=True):
        atoms = frame.atoms()
        atoms.calc = calculator
        assert atoms.get_potential_energy() == pytest.approx(mine.energy, abs=1e-4)
        assert np.abs(atoms.get_forces() - mine.forces).max() < 1e-4
    # and what was fine-tuned can be fine-tuned
    found = nequip_start.describe(str(again / PACKAGE), file_digest(again / PACKAGE))
    assert found.network["_target_"] == "nequip.model.NequIPGNNModel"
    nequip_start.check(wanted, str(again / PACKAGE), file_digest(again / PACKAGE), ("Li",))


def test_another_network_is_named_field_by_field(smoke_model, packaged):
    wanted = training(smoke_model, packaged, r_max=5.0, n_features=7, zbl=True)
    with pytest.raises(SpecError) as caught:
        nequip_start.check(wanted, str(packaged), file_digest(packaged), ("Li", "F"))
    assert caught.value.where == "model.fine_tune.package"
    assert "num_features 4 (the recipe: 7)" in caught.value.message
    assert "r_max 4.0 (the recipe: 5.0)" in caught.value.message
    assert "Set model.n_features, model.zbl, model.r_max" in caught.value.message
    native = {"native": {"radial_mlp_depth": 2}}
    with pytest.raises(SpecError, match=r"Set model\.native\.radial_mlp_depth to"):
        nequip_start.check(
            training(smoke_model, packaged, **native), str(packaged), file_digest(packaged), ()
        )
    nequip_start.check(
        training(smoke_model, packaged), str(packaged), file_digest(packaged), ("Li",)
    )


def test_elements_that_it_does_not_know(smoke_model, packaged):
    wanted = training(smoke_model, packaged)
    with pytest.raises(
        SpecError, match="does not know C, H, which the frames hold; it knows Cl, F"
    ):
        nequip_start.check(wanted, str(packaged), file_digest(packaged), ("H", "C", "Li"))


def test_a_file_that_was_replaced_is_not_opened(smoke_model, packaged, toy_sets, tmp_path):
    wanted = training(smoke_model, packaged)
    other = tmp_path / "other.nequip.zip"
    other.write_bytes(packaged.read_bytes() + b"more")
    with pytest.raises(StageError, match="is another file than the one that the study was made of"):
        tuned(wanted, other, toy_sets["train"], tmp_path / "work")


def test_a_package_that_only_names_its_origin(packaged, tmp_path):
    """nequip's own fine-tuned models say which package they came from, and nothing of its network."""
    odd = tmp_path / "odd.nequip.zip"
    with zipfile.ZipFile(packaged) as old, zipfile.ZipFile(odd, "w") as new:
        for info in old.infolist():
            content = old.read(info)
            if info.filename.endswith("/model/config.yaml"):
                named = "{_target_: nequip.model.ModelFromPackage, package_path: a.nequip.zip}"
                content = f"training_module: {{model: {named}}}".encode()
            new.writestr(info, content)
    with pytest.raises(ValueError, match="may have been fine-tuned by nequip alone"):
        nequip_start.describe(str(odd), file_digest(odd))
