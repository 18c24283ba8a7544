"""A study as one file: frozen, loaded, frozen again; verified and compared."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from command import SMOKE, Smoke, ilmlip
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ilmlip.cli import main
from ilmlip.errors import SpecError
from ilmlip.plan.compile import compile_study
from ilmlip.plan.graph import Plan
from ilmlip.share.diff import diff
from ilmlip.share.freeze import dump, expected, freeze
from ilmlip.spec.load import load_study
from ilmlip.spec.study import Study
from ilmlip.spec.yaml_file import read_yaml
from ilmlip.store import Store

NOWHERE = Store(Path("no-store-here"))


def planned(study: Study) -> Plan:
    return compile_study(study.specs, [point.swept for point in study.points])


def thawed(folder: Path, text: str, *words: str) -> Study:
    (folder / "frozen.yaml").write_text(text, encoding="utf-8")
    return load_study([str(folder / "frozen.yaml"), *words])


WORDS = {
    "model": st.sampled_from(["nequip_laptop", "allegro_laptop", "nequip_smoke"]),
    "scale": st.sampled_from(["laptop", "smoke"]),
    "model.r_max": st.floats(2, 9, allow_nan=False),
    "model.learning_rate": st.floats(1e-7, 1, exclude_min=True),
    "model.loss.stress": st.sampled_from([0, 1, 1e-300, 1e10]),
    "model.gradient_clip": st.sampled_from(["null", 1.5]),
    "system.charge_scale": st.floats(0.1, 1),
    "dft": st.sampled_from(["opls", "gfn1_xtb"]),
    "ensemble": st.sampled_from(["none", "nvt", "npt"]),
    "description": st.sampled_from(
        ["'1e5'", "'yes'", "'null'", "'ünï: #x'", "''", "'0x1f'", "'1_000'", "'2026-11-23'", "'~'"]
    ),
    "lint.silence": st.just("{energy-span: 'because: it is'}"),
}  # fmt: skip


@st.composite
def specs(draw: st.DrawFn) -> list[str]:
    keys = draw(st.lists(st.sampled_from(list(WORDS)), max_size=4, unique=True))
    words = []
    for key in keys:
        many = key not in ("lint.silence", "scale", "ensemble", "dft")
        values = draw(st.lists(WORDS[key], min_size=1, max_size=2 if many else 1, unique_by=str))
        words.append(f"{key}={','.join(map(str, values))}")
    return words


@settings(
    max_examples=30, deadline=None, suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)  # fmt: skip
@given(words=specs())
def test_freeze_load_freeze_is_the_identity(tmp_path: Path, words: list[str]) -> None:
    study = load_study(["compositions=fifths", "scale=laptop", *words], multirun=True)
    plan = planned(study)
    text = freeze(study, plan, NOWHERE)
    again = thawed(tmp_path, text)
    assert again.specs == study.specs
    assert [p.swept for p in again.points] == [p.swept for p in study.points]
    plan_again = planned(again)
    assert list(plan_again.tasks) == list(plan.tasks)
    expected(again, plan_again)
    assert freeze(again, plan_again, NOWHERE) == text


def test_everything_is_in_the_file(tmp_path: Path) -> None:
    study = load_study(
        ["quickstart", "model.r_max=4,5", "model=nequip_laptop,allegro_laptop"], multirun=True
    )
    text = freeze(study, planned(study), NOWHERE)
    data = yaml.safe_load(text)
    assert "defaults" not in data and data["system"]["ions"]["EMIM"]["atoms"]
    note = data["frozen"]
    assert note["scheme"] == "k1" and note["ilmlip"] and note["tools"]["nequip"]
    assert set(note["data"]) == {"emim.yaml", "li.yaml", "pf6.yaml"}
    assert set(note["keys"]) == set(planned(study).tasks)
    assert len(data["points"]) == 4
    assert data["points"][3]["swept"] == {"model.r_max": 5, "model": "allegro_laptop"}


def test_a_frozen_file_with_other_keys_is_refused(tmp_path: Path) -> None:
    study = load_study(["quickstart"])
    text = freeze(study, planned(study), NOWHERE)
    edited = thawed(tmp_path, text.replace("r_max: 4.0", "r_max: 4.5"))
    with pytest.raises(SpecError, match="keys differ from those that this ilmlip makes"):
        expected(edited, planned(edited))
    changed = thawed(tmp_path, text, "model.r_max=4.5")
    expected(changed, planned(changed))
    assert changed.spec.model.r_max == 4.5


def test_what_a_frozen_file_may_not_hold(tmp_path: Path) -> None:
    study = load_study(["quickstart"])
    data = yaml.safe_load(freeze(study, planned(study), NOWHERE))
    for broken, part in (
        ({"points": []}, "points"), ({"points": 5}, "points"), ({"points": [5]}, "points.0"),
        ({"points": [{"changes": {"store": "/x"}}]}, "can't differ"),
        ({"points": [{"changes": {"model.r_max": -1}}]}, "points.0.changes.model.r_max"),
        ({"frozen": 5}, "frozen"), ({"frozen": {"ilmlip": "1"}}, "frozen.scheme"),
    ):  # fmt: skip
        with pytest.raises(SpecError) as error:
            thawed(tmp_path, json.dumps(data | broken))
        assert part in str(error.value)


AWKWARD = [
    "1e5",
    "0x1f",
    "1_000",
    "~",
    "yes",
    "null",
    "1:30",
    ".5",
    "-",
    "=",
    "<<",
    "1.",
    "+3",
    "0o7",
]
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12)
    | st.sampled_from(AWKWARD)
)  # fmt: skip
KEYS = st.text("abc.1e", min_size=1, max_size=4)


@given(st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
))  # fmt: skip
@settings(suppress_health_check=list(HealthCheck), deadline=None)
def test_dump_reads_back_the_same(tmp_path: Path, value: object) -> None:
    (tmp_path / "x.yaml").write_text(dump({"x": value}), encoding="utf-8")
    found = read_yaml(tmp_path / "x.yaml")["x"]
    assert found == value and type(found) is type(value)


def test_diff_names_fields_and_stages() -> None:
    a, b = load_study(["quickstart"]), load_study(["quickstart", "dft.cutoff=9", "description=x"])
    found = diff(a, b, planned(a), planned(b))
    assert {row["field"]: (row["a"], row["b"]) for row in found.fields}["dft.cutoff"] == (10.0, 9.0)
    differing = {row["stage"] for row in found.stages if row["only_a"]}
    assert {"label", "dataset", "train"} <= differing and not differing & {"build", "sample"}
    same = diff(a, a, planned(a), planned(a))
    assert same.same and not same.fields


@pytest.mark.engine
def test_verify_on_another_store(smoke: Smoke, tmp_path: Path) -> None:
    """Frozen with its results, then held against the same store, a damaged one, and none."""
    file = tmp_path / "frozen.yaml"
    assert ilmlip("freeze", *SMOKE, "-o", str(file), cwd=smoke.folder).code == 0
    assert ilmlip("verify", str(file), cwd=smoke.folder).code == 0
    smoke.copy_store(tmp_path)
    store = Store(tmp_path / "store")
    keys = sorted(store.keys())
    label, sample = (next(k for k in keys if k.startswith(f"{n}-")) for n in ("label", "sample"))
    (store.folder(label) / "frame.extxyz").write_text("cut", encoding="utf-8")
    shutil.rmtree(store.folder(sample))
    answer = ilmlip("verify", str(file), "--json", cwd=tmp_path)
    assert answer.code == 1
    found = answer.json
    assert found["missing"] == [sample]
    assert [row["key"] for row in found["damaged"]] == [label]
    assert len(found["same"]) == len(keys) - 2 and not found["other"]
    assert found["figures"] and all(row["agrees"] for row in found["figures"])
    (tmp_path / "empty").mkdir()
    nothing = ilmlip("verify", str(file), "--json", cwd=tmp_path / "empty")
    assert nothing.code == 2 and f"no store at {tmp_path / 'empty' / 'store'}:" in nothing.err
    assert f"there is one at {tmp_path / 'store'}" in nothing.err


SETS = (
    "labels_smoke", "dft=opls", "tracking=none", "cluster=debug",
    "dataset.derived=[{kind: frames}]",
)  # fmt: skip


@pytest.mark.engine
def test_a_study_of_data_sets_is_swept_frozen_verified_and_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has no models, and so no matrix: every command that reads one does without."""
    monkeypatch.chdir(tmp_path)

    def said(*words: str) -> str:
        assert main(list(words)) == 0
        return capsys.readouterr().out

    swept = ("-m", *SETS, "dataset.seed=0,1")
    ran = json.loads(said("run", *swept, "--json"))
    assert ran["outputs"] == {}, "a table without rows is no output"
    assert [set(point["outputs"]) for point in ran["points"]] == [
        {"dataset", "dataset_report", "dataset_page", "dataset_figure"}
    ] * 2
    assert "dataset.seed=1: dataset: " in said("run", *swept)
    said("freeze", *swept, "-o", "frozen.yaml")
    verdict = json.loads(said("verify", "frozen.yaml", "--json"))
    assert len(verdict["same"]) == ran["done"] and verdict["ok"] and not verdict["figures"]
    said("report", *swept)
    page = (tmp_path / "labels_smoke.html").read_text(encoding="utf-8")
    assert 'id="datasets"' in page and 'id="errors"' not in page
    assert said("diff", *SETS, *SETS).endswith("the same results\n")
    said("export", *SETS, "native")
    assert "5-train" not in (tmp_path / "native" / "README.md").read_text(encoding="utf-8")


@pytest.mark.engine
def test_run_of_a_frozen_file_has_nothing_to_do(smoke: Smoke, tmp_path: Path) -> None:
    file = tmp_path / "frozen.yaml"
    ilmlip("freeze", *SMOKE, "-o", str(file), cwd=smoke.folder)
    answer = ilmlip("run", str(file), "tracking=none", "--json", cwd=smoke.folder)
    assert answer.code == 0 and answer.json["done"] == 0, answer.err


def test_verify_wants_a_frozen_file(tmp_path: Path) -> None:
    answer = ilmlip("verify", "quickstart", cwd=tmp_path)
    assert answer.code == 2 and "made by `ilmlip freeze`" in answer.err
