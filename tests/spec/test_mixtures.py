"""Compositions of any number of salts, by fraction and by name."""

from __future__ import annotations

import pytest

from ilmlip.errors import SpecError
from ilmlip.plan.compile import compile_study
from ilmlip.spec.load import load
from ilmlip.spec.mixtures import (
    box_density,
    composition_label,
    formula_units,
    ion_counts,
    set_label,
)

NAMED = [
    "compositions.mixtures={half: {EMIMPF6: 0.5, LiPF6: 0.5}}",
    "compositions.pairs=10",
    "compositions.fractions=[0.2,half,LiPF6]",
    "compositions.training=[[half,0.4],[EMIMPF6]]",
]


def test_a_name_is_the_mixture_that_it_says() -> None:
    spec = load(NAMED)
    mix = spec.compositions
    assert formula_units(mix, "half") == {"EMIMPF6": 5, "LiPF6": 5}
    assert ion_counts(spec.system, mix, "half") == ion_counts(spec.system, mix, 0.5)
    assert ion_counts(spec.system, mix, "LiPF6") == {"Li": 10, "PF6": 10}
    assert box_density(spec.system, mix, "half") == pytest.approx(
        box_density(spec.system, mix, 0.5), rel=1e-14
    )
    assert [composition_label(x) for x in mix.everything()] == [
        "0.2", "0.4", "EMIMPF6", "LiPF6", "half",
    ]  # fmt: skip
    assert set_label(("half", 0.4)) == "0.4+half"


def test_names_go_through_the_whole_plan() -> None:
    plan = compile_study([load(NAMED)])
    asked = {task.about["training"] for task in plan if task.stage == "train"}
    assert asked == {"0.4+half", "EMIMPF6"}
    tests = {task.about["composition"] for task in plan if task.stage == "evaluate"}
    assert tests == {"0.2", "half", "LiPF6"}


@pytest.mark.parametrize(
    ("words", "where", "message"),
    [
        (["compositions.fractions=[third]"], "compositions.fractions.0", "unknown composition"),
        (
            ["compositions.mixtures={a: {EMIMPF6: 0.5, LiPF6: 0.4}}"],
            "compositions.mixtures.a",
            "sum to 0.9; make it 1",
        ),
        (
            ["compositions.mixtures={a: {NaCl: 1.0}}"],
            "compositions.mixtures.a",
            "unknown salt 'NaCl'; there are EMIMPF6, LiPF6",
        ),
        (
            ["compositions.mixtures={LiPF6: {EMIMPF6: 1.0}}"],
            "compositions.mixtures.LiPF6",
            "is the name of a salt",
        ),
        (
            ["compositions.salts=[LiPF6]", "compositions.fractions=[0.5]"],
            "compositions.fractions.0",
            "of the second of two salts, and there are 1",
        ),
        (
            ["compositions.mixtures={a: {EMIMPF6: 0.55, LiPF6: 0.45}}",
             "compositions.fractions=[a]"],
            "compositions.fractions.0",
            r"0\.55 of EMIMPF6 in a of 10 ion pairs is 5\.5 pairs",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be(words: list[str], where: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as raised:
        load([*words, "compositions.pairs=10"])
    found = raised.value.where.removeprefix("command line: ").split("=")[0]
    assert where.startswith(found)
