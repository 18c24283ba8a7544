"""The stage scan on made-up evaluations: trends both ways, and a paper's numbers beside ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ilmlip.errors import SpecError
from ilmlip.plan.paper import field_values
from ilmlip.report.paper import Line, read_lines, tables
from ilmlip.spec.load import load
from ilmlip.spec.paper import Scan
from ilmlip.stages import scan
from ilmlip.stages.base import Given, Inputs

FORCES = {(4.0, 1.0): 60.0, (5.0, 1.0): 50.0, (6.0, 1.0): 40.0, (6.0, 10.0): 44.0}
TREND: dict[str, Any] = {
    "name": "cutoff", "why": "because", "along": "model.r_max", "among": {"model.loss.energy": 1},
    "quantity": "force_mae", "goes": "falls", "factor": 1.4,
}  # fmt: skip
WEIGHT = {"along": "model.loss.energy", "among": {"model.r_max": 6}, "goes": "rises", "factor": 1}


def found(
    tmp_path: Path, forces: dict[Any, float] = FORCES, seeds: int = 3, **changes: Any
) -> dict[str, Any]:
    entries, places, given = [], [], []
    for place, force in enumerate(forces.values()):
        for seed in range(seeds):
            entries.append({"model": "0.4", "kind": "nequip", "seed": seed, "composition": "0.4"})
            places.append(place)
            values = {"force_mae": force * (1 + 0.1 * (seed - 1))}
            given.append(Given(f"evaluate-{len(given)}", Path(), values))
    params = scan.Params.model_validate(
        {"entries": entries, "places": places, "values": list(forces), "source": "a paper",
         "table": "Table S12", "fields": ["model.r_max", "model.loss.energy"],
         "quantities": {"force_mae": "meV/Å"}, "points": [[[4, 1], [63.0]], [[9, 1], [1.0]]],
         "trends": [TREND | changes]}
    )  # fmt: skip
    inputs = Inputs({"evaluations": tuple(given)}, {}, {"evaluations": tuple(range(len(given)))})
    scan.run(params, inputs, tmp_path)
    (stated,) = json.loads((tmp_path / "paper.json").read_text(encoding="utf-8"))
    return dict(stated)


def test_it_falls(tmp_path: Path) -> None:
    stated = found(tmp_path)
    assert stated["holds"] is True and stated["value"] == pytest.approx(1.5)
    lines = read_lines(tmp_path / "paper.csv")
    assert [(one.ours, one.paper) for one in lines] == [(60, 63), (None, 1)]


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({"factor": 1.6}, False),
        ({"goes": "rises", "factor": 1}, False),
        (WEIGHT, True),
        (WEIGHT | {"goes": "falls"}, False),
        ({"among": {"model.loss.energy": 7}}, None),
    ],
)
def test_what_holds(tmp_path: Path, changes: dict[str, Any], holds: bool | None) -> None:
    assert found(tmp_path, **changes)["holds"] is holds


def test_options_in_a_stated_order(tmp_path: Path) -> None:
    forces = {("opls", 1.0): 60.0, ("opls_vs", 1.0): 40.0, ("rel2", 1.0): 50.0}
    changes = {"along": "model.r_max", "order": ["opls", "rel2", "opls_vs"], "among": {}}
    assert found(tmp_path, forces, **changes)["holds"] is True
    changes["order"] = ["opls", "opls_vs", "rel2"]
    assert found(tmp_path, forces, **changes)["holds"] is False
    changes["order"] = ["opls", "aimd50"]  # of two one is there
    stated = found(tmp_path, forces, **changes)
    assert stated["holds"] is None and "has 1 values" in stated["statement"]


def test_what_the_runs_of_each_point_say(tmp_path: Path) -> None:
    """Means over a seed's runs, medians over seeds; of what broke at once nothing but that."""
    runs = [(0, 1, 1.0, True), (0, 1, 1.2, False), (0, 2, 1.5, True), (0, 3, 1.9, True)]
    values = [{"density": rho, "bonds_hold": held} for _, _, rho, held in runs]
    values.append({"bonds_hold": False})
    params = scan.Params.model_validate(
        {"entries": [], "places": [], "values": [["opls"], ["rel2"]], "source": "a paper",
         "table": "Table S13", "fields": ["dataset"], "trends": [],
         "quantities": {"density": "g/cm³", "bonds_hold": "share of runs"},
         "points": [[["opls"], [1.6, 1]], [["rel2"], [None, 0]]],
         "runs": [*((point, seed) for point, seed, _, _ in runs), (1, 1)]}
    )  # fmt: skip
    given = tuple(Given(f"observe-{i}", Path(), one) for i, one in enumerate(values))
    scan.run(params, Inputs({"observed": given, "evaluations": ()}), tmp_path)
    lines = read_lines(tmp_path / "paper.csv")
    assert [(one.ours, one.seeds) for one in lines] == [(1.5, 3), (1.0, 3), (None, 0), (0.0, 1)]
    # at two temperatures there is no density of the point; bonds hold or do not
    mixed = params.model_copy(update={"conditions": ("0.4 300", "0.4 350", *3 * ("0.4 300",))})
    scan.run(mixed, Inputs({"observed": given, "evaluations": ()}), tmp_path)
    lines = read_lines(tmp_path / "paper.csv")
    assert [(one.ours, one.seeds) for one in lines] == [(None, 0), (1.0, 3), (None, 0), (0.0, 1)]


