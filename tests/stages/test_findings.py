"""The stages matrix and findings on made-up evaluations: each finding both ways."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ilmlip.stages import findings, matrix
from ilmlip.stages.base import Given, Inputs

X = ("0.0", "0.4", "1.0")
ASKED = {
    "one": "0.4", "two": "0.4+0.6", "far": "1.0", "near": ["0.0", "0.4"], "ions": ["EMIM", "Li"],
    "far_factor": 5.0, "spread_factor": 5.0, "near_factor": 5.0, "force_tolerance": 0.3,
}  # fmt: skip
GOOD = {
    "0.4": {"energy": {"0.0": 50, "0.4": 1, "1.0": 300}, "force": 100, "gap": (-8.0, 0.0, 9.0)},
    "0.4+0.6": {"energy": {"0.0": 4, "0.4": 1.5, "1.0": 20}, "force": 95, "gap": (2.0, 2.1, 1.8)},
}


def evaluations(models: dict[str, Any], drop: str = "") -> tuple[list[dict], Inputs]:
    """Entries and inputs of all models, seeds and compositions; those of model `drop` failed."""
    entries, given, missing, places = [], [], [], []
    for model, numbers in models.items():
        for seed, gap in enumerate(numbers["gap"]):
            for x in X:
                entries.append({"model": model, "kind": "nequip", "seed": seed, "composition": x})
                ions = {"PF6": -2.0}
                if x != "1.0":
                    ions["EMIM"] = gap + 1.0
                if x != "0.0":
                    ions["Li"] = 1.0
                values = {
                    "energy_mae": numbers["energy"][x] * (1 + 0.1 * (seed - 1)),
                    "energy_mae_stderr": 0.1,
                    "force_mae": float(numbers["force"]),
                    "force_mae_Li": 50.0,
                    "ion_energies": ions,
                    "n_frames": 5,
                }
                key = f"evaluate-k1-{len(entries):02d}"
                if model == drop:
                    missing.append(key)
                else:
                    places.append(len(entries) - 1)
                    given.append(Given(key, Path(), values))
    role = "evaluations"
    gone = {role: tuple(missing)} if missing else {}
    return entries, Inputs({role: tuple(given)}, gone, {role: tuple(places)})


def found(tmp_path: Path, models: dict[str, Any], drop: str = "") -> dict[str, dict[str, Any]]:
    entries, inputs = evaluations(models, drop)
    params = findings.Params.model_validate({**ASKED, "entries": entries})
    output = findings.run(params, inputs, tmp_path)
    assert output.files == ("findings.json",)
    return {
        f["name"]: f for f in json.loads((tmp_path / "findings.json").read_text(encoding="utf-8"))
    }


def without(tmp_path: Path, gone: Callable[[dict[str, Any]], bool]) -> dict[str, dict[str, Any]]:
    """The findings when some evaluations failed."""
    entries, inputs = evaluations(GOOD)
    role, there = "evaluations", [i for i, entry in enumerate(entries) if not gone(entry)]
    given = tuple(inputs.all(role)[i] for i in there)
    params = findings.Params.model_validate({**ASKED, "entries": entries})
    findings.run(params, Inputs({role: given}, {}, {role: tuple(there)}), tmp_path)
    return {
        f["name"]: f for f in json.loads((tmp_path / "findings.json").read_text(encoding="utf-8"))
    }


def changed(model: str, **what: Any) -> dict[str, Any]:
    return {**GOOD, model: {**GOOD[model], **what}}


def test_all_hold(tmp_path: Path) -> None:
    result = found(tmp_path, GOOD)
    assert {name: f["holds"] for name, f in result.items()} == {
        "far_away": True, "spread_of_difference": True, "near_by": True, "forces_alike": True,
    }  # fmt: skip
    assert result["far_away"]["value"] == pytest.approx(300 / 20)
    assert result["near_by"]["value"] == pytest.approx(4 / 1.5)
    assert result["forces_alike"]["value"] == pytest.approx(5 / 95)
    spread = [np.std(GOOD[model]["gap"], ddof=1) for model in ("0.4", "0.4+0.6")]
    assert result["spread_of_difference"]["value"] == pytest.approx(spread[0] / spread[1])
    assert "300.0 meV/atom" in result["far_away"]["statement"]


@pytest.mark.parametrize(
    ("name", "models"),
    [
        ("far_away", changed("0.4", energy={"0.0": 50, "0.4": 1, "1.0": 90})),
        ("spread_of_difference", changed("0.4", gap=(2.0, 2.5, 2.2))),
        ("near_by", changed("0.4+0.6", energy={"0.0": 40, "0.4": 1.5, "1.0": 20})),
        ("forces_alike", changed("0.4", force=130)),
    ],
)
def test_each_fails_by_itself(tmp_path: Path, name: str, models: dict[str, Any]) -> None:
    result = found(tmp_path, models)
    assert [n for n, f in result.items() if not f["holds"]] == [name]


def test_medians_not_means_decide(tmp_path: Path) -> None:
    """One wild seed of three moves no median."""
    entries, inputs = evaluations(GOOD)
    wild = list(inputs.roles["evaluations"])
    place = next(
        i for i, e in enumerate(entries)
        if (e["model"], e["seed"], e["composition"]) == ("0.4+0.6", 2, "1.0")
    )  # fmt: skip
    wild[place] = Given("k", Path(), {**wild[place].values, "energy_mae": 5000.0})
    params = findings.Params.model_validate({**ASKED, "entries": entries})
    inputs = Inputs({"evaluations": tuple(wild)}, {}, inputs.places)
    findings.run(params, inputs, tmp_path)
    first = json.loads((tmp_path / "findings.json").read_text(encoding="utf-8"))[0]
    assert first["value"] == pytest.approx(15.0)


def test_what_failed_leaves_it_undecided(tmp_path: Path) -> None:
    result = found(tmp_path, GOOD, drop="0.4+0.6")
    assert {f["holds"] for f in result.values()} == {None}
    assert "energy_mae of 0.4+0.6 at x = 1.0 is known for 0" in result["far_away"]["statement"]


def test_a_failed_seed_is_named(tmp_path: Path) -> None:
    """Two seeds of three decide, and the statement says which is not among them."""
    result = without(tmp_path, lambda e: (e["model"], e["seed"]) == ("0.4", 2))
    assert {f["holds"] for f in result.values()} == {True}
    for finding in result.values():
        assert finding["missing"] == ["0.4 seed 2 at 3 compositions"]
        assert finding["statement"].endswith("without 0.4 seed 2 at 3 compositions, which failed")


def test_every_composition_means_every(tmp_path: Path) -> None:
    """A composition that nobody was tested on is not left out in silence."""
    result = without(tmp_path, lambda e: e["composition"] == "0.0")
    assert result["forces_alike"]["holds"] is None and result["near_by"]["holds"] is None
    assert result["far_away"]["holds"] is True


def test_nothing_at_all(tmp_path: Path) -> None:
    result = without(tmp_path, lambda e: True)
    assert {f["holds"] for f in result.values()} == {None}


def test_a_perfect_model_is_no_crash(tmp_path: Path) -> None:
    perfect = changed("0.4+0.6", energy=dict.fromkeys(X, 0.0), force=0, gap=(2.0, 2.0, 2.0))
    result = found(tmp_path, perfect)
    assert {f["holds"] for f in result.values()} == {None}
    assert "exactly zero" in result["near_by"]["statement"]


def test_one_seed_decides_nothing(tmp_path: Path) -> None:
    models = {name: {**numbers, "gap": numbers["gap"][:1]} for name, numbers in GOOD.items()}
    result = found(tmp_path, models)
    assert {f["holds"] for f in result.values()} == {None}


def test_the_matrix_shows_what_is_there(tmp_path: Path) -> None:
    entries, inputs = evaluations(GOOD, drop="0.4")
    trained = {"0.4": ["0.4"], "0.4+0.6": ["0.4", "0.6"]}
    params = matrix.Params.model_validate({"entries": entries, "trained": trained})
    output = matrix.run(params, inputs, tmp_path)
    assert output.files == ("matrix.csv", "matrix.md", "matrix.png", "errors.png")
    with (tmp_path / "matrix.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert {row["model"] for row in rows} == {"0.4+0.6"}
    assert {row["quantity"] for row in rows} == {
        "energy_mae", "force_mae", "force_mae_Li",
        "ion_energy_EMIM", "ion_energy_Li", "ion_energy_PF6",
    }  # fmt: skip
    energies = {
        row["seed"]: float(row["value"]) for row in rows
        if (row["composition"], row["quantity"]) == ("1.0", "energy_mae")
    }  # fmt: skip
    assert energies == {"0": 18.0, "1": 20.0, "2": 22.0, "": 20.0}


def test_the_linear_model_has_a_name_of_its_own() -> None:
    entry = matrix.Entry(model="0.4", kind="linear", seed=None, composition="1.0")
    assert entry.name == "linear:0.4"
