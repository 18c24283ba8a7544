"""Names of folders: plain where they can be, distinct always."""

from __future__ import annotations

import re

from ilmlip.export.layout import distinct, lay_out
from ilmlip.plan.compile import compile_study
from ilmlip.spec.load import load

QUICK = ("quickstart", "scale=smoke")


def test_what_several_want_gets_digits_of_its_key() -> None:
    wanted = {"s-k1-aaaaaa111111": "a", "s-k1-bbbbbb222222": "a", "s-k1-cccccc333333": "b"}
    assert list(distinct(wanted).values()) == ["a-111111", "a-222222", "b"]


def test_more_digits_where_six_are_not_enough() -> None:
    wanted = {"s-k1-aaaa0000111111": "a", "s-k1-bbbb2222111111": "a"}
    assert list(distinct(wanted).values()) == ["a-00111111", "a-22111111"]


def test_one_point_has_plain_names() -> None:
    layout = lay_out(compile_study([load(QUICK)]))
    names = set(layout.folders.values())
    assert {
        "1-equilibrate/0.4-0", "2-sample/0.4-0", "2-sample/0.4-1", "4-dataset/train-0.4+0.6",
        "4-dataset/test-1.0", "5-train/0.4+0.6-seed2", "5-train/0.4-linear",
    } <= names  # fmt: skip
    assert not any(part.startswith("5-train") and "-k1" in part for part in names)
    assert set(layout.models.values()) == {"0.4", "0.4+0.6", "linear:0.4", "linear:0.4+0.6"}
    assert len(layout.series) == 8


def test_every_label_has_its_place_in_order_of_frames() -> None:
    plan = compile_study([load(QUICK)])
    layout = lay_out(plan)
    for folder, series in layout.series.items():
        assert series.frames == sorted(series.frames) == [1, 3, 5, 7, 9]
        assert series.engine == "opls"
        assert [layout.labels[task.key] for task in series.tasks] == [(folder, i) for i in range(5)]
    assert set(layout.labels) == {task.key for task in plan if task.stage == "label"}


def test_points_that_differ_in_the_model_share_all_but_models() -> None:
    specs = [load([*QUICK, f"model.r_max={r}"]) for r in (4.0, 5.0)]
    plan = compile_study(specs)
    layout = lay_out(plan)
    trained = [f for key, f in layout.folders.items() if plan.tasks[key].stage == "train"]
    assert len(trained) == len(set(trained)) == 8
    assert all(re.fullmatch(r"5-train/0\.4(\+0\.6)?-[0-9a-f]{6}-seed[12]", f) for f in trained)
    rest = {f for key, f in layout.folders.items() if plan.tasks[key].stage != "train"}
    assert "2-sample/0.4-0" in rest and "5-train/0.4-linear" in rest
    names = {layout.models[t.key] for t in plan if t.stage == "train"}
    assert len(names) == 4  # seeds of one model share its name
    assert all(name.startswith(("0.4-", "0.4+0.6-")) for name in names)
