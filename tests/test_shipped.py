"""Everything that comes with ilmlip composes, validates, is linted and planned."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from together import beside

from ilmlip.lint.finding import Finding
from ilmlip.lint.run import OF_MACHINE, lint
from ilmlip.plan.compile import compile_study
from ilmlip.spec.load import load, load_study
from ilmlip.spec.shipped import groups, options, shipped

EXPERIMENTS = sorted(file.stem for file in shipped("experiments").glob("*.yaml"))
SCALES = ("paper", "laptop", "smoke", "labels")
OWN = {
    "paper_allegro": ("table_s2_s3",),
    "paper_dft": ("table_s6_s7", "table_s8"),
    "paper_argyrodites": ("table_s9_s10", "table_s11"),
    "paper_npt": ("table_s12", "table_s13_s14", "table_s15", "figure_2"),
    "laptop_tables": ("figure_1", "table_s2_s3"),
    "laptop_tables_dft": ("table_s6_s7", "table_s8"),
    "laptop_npt": ("table_s12",),
    "laptop_datasets": ("table_s13_s14", "table_s15", "figure_2"),
    "laptop_active": ("active",),
    "laptop_scans": ("model_scans",),
    "laptop_linear": ("linear_part",),
}
"""Scales with boxes or frames of some experiments' own."""
OFTEN = [(name, None) for name in EXPERIMENTS]
OFTEN += [(name, scale) for scale, names in OWN.items() for name in names]
IN_TURN = [
    pytest.param(*pair, marks=[pytest.mark.slow, pytest.mark.fifth(number)])
    for number, pair in enumerate((name, scale) for scale in SCALES for name in EXPERIMENTS)
]
"""Sizes that the experiment was not made for: of many, CI plans a fifth in each turn."""


def planned(*words: str) -> tuple[int, list[Finding]]:
    """Number of tasks, and the findings but for what this machine lacks."""
    study = load_study(words)
    plan = compile_study(study.specs, [point.swept for point in study.points])
    return len(plan), [f for f in lint(study, plan) if f.code not in OF_MACHINE]


def test_the_groups_and_scales() -> None:
    assert set(groups()) - {"ion"} == {
        "system", "compositions", "sampling", "dft", "dataset", "model", "ensemble", "analysis",
        "cluster", "tracking", "scale",
    }  # fmt: skip
    assert sorted(options("scale")) == sorted((*SCALES, *OWN))


@pytest.mark.parametrize(("name", "scale"), [*OFTEN, *IN_TURN])
def test_every_experiment_at_every_scale(name: str, scale: str | None) -> None:
    tasks, findings = planned(name, *([f"scale={scale}"] if scale else []))
    assert tasks > 10
    assert not [finding for finding in findings if finding.severity == "error"]


@pytest.mark.parametrize(
    ("group", "option"), [(g, o) for g in groups() if g != "ion" for o in options(g)]
)
def test_every_option_of_every_group(group: str, option: str) -> None:
    words = [f"{group}={option}", *beside(f"{group}={option}")]
    if option == "one_against_two":
        words.append("compositions=fifths")
    if option == "table_s13_s14":  # it looks at which datasets are swept
        words.insert(0, option)
    if group == "sampling" and option == "npt":
        words.append("dataset=opls")
    tasks, findings = planned(*words)
    assert tasks > 10
    assert not [finding for finding in findings if finding.severity == "error"]


def test_the_paper_scale_is_the_groups_own() -> None:
    """scale=paper says in one place what the options named after the paper say each of its own."""
    assert load(["scale=paper"]) == load([])
    small = load(["quickstart", "scale=paper"])
    assert small.sampling == load([]).sampling and small.dataset == load([]).dataset


STUDIES = yaml.safe_load(
    (Path(__file__).parents[1] / "benchmarks/studies.yaml").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", STUDIES)
def test_the_studies_of_the_results(name: str) -> None:
    """At laptop scale, as docs/results.md has them: nothing for lint to say, and nothing stated of
    fewer than three seeds."""
    words = [STUDIES[name].get("experiment", name), *STUDIES[name].get("words", ())]
    for spec in load_study(words).specs:
        scan = spec.analysis.scan
        assert len(spec.model.seeds) >= 3 or (scan is not None and not scan.trends)
    assert not planned(*words)[1]


def test_an_experiment_states_its_scale_once() -> None:
    """Sizes and durations stand in conf/scale, not in the experiments."""
    for name in EXPERIMENTS:
        content = yaml.safe_load(
            (shipped("experiments") / f"{name}.yaml").read_text(encoding="utf-8")
        )
        assert not {"sampling", "dataset"} & set(content), name
        assert any(isinstance(d, dict) and "scale" in d for d in content["defaults"]), name
