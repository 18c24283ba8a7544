"""Volume scans in the plan: what they start from, how many there are, and at which densities."""

from __future__ import annotations

import pytest

from ilmlip.errors import SpecError
from ilmlip.lint.run import lint
from ilmlip.plan.compile import compile_study, plan_of
from ilmlip.plan.graph import Plan
from ilmlip.plan.task import Task
from ilmlip.spec.load import load, load_study

FOMIM = (
    "system=fomim_c4f9co2", "compositions=fomim_c4f9co2", "sampling=npt", "dft=gfn1_xtb",
    "model.seeds=[1]", "model.linear=false",
)  # fmt: skip
LIQUID = 692.24 / 407.2
"""g/cm³ of [F-OMIM][C4F9CO2]: the paper's 1.70 at 300 K."""


def plan(*words: str) -> Plan:
    return compile_study([load([*FOMIM, *words])])


def trained_on(made: Plan) -> Task:
    (found,) = (t for t in made if t.stage == "dataset" and t.about["role"] == "train")
    return found


@pytest.mark.parametrize(
    ("name", "kind", "step"),
    [
        ("opls_vs", "aimd", 50),
        ("aimd10_vs", "aimd", 10),
        ("aimd20_vs", "aimd", 20),
        ("aimd50_vs", "aimd", 50),
        ("rel2_vs", "relax", 2),
    ],
)
def test_they_start_from_what_the_data_set_takes(name: str, kind: str, step: int) -> None:
    """Never from frames of the force field; forty frames in all over the three temperatures."""
    made = plan(f"dataset={name}")
    scans = [made.tasks[key] for key in trained_on(made).needs["volume_scan"]]
    assert sum(task.params.volume_scan.points for task in scans) == 40
    for task in scans:
        assert "trajectory" not in task.needs and task.params.step == step
        (source,) = (made.tasks[key] for key in task.needs["series"])
        assert getattr(source.params, kind) is not None
        assert source.params.frame == task.params.frame
        ends = task.params.volume_scan.densities
        assert ends == pytest.approx((0.52 * LIQUID, LIQUID), abs=5e-4)
    warned = lint(load_study([*FOMIM, f"dataset={name}"]), made)
    assert "scan-strained" not in {finding.code for finding in warned}


@pytest.mark.parametrize("name", ["opls", "aimd50", "rel2"])
def test_with_an_earlier_model_they_are_of_its_own_run(name: str) -> None:
    made = plan(f"dataset={name}_md_vs")
    data = max(
        (t for t in made if t.stage == "dataset" and t.about["role"] == "train"),
        key=lambda task: len(task.needs),
    )
    assert "volume_scan" not in data.needs
    scans = [made.tasks[key] for key in data.needs["chosen"]]
    assert sum(task.params.scan.points for task in scans) == 40
    assert scans[0].params.scan.densities == pytest.approx((0.52 * LIQUID, LIQUID), abs=5e-4)
    # the earlier model is that of the study without scans
    alone = plan(f"dataset={name}")
    (explored,) = (task for task in made if task.stage == "explore")
    assert explored.needs["model"] == tuple(t.key for t in alone if t.stage == "train")


@pytest.mark.parametrize("name", ["table_s13_s14", "table_s15", "figure_2"])
def test_the_papers_studies_scan_an_earlier_models_run(name: str) -> None:
    study = load_study([name])
    made = plan_of(study)
    assert not [t for t in made if t.stage == "series" and t.params.volume_scan is not None]
    assert [t for t in made if t.stage == "label_chosen" and t.params.scan is not None]


def test_a_scan_of_frames_is_warned_of() -> None:
    scan = "{kind: volume_scan, volume_scan: {densities: [1.0, 1.2], points: 2}}"
    words = [
        *FOMIM,
        "dataset.frames=5",
        "dataset.validation_fraction=0.2",
        f"dataset.derived=[{{kind: frames}},{scan}]",
    ]
    study = load_study(words)
    assert "scan-strained" in {finding.code for finding in lint(study, plan_of(study))}
    # by the force field itself nothing is strained
    study = load_study([*words, "dft=opls"])
    assert "scan-strained" not in {finding.code for finding in lint(study, plan_of(study))}


SCAN = "volume_scan: {relative: [0.5, 1.0], points: 2}"


@pytest.mark.parametrize(
    ("derived", "said"),
    [
        ("{kind: volume_scan, volume_scan: {points: 2}}", "give exactly one"),
        (
            "{kind: volume_scan, volume_scan: {points: 2, densities: [1, 2], relative: [0.5, 1]}}",
            "give exactly one",
        ),
        (
            "{kind: volume_scan, volume_scan: {points: 2, relative: [1, 0.5]}}",
            "a lower one above 0",
        ),
        (f"{{kind: volume_scan, {SCAN}, of: aimd}}", "there is no such entry"),
        (f"{{kind: volume_scan, {SCAN}, frames: 2, frames_in_all: 2}}", "give one of them"),
        ("{kind: aimd, aimd: {}, of: frames}", "belongs to volume_scan and rattle"),
        ("{kind: aimd, aimd: {}, take: []},{kind: frames}", "nothing is made of it"),
    ],
)
def test_what_does_not_fit_is_located(derived: str, said: str) -> None:
    with pytest.raises(SpecError, match=said) as raised:
        plan(f"dataset.derived=[{derived}]")
    assert "dataset.derived" in raised.value.where
