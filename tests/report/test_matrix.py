"""The matrix: medians over seeds, the CSV that others read, the table and the figure."""

from __future__ import annotations

import io
import math
import statistics
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from matplotlib.text import Text
from rich.console import Console

from ilmlip.report.heatmap import abscissa, draw, figure_of, three_digits, ticks
from ilmlip.report.matrix import (
    Row,
    is_trained,
    medians,
    over_seeds,
    read_csv,
    shown_name,
    table,
    write_csv,
)  # fmt: skip
from ilmlip.report.terminal import findings_lines, matrix_table

ROWS = [
    Row("0.4", 1, "0.4", "energy_mae", 1.0, 0.1, "meV/atom"),
    Row("0.4", 2, "0.4", "energy_mae", 3.0, 0.1, "meV/atom"),
    Row("0.4", 3, "0.4", "energy_mae", 2.0, None, "meV/atom"),
    Row("0.4", 1, "1.0", "energy_mae", 300.0, 1.0, "meV/atom"),
    Row("linear:0.4", None, "0.4", "energy_mae", 5.0, 0.2, "meV/atom"),
    Row("0.4", 1, "0.4", "ion_energy_Li", -1234.567891, 0.01, "eV"),
]


def test_golden_csv(tmp_path: Path) -> None:
    write_csv(tmp_path / "m.csv", [*ROWS, *medians(ROWS)])
    assert (tmp_path / "m.csv").read_text(encoding="utf-8") == (
        "model,seed,composition,quantity,value,stderr,unit\n"
        "0.4,1,0.4,energy_mae,1,0.1,meV/atom\n"
        "0.4,2,0.4,energy_mae,3,0.1,meV/atom\n"
        "0.4,3,0.4,energy_mae,2,,meV/atom\n"
        "0.4,1,1.0,energy_mae,300,1,meV/atom\n"
        "linear:0.4,,0.4,energy_mae,5,0.2,meV/atom\n"
        "0.4,1,0.4,ion_energy_Li,-1234.56789,0.01,eV\n"
        "0.4,,0.4,energy_mae,2,0.723593,meV/atom\n"
        "0.4,,1.0,energy_mae,300,,meV/atom\n"
        "0.4,,0.4,ion_energy_Li,-1234.56789,,eV\n"
    )


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    write_csv(tmp_path / "m.csv", ROWS[:5])
    assert read_csv(tmp_path / "m.csv") == ROWS[:5]


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=9))
def test_medians_over_any_number_of_seeds(values: list[float]) -> None:
    rows = [Row("m", i, "0.4", "force_mae", v, None, "meV/Å") for i, v in enumerate(values)]
    (found,) = medians(rows)
    assert found.value == statistics.median(values)
    assert found.seed is None and (found.stderr is None) == (len(values) == 1)
    assert min(values) <= found.value <= max(values)


def test_the_table_has_gaps_where_there_is_nothing() -> None:
    models, compositions, values = table([*over_seeds(ROWS), *medians(ROWS)], "energy_mae")
    assert (models, compositions) == (["0.4", "linear:0.4"], ["0.4", "1.0"])
    assert values[0] == [2.0, 300.0]
    assert values[1][0] == 5.0 and math.isnan(values[1][1])


def test_names() -> None:
    assert is_trained("0.4+0.6", "0.6") and is_trained("linear:0.4", "0.4")
    assert not is_trained("0.4+0.6", "0.0")
    assert shown_name("linear:0.4+0.6") == "0.4+0.6 (linear)"
    assert [three_digits(x) for x in (0.123, 1.26, 9.96, 421.4)] == ["0.12", "1.3", "10", "421"]


@given(st.floats(1e-3, 1e5), st.floats(1.5, 1e6))
def test_ticks_are_few_and_on_the_scale(low: float, ratio: float) -> None:
    marks = ticks(low, low * ratio)
    assert 2 <= len(marks) <= 12 and marks == sorted(marks)
    assert low <= marks[0] and marks[-1] <= low * ratio


def test_ticks_are_round() -> None:
    assert ticks(1.0, 280.0) == [1.0, 10.0, 100.0]
    assert ticks(81.0, 122.0) == [90.0, 100.0]


def shown(renderable: object) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_terminal_marks_what_was_trained_on() -> None:
    text = shown(matrix_table([*ROWS, *medians(ROWS)], "energy_mae", "Energy MAE, meV/atom"))
    lines = [line.split() for line in text.splitlines()]
    assert ["0.4", "[2.0]", "300"] in lines
    assert ["0.4", "(linear)", "[5.0]", "–"] in lines


def test_findings_say_whether_they_hold() -> None:
    found = [{"holds": holds, "statement": f"s{i}"} for i, holds in enumerate((True, False, None))]
    text = [str(line) for line in findings_lines(found)]
    assert [line.split("  ")[0].strip() for line in text][:2] == ["holds", "DOES NOT HOLD s1"]
    assert text[2].startswith("NOT DECIDED") and text[2].endswith("s2")


def test_the_figure_takes_gaps_and_nothing(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", [*over_seeds(ROWS), *medians(ROWS)], {"0.4": ["0.4"]})
    draw(tmp_path / "b.png", [], {})
    for name in "ab":
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    draw(tmp_path / "c.png", [*over_seeds(ROWS), *medians(ROWS)], {"0.4": ["0.4"]})
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "c.png").read_bytes()


def test_names_of_mixtures_stand_behind_mole_fractions() -> None:
    rows = [
        Row("0.4", None, x, "energy_mae", 1.0, None, "meV/atom")
        for x in ("half", "1.0", "LiPF6", "0.2")
    ]
    assert table(rows, "energy_mae")[1] == ["0.2", "1.0", "LiPF6", "half"]


SODIUM = [
    Row(model, None, x, quantity, value, None, "")
    for model in ("0.5", "0.0+0.5")
    for x, value in (("0.0", 1.0), ("0.5", 20.0), ("1.0", 300.0))
    for quantity in ("energy_mae", "force_mae", "stress_mae")
]


def test_the_axis_is_called_by_the_salt_of_the_study() -> None:
    """Na[BF4] in [BMIM][BF4]: nothing of the shipped system, and no label on another."""
    figure = figure_of(SODIUM, {"0.5": ["0.5"], "0.0+0.5": ["0.0", "0.5"]}, "NaBF4")
    figure.canvas.draw()
    below = figure.axes[2].xaxis.label
    assert below.get_text() == "Mole fraction of NaBF4 in the test set"
    texts = [text for text in figure.findobj(Text) if text.get_text().strip()]
    assert "trained on" in [text.get_text() for text in texts]
    legend = figure.legends[0].get_window_extent()
    page = figure.bbox
    assert (
        page.x0 <= legend.x0 < legend.x1 <= page.x1 and page.y0 <= legend.y0 < legend.y1 <= page.y1
    )
    others = [t.get_window_extent() for t in texts if t not in figure.legends[0].get_texts()]
    assert not any(legend.overlaps(box) for box in others)


def test_names_of_mixtures_are_not_mole_fractions() -> None:
    assert abscissa(["half", "0.2"], "LiPF6") == "Test set"
    assert abscissa(["0.2"], "") == "Mole fraction in the test set"
