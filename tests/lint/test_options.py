"""Findings on options whose values the file states differently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from command import ilmlip

from ilmlip.lint.finding import Finding
from ilmlip.lint.run import lint
from ilmlip.plan.compile import compile_study
from ilmlip.spec.load import load_study
from ilmlip.spec.study import study_data

DEFAULTS = ["config", {"scale": "laptop"}, {"compositions": "fifths"}, {"model": "allegro_laptop"}]


def write(path: Path, **content: Any) -> str:
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return str(path)


def findings(*words: str) -> dict[str, Finding]:
    study = load_study(words, multirun=True)
    plan = compile_study(study.specs, [point.swept for point in study.points])
    return {finding.code: finding for finding in lint(study, plan)}


def test_lint_lists_what_differs_from_the_scale_option(tmp_path: Path) -> None:
    stated = {
        "dataset": {"frames": 20, "every": 2},
        "sampling": {"settle": 4e3},
        "model": {"r_max": 4},
    }
    file = write(tmp_path / "s.yaml", defaults=DEFAULTS, name="x", **stated)
    found = findings(file)["scale-differs"]
    assert (found.severity, found.where) == ("info", "scale=laptop")
    assert "sampling.settle 4000.0 (5000.0), dataset.frames 20 (50)" in found.message
    assert "every" not in found.message and "r_max" not in found.message
    assert "scale-differs" not in findings(file, "dataset.frames=50", "scale=labels", "~scale")
    assert "scale-differs" not in findings("quickstart")
    silent = write(
        tmp_path / "s.yaml", defaults=DEFAULTS, lint={"silence": {"scale-differs": "so"}}, **stated
    )
    assert "scale-differs" not in findings(silent)


def test_an_info_never_stops_and_only_lint_shows_it(tmp_path: Path) -> None:
    content = {"compositions": {"training": [[0.4, 0.6]]}, "dataset": {"frames": 20}}
    file = write(tmp_path / "s.yaml", defaults=DEFAULTS, name="x", **content)
    shown = ilmlip("lint", file, "--strict", cwd=tmp_path)
    assert shown.code == 0 and "info: scale=laptop: " in shown.out
    assert "[scale-differs]" in shown.out
    planned = ilmlip("plan", file, "--strict", cwd=tmp_path)
    assert planned.code == 0 and "scale-differs" not in planned.err + planned.out


def test_lint_warns_of_a_typed_option_without_effect(tmp_path: Path) -> None:
    study = load_study(["quickstart"])
    file = write(tmp_path / "whole.yaml", **study_data(study))
    found = findings(file, "model=allegro_laptop")["option-no-effect"]
    assert found.severity == "warning" and found.where == "model=allegro_laptop"
    assert "architecture" in found.message and "max_steps" not in found.message
    assert "option-no-effect" not in findings(file, "model=nequip_laptop")  # it is what is stated
    assert "option-no-effect" not in findings("quickstart", "model=allegro_laptop", "scale=smoke")
