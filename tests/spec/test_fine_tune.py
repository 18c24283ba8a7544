"""Fine-tuning in a spec: the package is known by what it holds, and read before anything runs."""

import shutil
import zipfile
from pathlib import Path

import pytest
import yaml

from ilmlip.engines.nequip_config import model_config
from ilmlip.errors import SpecError
from ilmlip.export.study import refuse_series
from ilmlip.plan.compile import plan_of, study_key
from ilmlip.share.freeze import freeze
from ilmlip.spec.load import load, load_study
from ilmlip.store import Store

ELEMENTS = ("Cl", "C", "F", "H", "Li", "N", "P")


def fake(path: Path, **own) -> Path:
    """A file that says of itself what the package of a quickstart model says, and holds no model."""
    network = model_config(load(["quickstart"]).model.training(1), dict.fromkeys(ELEMENTS, 0.0))
    config = {"training_module": {"model": network | {"avg_num_neighbors": 9.5} | own}}
    about = {"atom_types": dict(enumerate(ELEMENTS)), "package_version_id": 2}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{path.stem}/model/package_metadata.txt", yaml.safe_dump(about))
        archive.writestr(f"{path.stem}/model/config.yaml", yaml.safe_dump(config))
    return path


def words(path: Path, *more: str) -> list[str]:
    return ["quickstart", f"model.fine_tune.package={path}", *more]


def trainings(plan) -> dict:
    return {task.key: task for task in plan if task.stage == "train"}


def test_its_digest_is_in_the_key_and_its_path_is_not(tmp_path: Path) -> None:
    one = plan_of(load_study(words(fake(tmp_path / "a.nequip.zip"))))
    shutil.copy(tmp_path / "a.nequip.zip", tmp_path / "b.nequip.zip")
    same = plan_of(load_study(words(tmp_path / "b.nequip.zip")))
    other = plan_of(load_study(words(fake(tmp_path / "c.nequip.zip", avg_num_neighbors=9.6))))
    new = plan_of(load_study(["quickstart"]))
    a, b, c = (load_study(words(tmp_path / f"{name}.nequip.zip")).specs for name in "abc")
    assert study_key(a) == study_key(b) != study_key(c)
    assert trainings(one).keys() == trainings(same).keys()
    assert not trainings(one).keys() & (trainings(other).keys() | trainings(new).keys())
    given = next(iter(trainings(same).values()))
    assert given.how["path"] == str(tmp_path / "b.nequip.zip")
    # all that comes before the trainings is shared
    assert {k for k in new.tasks if "label-" in k} == {k for k in one.tasks if "label-" in k}


def test_another_network_is_refused_before_anything_runs(tmp_path: Path) -> None:
    study = load_study(words(fake(tmp_path / "a.nequip.zip"), "model.r_max=4.5"))
    with pytest.raises(SpecError, match=r"r_max 4.0 \(the recipe: 4.5\). Set model.r_max to"):
        plan_of(study)
    study = load_study(words(fake(tmp_path / "b.nequip.zip", _target_="mace.Model")))
    with pytest.raises(SpecError, match=r"_target_ mace.Model .* Set model.architecture to"):
        plan_of(study)


@pytest.mark.parametrize(
    ("more", "place", "message"),
    [
        ("dft.e0=isolated", "dft", "isolated"),
        ("model.fine_tune.sha256=" + 64 * "0", "model.fine_tune.package", "is another file"),
    ],
)
def test_what_does_not_go_with_it(tmp_path: Path, more: str, place: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as found:
        load_study(words(fake(tmp_path / "a.nequip.zip"), "dft=gfn1_xtb", more))
    assert place in found.value.where


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "a.nequip.zip").write_text("no zip", encoding="utf-8")
    with pytest.raises(SpecError, match="is no zip file"):
        load_study(words(tmp_path / "a.nequip.zip"))
    with pytest.raises(SpecError, match="no such file"):
        load_study(words(tmp_path / "none.nequip.zip"))
    with pytest.raises(SpecError):
        load_study(words(tmp_path / "model.pt"))


def test_a_frozen_study_names_it_from_its_own_folder_with_its_digest(tmp_path: Path) -> None:
    study = load_study(words(fake(tmp_path / "a.nequip.zip")))
    text = freeze(study, plan_of(study), Store(tmp_path / "store"), tmp_path)
    held = yaml.safe_load(text)["model"]["fine_tune"]
    assert held["package"] == "a.nequip.zip" and len(held["sha256"]) == 64
    (tmp_path / "frozen.yaml").write_text(text, encoding="utf-8")
    again = load_study([str(tmp_path / "frozen.yaml")])
    assert plan_of(again).tasks.keys() == plan_of(study).tasks.keys()
    fake(tmp_path / "a.nequip.zip", avg_num_neighbors=1.5)
    with pytest.raises(SpecError, match="is another file"):
        load_study([str(tmp_path / "frozen.yaml")])


def test_a_sweep_over_packages(tmp_path: Path) -> None:
    a, b = fake(tmp_path / "a.nequip.zip"), fake(tmp_path / "b.nequip.zip", avg_num_neighbors=9.6)
    study = load_study(["quickstart", f"model.fine_tune.package={a},{b}"], multirun=True)
    assert len(study.points) == 2
    plan = plan_of(study)
    assert len(trainings(plan)) == 2 * len(trainings(plan_of(load_study(["quickstart"]))))
    text = freeze(study, plan, Store(tmp_path / "store"), tmp_path)
    (tmp_path / "frozen.yaml").write_text(text, encoding="utf-8")
    points = yaml.safe_load(text)["points"]
    assert [p["changes"].get("model.fine_tune.package") for p in points] == [None, "b.nequip.zip"]
    assert plan_of(load_study([str(tmp_path / "frozen.yaml")])).tasks.keys() == plan.tasks.keys()


def test_an_export_does_not_carry_it(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="which an export does not carry"):
        refuse_series(plan_of(load_study(words(fake(tmp_path / "a.nequip.zip")))))
