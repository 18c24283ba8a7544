"""The stage paper on made-up evaluations: each test both ways, and our numbers beside a paper's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ilmlip.report.paper import read_lines
from ilmlip.stages import paper
from ilmlip.stages.base import Given, Inputs
from ilmlip.stages.paper import counts_of

X = ("0.0", "0.5", "1.0")
GAP = {"EMIM": 1, "Li": -1}
OURS: dict[str, Any] = {
    "0.5": {"energy": (60, 1, 300), "force": (8, 8, 7), "gap": (-8.0, 0.0, 9.0)},
    "0.4+0.6": {"energy": (1, 1, 4), "force": (6, 7, 6), "gap": (2.0, 2.1, 1.8)},
}
TESTS: dict[str, dict[str, Any]] = {
    "far": {"test": "worse_at_ends", "one": "0.5", "reference": "0.4+0.6", "at": ["0.0", "1.0"],
            "factor": 50},
    "scatter": {"test": "scattered", "one": "0.5", "reference": "0.4+0.6", "difference": GAP,
                "factor": 5},
    "even": {"test": "even", "one": "0.4+0.6", "at": X, "to": [], "quantity": "energy_mae",
             "factor": 4},
    "trained": {"test": "even", "one": "0.5", "at": X, "to": ["0.5"], "quantity": "force_mae",
                "factor": 1.1},
    "forces": {"test": "forces_worse", "one": "0.5", "reference": "0.4+0.6", "at": ["0.5"],
               "factor": 1.1},
    "gap": {"test": "difference", "difference": GAP, "near": ["0.4+0.6"], "within": 0.5,
            "far": ["0.5"], "apart": 1.5},
}  # fmt: skip


def evaluations(models: dict[str, Any]) -> tuple[list[dict[str, Any]], Inputs]:
    """Entries and inputs of all models, seeds and compositions, and the labels' own difference."""
    entries, given = [], []
    for model, numbers in models.items():
        for seed, gap in enumerate(numbers["gap"]):
            for i, x in enumerate(X):
                entries.append({"model": model, "kind": "nequip", "seed": seed, "composition": x})
                values = {
                    "energy_mae": numbers["energy"][i] * (1 + 0.1 * (seed - 1)),
                    "force_mae": float(numbers["force"][i]),
                    "ion_energies": {"EMIM": gap + 1.0, "Li": 1.0},
                }
                given.append(Given(f"evaluate-{len(given)}", Path(), values))
    labels = Given("ion_energies-1", Path(), {"reference": {"EMIM-Li": 1.9}})
    roles = {"evaluations": tuple(given), "ion_energies": (labels,)}
    return entries, Inputs(roles, {}, {"evaluations": tuple(range(len(given)))})


def found(
    tmp_path: Path, models: dict[str, Any] = OURS, tables: tuple[Any, ...] = (), **changes: Any
) -> dict[str, dict[str, Any]]:
    entries, inputs = evaluations(models)
    tests = [{"name": name, **test} | changes.get(name, {}) for name, test in TESTS.items()]
    params = paper.Params.model_validate(
        {"entries": entries, "source": "a paper", "tables": tables, "tests": tests,
         "why": ["because"] * len(tests)}
    )  # fmt: skip
    output = paper.run(params, inputs, tmp_path)
    stated = {
        one["name"]: one
        for one in json.loads((tmp_path / "paper.json").read_text(encoding="utf-8"))
    }
    assert output.values["holds"] == {name: one["holds"] for name, one in stated.items()}
    return stated


def test_all_hold(tmp_path: Path) -> None:
    result = found(tmp_path)
    assert {name: one["holds"] for name, one in result.items()} == dict.fromkeys(TESTS, True)
    assert result["far"]["value"] == pytest.approx(60)  # the smaller of 60/1 and 300/4
    assert result["even"]["value"] == pytest.approx(4)
    assert result["trained"]["value"] == pytest.approx(1)
    assert result["forces"]["value"] == pytest.approx(8 / 7)
    assert result["gap"]["numbers"]["distance"] == pytest.approx({"0.4+0.6": 0.1, "0.5": 1.9})
    assert "60/1, 300/4 meV/atom, smallest ratio 60 (at least 50)" in result["far"]["statement"]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("far", {"factor": 61}),
        ("scatter", {"factor": 60}),
        ("even", {"factor": 3.9}),
        ("trained", {"to": [], "factor": 1.1}),
        ("forces", {"factor": 1.2}),
        ("gap", {"within": 0.05}),
        ("gap", {"apart": 2.0}),
    ],
)
def test_each_fails_by_itself(tmp_path: Path, name: str, change: dict[str, Any]) -> None:
    result = found(tmp_path, **{name: change})
    assert [n for n, one in result.items() if one["holds"] is False] == [name]
    assert "**does not hold**" in (tmp_path / "paper.md").read_text(encoding="utf-8")


def _fewer(count: int) -> dict[str, Any]:
    return {name: {**one, "gap": one["gap"][:count]} for name, one in OURS.items()}


@pytest.mark.parametrize("seeds", [0, 1, 2])
def test_fewer_than_three_seeds_decide_nothing(tmp_path: Path, seeds: int) -> None:
    result = found(tmp_path, _fewer(seeds))
    assert {one["holds"] for one in result.values()} == {None}


def _without(tmp_path: Path, gone: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    entries, inputs = evaluations(OURS)
    there = [i for i, entry in enumerate(entries) if not gone(entry)]
    given = tuple(inputs.all("evaluations")[i] for i in there)
    tests = [{"name": name, **test} for name, test in TESTS.items()]
    params = paper.Params.model_validate(
        {"entries": entries, "source": "", "tables": [], "tests": tests, "why": ["x"] * len(tests)}
    )
    paper.run(params, Inputs({"evaluations": given}, {}, {"evaluations": tuple(there)}), tmp_path)
    return {
        one["name"]: one
        for one in json.loads((tmp_path / "paper.json").read_text(encoding="utf-8"))
    }


def test_what_failed_is_named(tmp_path: Path) -> None:
    result = _without(tmp_path, lambda e: e["model"] == "0.5" and e["seed"] == 2)
    assert result["far"]["holds"] is None
    assert result["far"]["missing"] == ["0.5 seed 2 at 3 compositions"]
    assert result["even"]["holds"] is True and result["even"]["missing"] == []
    assert "the labels do not determine EMIM-Li" in result["gap"]["statement"]


def test_ours_beside_the_papers(tmp_path: Path) -> None:
    tables = (
        {"table": "Table S2", "quantity": "energy_mae", "unit": "meV/atom",
         "compositions": ["0.0", "1.0"], "models": {"0.5": [86.6, 282.1], "0.9": [1, None]}},
        {"table": "Table S8", "quantity": "difference_EMIM-Li", "unit": "eV", "compositions": [],
         "models": {"0.4+0.6": [-1462.8]}},
    )  # fmt: skip
    found(tmp_path, tables=tables)
    lines = read_lines(tmp_path / "paper.csv")
    assert [(one.ours, one.paper, one.seeds) for one in lines] == [
        (60, 86.6, 3), (300, 282.1, 3), (None, 1, 0), (None, None, 0), (2.0, -1462.8, 3),
    ]  # fmt: skip
    text = (tmp_path / "paper.md").read_text(encoding="utf-8")
    assert "60 (86.6)" in text and "– (1)" in text
    assert "2.00 (-1462.8)" in text


def test_names_of_differences() -> None:
    assert counts_of("EMIM-Li") == {"EMIM": 1, "Li": -1}
    assert counts_of("Li+S-Cl") == {"Li": 1, "S": 1, "Cl": -1}
