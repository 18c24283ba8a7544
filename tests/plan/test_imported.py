"""Imported labels in the plan: no dynamics, digests in keys, paths in none."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
import yaml
from command import ilmlip

from ilmlip.errors import SpecError
from ilmlip.lint.run import lint
from ilmlip.plan.compile import compile_study, plan_of, study_key
from ilmlip.spec.load import load, load_study

FRAME = Path(__file__).parents[1] / "data" / "lipf6.extxyz"
WORDS = ("dft=files", "scale=smoke", "compositions.salts=[LiPF6]", "compositions.fractions=[LiPF6]",
         "compositions.training=[[LiPF6]]")  # fmt: skip


def words(path: Path) -> tuple[str, ...]:
    return (*WORDS, f"dft.files.paths=[{path}]")


def test_nothing_is_sampled_or_labelled() -> None:
    plan = plan_of(load_study(words(FRAME)))
    stages = Counter(task.stage for task in plan)
    assert stages["imported"] == 1
    assert not {"forcefield", "build", "equilibrate", "sample", "label", "series", "atom"} & set(
        stages
    )
    assert {"imported", "imported_report", "dataset_report", "matrix"} <= set(plan.outputs[0])


def test_the_file_is_in_the_key_and_its_path_is_not(tmp_path: Path) -> None:
    copy = tmp_path / "copy.extxyz"
    shutil.copy(FRAME, copy)
    one, same = load_study(words(FRAME)), load_study(words(copy))
    assert set(plan_of(one).tasks) == set(plan_of(same).tasks)
    assert study_key(one.specs) == study_key(same.specs)
    copy.write_text(
        copy.read_text(encoding="utf-8").replace("5.78928699", "5.78928698"), encoding="utf-8"
    )
    other = plan_of(load_study(words(copy)))
    assert not {key for key in other.tasks if key.startswith("imported-")} & set(plan_of(one).tasks)


def test_reading_is_in_the_key_and_choosing_is_not_in_that_of_the_import() -> None:
    def imports(*more: str) -> set[str]:
        plan = compile_study(load_study([*words(FRAME), *more]).specs)
        return {task.key for task in plan if task.stage == "imported"}

    assert imports() == imports("dft.files.test_fraction=0.5", "dft.files.frames=4")
    assert imports() != imports("dft.files.energy_unit=Ry")


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(SpecError, match=r"no such file: away\.extxyz"):
        load([*WORDS, "dft.files.paths=[away.extxyz]"])


def test_a_spec_reads_beside_itself_and_nowhere_else(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    shutil.copy(FRAME, folder / "here.extxyz")
    shutil.copy(FRAME, tmp_path / "above.extxyz")
    spec = folder / "mine.yaml"

    def written(path: str, **more: object) -> list[str]:
        files = {"paths": [path], **more}
        content = {
            "defaults": ["config", "_self_", {"scale": "smoke"}, {"override dft": "files"}],
            "name": "mine",
            "compositions": {"salts": ["LiPF6"], "fractions": ["LiPF6"], "training": [["LiPF6"]]},
            "dft": {"files": files},
        }
        spec.write_text(yaml.safe_dump(content), encoding="utf-8")
        return [str(spec)]

    digest = load(written("here.extxyz")).dft.files.sha256
    assert len(digest) == 1
    with pytest.raises(SpecError, match="leads out of the study's folder"):
        load(written("../above.extxyz"))
    load_study(written("../above.extxyz"), allow=[str(tmp_path)])
    with pytest.raises(SpecError, match="another file: its SHA-256 is"):
        load(written("here.extxyz", sha256=["0" * 64]))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("dataset=aimd10", "imported labels have none"),
        ("dft.e0=isolated", "set dft.e0=regression"),
        ("dft.files.format=vasp-xml dft.files.energy_unit=Ry", "has no meaning for vasp-xml"),
        ("dft.files.paths=[]", r"is empty; name files, such as dft\.files\.paths"),
    ],
)
def test_what_goes_with_files(more: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        load([*words(FRAME), *more.split()])


def test_lint_does_not_speak_of_sampling() -> None:
    study = load_study(words(FRAME))
    codes = {finding.code for finding in lint(study, plan_of(study))}
    assert "frames-correlated" not in codes and "program-missing" not in codes


def test_a_frozen_study_names_the_file_and_its_digest(tmp_path: Path) -> None:
    shutil.copy(FRAME, tmp_path / "data.extxyz")
    typed = (*WORDS, "dft.files.paths=[data.extxyz]")
    frozen = ilmlip("freeze", *typed, "-o", "frozen.yaml", cwd=tmp_path)
    assert frozen.code == 0, frozen.err
    files = yaml.safe_load((tmp_path / "frozen.yaml").read_text(encoding="utf-8"))["dft"]["files"]
    assert files["paths"] == ["data.extxyz"]
    again = ilmlip("plan", "frozen.yaml", "--json", cwd=tmp_path)
    assert again.code == 0, again.err
    (tmp_path / "data.extxyz").write_text(
        FRAME.read_text(encoding="utf-8").replace("5.78928699", "5.78928698"), encoding="utf-8"
    )
    changed = ilmlip("plan", "frozen.yaml", cwd=tmp_path)
    assert changed.code == 2 and "another file" in changed.err
