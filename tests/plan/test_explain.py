"""Why a task is not cached, told from a real store."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command import SMOKE, Smoke, ilmlip

from ilmlip.errors import SpecError
from ilmlip.plan.compile import compile_study
from ilmlip.plan.explain import explain
from ilmlip.plan.graph import states
from ilmlip.spec.load import load
from ilmlip.store import Store


def reasons(store: Store, asked: str, *words: str) -> list[str]:
    plan = compile_study([load([*SMOKE, *words])])
    return [reason.text for reason in explain(asked, plan, states(plan, store), store)]


def test_an_empty_store(tmp_path: Path) -> None:
    found = reasons(Store(tmp_path), "train")
    assert found and all("is new: no result of stage train" in text for text in found)


def test_no_such_stage_or_key(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="neither a stage"):
        reasons(Store(tmp_path), "trane")
    with pytest.raises(SpecError, match="neither a stage"):
        reasons(Store(tmp_path), "train-k1-000000")


@pytest.mark.engine
@pytest.mark.parametrize(
    ("stage", "words", "part"),
    [
        ("train", ["model.r_max=3.5"], "model.r_max: 4.0 → 3.5"),
        ("train", ["model.loss.force=10"], "model.loss.force: 1.0 → 10.0"),
        ("sample", ["sampling.temperature=310"], "sampling.temperature: 300.0 → 310.0"),
        ("train", ["sampling.temperature=310"], "sampling.temperature: 300.0 → 310.0"),
        ("label", ["dft.cutoff=9"], "dft.cutoff: 10.0 → 9.0"),
        ("dataset", ["dataset.frames=4"], "were 5"),
        ("label", ["system.charge_scale=0.7"], "system.charge_scale: 0.8 → 0.7"),
        ("evaluate", ["model.r_max=3.5"], "model.r_max: 4.0 → 3.5"),
    ],
)
def test_the_field_that_changed(stage: str, words: list[str], part: str, smoke: Smoke) -> None:
    found = reasons(Store(smoke.folder / "store"), stage, *words)
    assert found and any(part in text for text in found), found


@pytest.mark.engine
def test_cached_failed_and_out_of_date(smoke: Smoke, tmp_path: Path) -> None:
    store = Store(smoke.folder / "store")
    assert reasons(store, "train") == []
    plan = compile_study([load(list(SMOKE))])
    key = next(task.key for task in plan if task.stage == "label")
    assert reasons(store, key) == ["is cached"]
    copy = Store(tmp_path / "store")
    shutil.copytree(store.root, copy.root)
    shutil.rmtree(copy.folder(key))
    assert all("differs from the nearest result in" in text for text in reasons(copy, key))
    assert reasons(copy, "dataset") == []  # an input that is gone makes nothing out of date


@pytest.mark.engine
def test_on_the_command_line(smoke: Smoke) -> None:
    answer = ilmlip("plan", *SMOKE, "model.r_max=3.5", "--explain", "train", cwd=smoke.folder)
    assert answer.code == 0 and "and 3 more" in answer.out and "4.0 → 3.5" in answer.out
    as_json = ilmlip(
        "plan", *SMOKE, "model.r_max=3.5", "--explain=train", "--json", cwd=smoke.folder
    )
    assert len(as_json.json["reasons"]) == 4 and as_json.json["cost"]["label_calls"] == 0
