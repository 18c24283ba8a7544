"""The tables and figures beside the matrix: what stands in them, and that they are drawn."""

from __future__ import annotations

from pathlib import Path

from ilmlip.report import error_lines, ion_energies, learning_curve, matrix_page
from ilmlip.report.matrix import Row, errors_of, medians, write_csv

ROWS = [
    *(Row("0.4", s, "0.4", "energy_mae", 1.0 + s, 0.1, "meV/atom") for s in (1, 2, 3)),
    *(Row("0.4", s, "1.0", "energy_mae", 100.0 * s, 5.0, "meV/atom") for s in (1, 2, 3)),
    Row("0.5", 1, "0.4", "energy_mae", 7.0, 0.3, "meV/atom"),
    Row("0.4", 1, "0.4", "force_mae_Li", 20.0, 1.0, "meV/Å"),
    Row("0.4", 1, "0.4", "force_rmse", 30.0, None, "meV/Å"),
    Row("0.4", 1, "0.4", "stress_mae", 2.0, 0.5, "meV/Å³"),
    Row("0.4", 1, "0.4", "ion_energy_Li", -5.0, 0.1, "eV"),
    Row("linear:0.4", None, "0.4", "energy_mae", 5.0, 0.2, "meV/atom"),
]
ALL = [*ROWS, *medians(ROWS)]


def test_standard_errors_are_over_seeds_or_else_over_frames() -> None:
    found = errors_of(ALL, "energy_mae")
    assert found["0.4", "0.4"] == 1.2533 / 3**0.5
    assert found["0.5", "0.4"] == 0.3
    assert found["linear:0.4", "0.4"] == 0.2


def test_page_has_every_error_in_order_and_marks_what_was_trained_on() -> None:
    text = matrix_page.page(ALL)
    heads = [line for line in text.splitlines() if line.startswith("## ")]
    assert heads == [
        "## Energy MAE, meV/atom",
        "## Force RMSE, meV/Å",
        "## Force MAE of Li, meV/Å",
        "## Stress MAE, meV/Å³",
    ]
    assert "| 0.4 | **3.0 ± 0.72** | 200 ± 72 |" in text
    assert "| 0.5 | 7.0 ± 0.30 | – |" in text
    assert "| 0.4 (linear) | **5.0 ± 0.20** | – |" in text
    assert "| 0.4 | **30** |" in text


def test_figures_are_drawn(tmp_path: Path) -> None:
    error_lines.draw(tmp_path / "errors.png", ALL)
    error_lines.draw(tmp_path / "empty.png", [])
    assert (tmp_path / "errors.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "errors.png").stat().st_size > 2 * (tmp_path / "empty.png").stat().st_size


def test_ion_energies_beside_the_labels(tmp_path: Path) -> None:
    fit = ion_energies.Fit(("0.0", "1.0"), (0.5, -0.5), 0.5, {"EMIM-Li": 2.0, "A-B": None})
    found = [
        ion_energies.Of("0.4", 1, {"EMIM": 1.0, "Li": -2.0}, {"EMIM-Li": 3.0}),
        ion_energies.Of("0.4", 2, {"EMIM": 2.0, "Li": -3.0}, {"EMIM-Li": 5.0}),
        ion_energies.Of("linear:0.4", None, {"Li": 1.0}, {}),
    ]
    text = ion_energies.page(found, fit)
    assert "| 0.4 | 1.50 ± 0.71 | -2.50 ± 0.71 | 4.00 ± 1.41 | +2.00 | – | – |" in text
    assert "| 0.4 (linear) | – | 1.00 | – | – | – | – |" in text
    assert "| **labels** | – | – | 2.00 | 0 | undetermined | 0 |" in text
    ion_energies.write_csv(tmp_path / "i.csv", found, fit)
    lines = (tmp_path / "i.csv").read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["model,seed,quantity,value,unit", "0.4,1,ion_energy_EMIM,1.000000,eV"]
    assert "reference,,difference_EMIM-Li,2.000000,eV" in lines
    assert lines[-1] == "reference,,fit_mae,0.500000,eV"
    ion_energies.draw(tmp_path / "i.png", found, fit)
    assert (tmp_path / "i.png").stat().st_size > 10_000


def test_learning_curve_has_a_line_for_each_model_and_setting(tmp_path: Path) -> None:
    matrices: list[Path | None] = []
    swept = []
    for r_max in (4, 5):
        for frames in (10, 20, 40):
            rows = [Row("0.4", 1, x, "energy_mae", 100 / frames, None, "meV/atom") for x in "01"]
            matrices.append(tmp_path / f"{r_max}-{frames}.csv")
            write_csv(matrices[-1], [*rows, *medians(rows)])
            swept.append({"dataset.frames": frames, "model.r_max": r_max})
    matrices[0] = None  # this point failed
    found = learning_curve.curves(swept, matrices, "energy_mae")
    assert found == {
        "0.4 model.r_max=4": [(20, 5.0), (40, 2.5)],
        "0.4 model.r_max=5": [(10, 10.0), (20, 5.0), (40, 2.5)],
    }
    learning_curve.draw(tmp_path / "learning_curve.png", swept, matrices)
    assert (tmp_path / "learning_curve.png").stat().st_size > 10_000
