"""The page of observables: one reason per cause, no axes without data, no number without meaning."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from ilmlip.plan import dynamics
from ilmlip.report.compressibility import Ladder
from ilmlip.report.compressibility import draw as draw_compressibility
from ilmlip.report.densities import draw_densities
from ilmlip.report.observables import draw, page, write_csv
from ilmlip.report.observed import Observed
from ilmlip.report.page import caption
from ilmlip.report.runs import Course
from ilmlip.report.runs import page as runs_page

SHORT = "run too short: 2 frames count, 8 are needed"


def observed(number: int, values: dict[str, Any], **curves: Any) -> Observed:
    about = {
        "model": "0.4", "seed": number, "composition": "0.4", "kind": "npt", "temperature": 300.0,
    }  # fmt: skip
    return Observed(f"run {number}", about, values, curves)


def short(number: int) -> Observed:
    names = ("structure", "transport", "lifetimes", "scattering")
    return observed(number, {"bonds_hold": True, "reasons": dict.fromkeys(names, SHORT)})


def test_one_reason_per_cause(tmp_path: Path) -> None:
    """Six short runs, four quantities each: one line, and no figure."""
    found = [short(i) for i in range(6)]
    text = page(found, (), 0)
    bullets = [line for line in text.splitlines() if line.startswith("- ")]
    assert bullets == [f"- structure, transport, lifetimes, scattering: {SHORT} (all 6 runs)"]
    assert "![" not in text
    assert not draw(tmp_path / "a.png", found) and not draw_densities(
        tmp_path / "b.png", found, {}, ""
    )
    nothing = np.array([])
    ladder = Ladder("a", {}, nothing, nothing, None, None, None, ())
    assert not draw_compressibility(tmp_path / "c.png", [ladder])
    assert not list(tmp_path.iterdir())


def test_only_runs_with_curves_are_drawn(tmp_path: Path) -> None:
    r = np.linspace(1, 5, 20)
    found = [short(0), observed(1, {}, g_Li_PF6_r=r, g_Li_PF6=np.ones(20)), short(2)]
    text = page(found, (), 0)
    assert "observables.png" in text and f"{SHORT} (run 0; run 2)" in text
    assert draw(tmp_path / "a.png", found)


def test_a_regime_stands_where_a_number_would_mean_nothing(tmp_path: Path) -> None:
    why = "superdiffusive: the displacement grows as t^1.93 ± 0.05 from 1 to 5 ps, not as t"
    values = {
        "regime_Li": "superdiffusive", "regime_PF6": "diffusive",
        "regime_conductivity": "superdiffusive",
        "diffusion_PF6": 2e-11, "diffusion_PF6_stderr": 1e-12,
        "reasons": {"diffusion_Li": why, "conductivity": why},
    }  # fmt: skip
    found = [observed(0, values)]
    text = page(found, (), 0)
    assert "| run 0 | Li | – | superdiffusive | – |" in text
    assert "| run 0 | PF6 | 0.02 ± 0.001 | diffusive | – |" in text
    assert "| superdiffusive |" in text.partition("## How the ions move")[0]  # of the conductivity
    write_csv(tmp_path / "o.csv", found)
    with (tmp_path / "o.csv").open(encoding="utf-8") as lines:
        rows = {row["quantity"]: row for row in csv.DictReader(lines)}
    assert rows["conductivity"]["value"] == "" and rows["conductivity"]["reason"] == why
    assert rows["diffusion_PF6"]["value"] == "2e-11" and rows["diffusion_PF6"]["reason"] == ""


def test_captions_say_what_is_shown() -> None:
    for files in (dynamics.FILES, dynamics.OBSERVED, dynamics.COMPRESSED, dynamics.VALIDATED):
        for name in (name for name, file in files.items() if file.endswith(".png")):
            assert "figure" not in caption(name).lower()
    for name in ("committee_figure", "active_figure", "imported_figure", "dataset_figure_2"):
        assert "figure" not in caption(name).lower()


def test_a_run_without_means_has_none() -> None:
    values = {
        "stable": False,
        "reason": "temperature 4000 K is above 3000 K",
        "steps": 10,
        "n_atoms": 8,
    }
    course = Course("a", {"kind": "nvt"}, values, {"time_fs": np.array([0.0, 5.0])})
    assert "temperature 4000 K is above 3000 K | – | – | – | – |" in runs_page([course], 0)
