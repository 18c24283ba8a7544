"""A report never fails a study: what cannot be drawn or read is said in its place."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest
from browser import browser
from selenium.webdriver.common.by import By

from ilmlip import report
from ilmlip.report.always import always_drawn
from ilmlip.report.page import Markdown, Section, Table, render
from ilmlip.share.report import _section

WIDE = [f"column {i} of a table" for i in range(14)]


def test_a_figure_that_cannot_be_drawn_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    @always_drawn
    def draw(path: Path, values: list[float]) -> bool:
        raise ValueError(f"Too many bins for data range; $x_{{ {len(values)} values")

    assert draw(tmp_path / "a.png", [1.0, 1.0])
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert "Traceback" in capsys.readouterr().err


def test_every_figure_of_a_stage_is_drawn_so() -> None:
    found = []
    for module in pkgutil.iter_modules(report.__path__, "ilmlip.report."):
        for name, function in vars(importlib.import_module(module.name)).items():
            own = inspect.isfunction(function) and function.__module__ == module.name
            if own and name.startswith("draw") and "path" in inspect.signature(function).parameters:
                found.append(name)
                assert hasattr(function, "__wrapped__"), f"{module.name}.{name}"
    assert len(found) >= 12


def test_a_section_that_cannot_be_made_says_why() -> None:
    (part,) = _section("errors", "Errors", lambda: [{}["matrix"]]).parts  # type: ignore[list-item]
    assert getattr(part, "text", "") == "This section could not be made: KeyError: 'matrix'."


@pytest.mark.engine
def test_each_wide_table_scrolls_by_itself(tmp_path: Path) -> None:
    """A table of a stage's page was cut off: its scroll bar lay below the text after it."""
    rows = [[str(10 * i + j) for i in range(len(WIDE))] for j in range(3)]
    lines = ["| " + " | ".join(row) + " |" for row in (WIDE, ["---"] * len(WIDE), *rows)]
    text = "\n".join(["# A page", "", *lines, "", *["Words after it.\n"] * 60])
    page = render(
        "wide", "", [Section("errors", "Errors", [Table(WIDE, rows), Markdown(text)])], "now"
    )
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    with browser(width=600) as driver:
        driver.get((tmp_path / "page.html").as_uri())
        wide = driver.execute_script("return document.documentElement.scrollWidth")
        assert wide <= driver.execute_script("return window.innerWidth")
        tables = driver.find_elements(By.TAG_NAME, "table")
        assert len(tables) == 2
        for table in tables:
            inside, shown, height, own = driver.execute_script(
                "const box = arguments[0].parentElement;"
                "return [box.scrollWidth, box.clientWidth, box.offsetHeight,"
                " arguments[0].offsetHeight]",
                table,
            )
            assert inside > shown, "it scrolls"
            assert height < own + 60, "its bar lies below the table itself"