def test_each_step_counts(tmp_path: Path) -> None:
    """A ratio from end to end is not enough."""
    bumpy = {**FORCES, (5.0, 1.0): 70.0}
    assert found(tmp_path, bumpy)["holds"] is False


def test_two_seeds_decide_nothing(tmp_path: Path) -> None:
    assert found(tmp_path, seeds=2)["holds"] is None


def test_fields_must_be_there() -> None:
    spec = load(["quickstart"])
    assert field_values(spec, ["model.r_max", "model.loss.energy"], {}) == [4.0, 1.0]
    option = field_values(spec, ["dataset", "model.r_max"], {"dataset": "opls"})
    assert option == ["opls", 4.0]
    with pytest.raises(SpecError, match="dataset is no number of this spec and no option that it"):
        field_values(spec, ["dataset"], {})
    with pytest.raises(SpecError, match=r"model\.rmax is no number"):
        field_values(spec, ["model.rmax"], {})
    with pytest.raises(SpecError, match="none of the scan's fields"):
        Scan.model_validate(
            {"source": "", "table": "", "fields": ["model.l_max"], "quantities": {},
             "trends": [TREND]}
        )  # fmt: skip


@pytest.mark.parametrize("option", ["table_s12", "table_s13_s14"])
def test_the_paper_s_stress_errors_carry_a_remark(option: str) -> None:
    """√N δF d / V with d of 0.5 to 2 Å holds the paper's number, and a tenth of it does not."""
    chosen = load([f"analysis={option}"]).analysis.scan
    assert chosen is not None and "1e-5 eV/Å³ is inferred" in chosen.remarks["stress_mae"]
    at = list(chosen.quantities).index("stress_mae")
    place = (7, 2, 1, 1) if option == "table_s12" else ("opls", 1)
    row = {tuple(values): numbers for values, numbers in chosen.points}[place]
    assert row[at] == pytest.approx(0.1065)
    numbers = {"C": 17, "O": 2, "N": 2, "F": 22, "H": 10}  # of an ion pair
    squares = sum(n * row[i] ** 2 for i, n in enumerate(numbers.values())) / 53 * np.pi / 2
    volume = 6922.4 / 0.602214 / 1.6
    assert 0.5 < row[at] * volume / np.sqrt(530 * squares) < 2
    line = Line("T", "stress_mae", "m", "", 1.0, 3, row[at], "meV/Å³", "inferred")
    assert "stress_mae: inferred" in "".join(tables([line]))
