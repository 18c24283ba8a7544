"""Frames that active learning collects of each composition, once, for all training sets of it."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from ilmlip.errors import SpecError
from ilmlip.lint.run import lint
from ilmlip.plan.compile import plan_of
from ilmlip.plan.graph import Plan
from ilmlip.spec.load import load_study
from ilmlip.stages.dataset import last_of_each, stratified

SIZES = {"Li6.5PS5.5Cl0.5": 64, "Li6PS5Cl": 41, "Li5.5PS4.5Cl1.5": 57}
"""Frames of each composition in the paper (its SI, Solid Electrolyte)."""
PARTS = {"Li6.5PS5.5Cl0.5": (52, 6, 6), "Li6PS5Cl": (33, 4, 4), "Li5.5PS4.5Cl1.5": (47, 5, 5)}
"""Those to train, to validate and to test on."""
WORDS = ("table_s9_s10", "dft=gfn1_xtb")


@cache
def planned(*words: str) -> Plan:
    return plan_of(load_study([*WORDS, *words]))


def sets(plan: Plan, role: str) -> dict[str, list]:
    """The data sets that models of the study are trained on, or tested on, by compositions."""
    found: dict[str, list] = {}
    for task in plan:
        if task.stage == "dataset" and task.params.last and task.params.role == role:
            found.setdefault(task.about["compositions"], []).append(task)
    return found


def test_each_composition_has_the_papers_number_of_frames_labelled_once() -> None:
    plan = planned()
    labelled = Counter(
        task.about["composition"] for task in plan if task.stage in ("label", "label_chosen")
    )
    assert labelled == SIZES
    # no second structure is made to test on, and no round runs that adds nothing
    assert sum(task.stage == "crystal" for task in plan) == 15
    assert sum(task.stage == "explore" for task in plan) == 5 + 3 + 5


def test_all_training_sets_and_tests_are_of_the_same_frames() -> None:
    plan = planned()
    trained, tested = sets(plan, "train"), sets(plan, "test")
    assert len(trained) == 7 and set(tested) == set(SIZES)
    assert all(len(tasks) == 1 for tasks in (*trained.values(), *tested.values()))
    frames = {x: {k for keys in t.needs.values() for k in keys} for x, (t,) in tested.items()}
    assert {x: len(keys) for x, keys in frames.items()} == SIZES
    for name, (task,) in trained.items():
        mine = {key for keys in task.needs.values() for key in keys}
        assert mine == set().union(*(frames[x] for x in name.split("+")))
        assert task.params.last == tested["Li6PS5Cl"][0].params.last
    # in the order in which they are collected
    for task in (t for (t,) in tested.values()):
        rounds = [plan.tasks[key].needs["trajectory"][0] for key in task.needs["chosen"]]
        numbers = [plan.tasks[key].about["round"] for key in rounds]
        assert numbers == sorted(numbers)


def test_the_shares_are_the_papers_numbers() -> None:
    dataset = load_study(WORDS).specs[0].dataset
    for x, (train, validate, test) in PARTS.items():
        late = last_of_each([x] * SIZES[x], dataset.active.test_fraction)
        split = stratified([x] * (SIZES[x] - len(late)), dataset.validation_fraction, 0)
        assert (len(split["train"]), len(split["val"]), len(late)) == (train, validate, test)
        assert late == set(range(SIZES[x] - test, SIZES[x]))


def test_rounds_are_of_models_of_one_composition() -> None:
    plan = planned()
    for task in (t for t in plan if t.stage == "explore"):
        assert len(task.needs["model"]) == 3
        for key in task.needs["model"]:
            (data,) = plan.tasks[key].needs["dataset"]
            assert plan.tasks[data].about["compositions"] == task.about["composition"]
            assert not plan.tasks[data].params.last


def test_models_that_are_swept_collect_frames_of_their_own() -> None:
    swept = planned("sweep={model.r_max: [5, 6]}")
    one = planned()
    before, after = (Counter(task.stage for task in plan) for plan in (one, swept))
    assert after["label"] == before["label"] == 15
    assert after["label_chosen"] == 2 * before["label_chosen"]
    assert all(len(tasks) == 2 for tasks in sets(swept, "test").values())


@pytest.mark.parametrize("word", ["dataset.active=null", "scale=laptop"])
def test_without_it_cells_alone_are_trained_and_tested_on(word: str) -> None:
    plan = planned(word, "dataset.frames=5")
    stages = Counter(task.stage for task in plan)
    assert stages["crystal"] == stages["label"] == 2 * 3 * 5
    assert not {"explore", "label_chosen"} & set(stages)


def test_lint_says_that_test_frames_are_of_the_same_dynamics() -> None:
    def found(*words: str) -> set[str]:
        study = load_study([*words, "dft=gfn1_xtb"])
        return {finding.code for finding in lint(study, plan_of(study))}

    own = ("system=lpscl", "compositions=table_s9", "scale=paper_argyrodites", "model.seeds=[1, 2]")
    assert "test-same-trajectory" in found(*own)
    assert "test-same-trajectory" not in found(*own, "dataset.active.test_fraction=0")
    assert "test-same-trajectory" not in found("table_s9_s10")  # which says why


@pytest.mark.parametrize(
    ("words", "place", "said"),
    [
        (["dataset.active.rounds_of=training_set"], "most_frames", "rounds_of=composition"),
        (["dataset.active.scan={relative: [0.8, 1.0], points: 3}"], "test_fraction", "scan"),
        (["compositions.test_structure=none"], "test_fraction", "test_structure=none"),
        (["dataset.derived=[{kind: aimd, aimd: {steps: 3}}]"], "test_fraction", "dataset.derived"),
        (["compositions.fractions=[Li6PS5Cl, Li5PS4Cl2]"], "most_frames", "Li5PS4Cl2"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(words, place, said) -> None:
    with pytest.raises(SpecError) as caught:
        load_study([*WORDS, "analysis=none", *words])
    assert f"dataset.active.{place}" in str(caught.value) and said in str(caught.value)
