"""Crystals in the plan and in lint: cells instead of trajectories, elements instead of ions."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from ilmlip.errors import SpecError
from ilmlip.lint.run import lint
from ilmlip.plan.compile import plan_of
from ilmlip.spec.load import load, load_study

WORDS = (
    "scale=labels",
    "system=lpscl",
    "compositions=table_s9",
    "dft=gfn1_xtb",
    "dataset.frames=3",
)
PUBLISHED = Path(__file__).parents[3] / "shared" / "paper" / "tables" / "s9_s10_lpscl.csv"


def test_each_frame_is_a_cell_of_its_own() -> None:
    plan = plan_of(load_study([*WORDS, "model.seeds=[1]"]))
    stages = Counter(task.stage for task in plan)
    # three to train and three to test on, of three compositions
    assert stages["crystal"] == stages["label"] == 18
    assert stages["dataset"] == 7 + 3
    assert not {"build", "equilibrate", "sample", "forcefield"} & set(stages)
    seeds = [task.params.seed for task in plan if task.stage == "crystal"]
    assert len(set(seeds)) == 18


def test_series_start_from_cells() -> None:
    plan = plan_of(load_study([*WORDS, "dataset=every_kind", "dataset.frames=3"]))
    series = [task for task in plan if task.stage == "series"]
    first = [task for task in series if "trajectory" in task.needs]
    assert first  # the others start from what these make
    assert all(task.needs["trajectory"][0].startswith("crystal-") for task in first)
    assert all(task.params.frame == 0 for task in first)
    made = {task.key for task in first}
    assert all(set(task.needs["series"]) <= made for task in series if task not in first)


def test_lint_knows_which_sets_determine_the_energies() -> None:
    """The rank of the element counts agrees with the errors of Table S9."""
    study = load_study([*WORDS, "model.seeds=[1]"])
    warned = {
        finding.where.rsplit(".", 1)[1]: finding.message
        for finding in lint(study, plan_of(study))
        if finding.code == "energy-span"
    }
    assert set(warned) == {"4", "5", "6"}  # those of one composition
    assert "the energy of exchanging Li + S for Cl is undetermined" in warned["4"]
    assert "the energy of exchanging Cl for Li + S is undetermined" in warned["6"]


def test_the_published_errors_say_the_same() -> None:
    if not PUBLISHED.is_file():
        pytest.skip(f"{PUBLISHED} is not there")
    with PUBLISHED.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    worst = {
        row["model"]: max(float(row[name]) for name in ("E_0.5", "E_1.0", "E_1.5")) for row in rows
    }
    single = [error for name, error in worst.items() if "+" not in name]
    several = [error for name, error in worst.items() if "+" in name]
    assert min(single) > 5 * max(several)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("dft=opls",), "has no force field; set dft=vasp_pbe"),
        (("compositions.salts=[LiPF6]",), "whose compositions are formulas"),
        (("dataset.test=same_trajectory",), "dataset.test=same_trajectory"),
        (("compositions.fractions=[Li6PS5]",), "Li6PS5 carries +1 e a formula unit"),
        (("system.crystal.units=5",), "give a multiple of 5"),
    ],
)
def test_what_a_crystal_cannot_have(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(SpecError) as error:
        load([*WORDS, *words])
    assert said in str(error.value)


def test_a_system_of_salts_needs_them() -> None:
    with pytest.raises(SpecError, match=r"compositions\.salts"):
        load(["compositions.salts=[]"])
