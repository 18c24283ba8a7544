"""Models from outside in a spec: what they may be, and that their paths are in no key."""

import shutil
import zipfile
from pathlib import Path

import pytest
import yaml

from ilmlip.errors import SpecError
from ilmlip.plan.compile import plan_of, study_key
from ilmlip.share.freeze import freeze
from ilmlip.spec.load import load, load_study
from ilmlip.store import Store

ELEMENTS = ("C", "F", "H", "Li", "N", "P")


def fake(path: Path, elements: tuple[str, ...] = ELEMENTS, more: str = "") -> Path:
    """A file that says of itself what a package says, and holds nothing else."""
    about = {"atom_types": dict(enumerate(elements)), "package_version_id": 2}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{path.stem}/model/package_metadata.txt", yaml.safe_dump(about) + more)
    return path


def words(path: Path) -> tuple[str, ...]:
    return ("quickstart", f"analysis.models.mine.package={path}")


def test_each_test_set_is_evaluated_and_stands_in_the_matrix(tmp_path: Path) -> None:
    study = load_study([*words(fake(tmp_path / "a.nequip.zip")), "analysis.models.x.calculator=lj"])
    plan = plan_of(study)
    (matrix,) = (task for task in plan if task.stage == "matrix")
    entries = [entry for entry in matrix.params.entries if entry.kind == "outside"]
    tested = len(study.spec.compositions.fractions)
    assert [entry.name for entry in entries] == ["mine"] * tested + ["x"] * tested
    assert {entry.composition for entry in entries} == {"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"}
    new = set(plan.tasks) - set(plan_of(load_study(["quickstart"])).tasks)
    assert sum(key.startswith("evaluate-") for key in new) == 2 * tested
    assert not any(key.startswith(("train-", "label-")) for key in new)


def test_the_file_is_in_the_key_and_its_path_is_not(tmp_path: Path) -> None:
    one = load_study(words(fake(tmp_path / "a.nequip.zip")))
    shutil.copy(tmp_path / "a.nequip.zip", tmp_path / "b.nequip.zip")
    same = load_study(words(tmp_path / "b.nequip.zip"))
    other = load_study(words(fake(tmp_path / "c.nequip.zip", more="# other\n")))
    assert set(plan_of(one).tasks) == set(plan_of(same).tasks) != set(plan_of(other).tasks)
    assert study_key(one.specs) == study_key(same.specs) != study_key(other.specs)
    assert study_key(one.specs) != study_key(load_study(["quickstart"]).specs)


def test_a_frozen_study_names_it_from_its_own_folder_with_its_digest(tmp_path: Path) -> None:
    study = load_study(words(fake(tmp_path / "a.nequip.zip")))
    text = freeze(study, plan_of(study), Store(tmp_path / "store"), tmp_path)
    frozen = tmp_path / "frozen.yaml"
    frozen.write_text(text, encoding="utf-8")
    held = yaml.safe_load(text)["analysis"]["models"]["mine"]
    assert held["package"] == "a.nequip.zip" and len(held["sha256"]) == 64
    again = load_study([str(frozen)])
    assert set(plan_of(again).tasks) == set(plan_of(study).tasks)
    fake(tmp_path / "a.nequip.zip", more="# other\n")
    with pytest.raises(SpecError, match="is another file"):
        load_study([str(frozen)])


def test_what_is_wrong_is_said_before_anything_runs(tmp_path: Path) -> None:
    cases = {
        "no such file": tmp_path / "away.nequip.zip",
        "does not know C, H, N": fake(tmp_path / "few.nequip.zip", ("F", "Li", "P")),
        "does not say which elements": fake(tmp_path / "odd.nequip.zip", ("type_1",)),
        "neither a .nequip.zip nor": fake(tmp_path / "model.zip"),
    }
    text = tmp_path / "text.nequip.zip"
    text.write_text("no zip", encoding="utf-8")
    cases["is no zip file"] = text
    with zipfile.ZipFile(tmp_path / "other.nequip.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    cases["not a model of nequip's"] = tmp_path / "other.nequip.zip"
    for said, path in cases.items():
        with pytest.raises(SpecError, match=said) as found:
            load(words(path))
        assert "analysis.models.mine" in found.value.where


def test_a_model_is_one_thing_of_the_registry() -> None:
    for given, said in (
        ("{}", "either a package or a calculator"),
        ("{calculator: os.system}", "calculator"),
        ("{calculator: lj, parameters: {sigma: 1, cutoff: 2}}", "sigma, epsilon, rc, smooth"),
        ("{calculator: emt, parameters: {x: 1}}", "takes none"),
        ("{calculator: lj, parameters: {sigma: abc}}", "parameters"),
    ):
        with pytest.raises(SpecError, match=said):
            load(["quickstart", f"+analysis.models={{mine: {given}}}"])


def test_a_spec_reads_beside_itself_and_nowhere_else(tmp_path: Path) -> None:
    fake(tmp_path / "above.nequip.zip")
    (tmp_path / "study").mkdir()
    spec = tmp_path / "study" / "mine.yaml"
    content = {
        "defaults": ["config", "_self_", {"scale": "smoke"}],
        "name": "mine",
        "analysis": {"models": {"mine": {"package": "../above.nequip.zip"}}},
    }
    spec.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(SpecError, match="leads out of the study's folder"):
        load([str(spec)])
