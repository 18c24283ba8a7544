"""The page of a study, opened in a real browser: of one that ran, one that failed in part, none yet."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from browser import browser, picture
from selenium.webdriver.common.by import By

from ilmlip.cli import main
from ilmlip.store import Store

SMALL = [
    "quickstart", "scale=smoke", "model=nequip_smoke", "tracking=none", "analysis=none",
    "compositions.fractions=[0.0,1.0]", "compositions.training=[[0.0,1.0]]",
    "model.seeds=[1]", "model.max_steps=10",
]  # fmt: skip
SECTIONS = ["errors", "training", "datasets", "plan", "spec", "machine"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A small study that ran, in two points, one of them alone; and one whose training fails."""
    folder = tmp_path_factory.mktemp("report")
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert main(["run", *SMALL]) == 0
        assert main(["report", *SMALL, "-o", "one.html"]) == 0
        swept = [*SMALL, "-m", "model.r_max=4,5"]
        assert main(["run", *swept]) == 0
        assert main(["report", *swept, "-o", "swept.html"]) == 0
        wrong = [*SMALL, "model.batch_size=99", "name=wrong"]
        assert main(["run", *wrong]) == 1
        assert main(["report", *wrong]) == 0  # wrong.html
        Store(Path("none")).prepare()
        assert main(["report", *SMALL, "store=none", "-o", "none.html"]) == 0
        yield folder
    finally:
        os.chdir(before)


def opened(driver: Any, path: Path) -> list[str]:
    """Open a page; the ids of its sections. Nothing was asked of anyone, and every picture is there."""
    driver.get(path.as_uri())
    asked = [
        message["params"]["request"]["url"]
        for entry in driver.get_log("performance")
        if (message := json.loads(entry["message"])["message"])["method"]
        == "Network.requestWillBeSent"
    ]
    assert all(url.startswith(("file://", "data:")) for url in asked), asked
    assert driver.get_log("browser") == []
    for image in driver.find_elements(By.TAG_NAME, "img"):
        assert driver.execute_script("return arguments[0].naturalWidth", image) > 300
    return [str(s.get_attribute("id")) for s in driver.find_elements(By.TAG_NAME, "section")]


@pytest.mark.engine
@pytest.mark.slow
def test_page_of_a_study_that_ran(folder: Path) -> None:
    with browser() as driver:
        assert opened(driver, folder / "one.html") == SECTIONS
        assert driver.title == "quickstart · ilmlip"
        for name in SECTIONS:
            picture(driver, driver.find_element(By.ID, name), f"one_{name}")
        pictures = driver.find_elements(By.TAG_NAME, "img")
        assert len(pictures) == 5  # heat map, lines, ions, parity, curves
        text = driver.find_element(By.ID, "plan").text
        assert "train" in text and "to do" in text
        assert "Energies per ion" in driver.find_element(By.ID, "errors").text
        details = driver.find_element(By.CSS_SELECTOR, "#spec details")
        assert "max_steps: 10" not in details.text
        details.find_element(By.TAG_NAME, "summary").click()
        assert "max_steps: 10" in details.text


@pytest.mark.engine
@pytest.mark.slow
def test_page_fits_a_telephone(folder: Path) -> None:
    with browser(width=500) as driver:
        opened(driver, folder / "one.html")
        picture(driver, driver.find_element(By.TAG_NAME, "body"), "telephone")
        wide = driver.execute_script("return document.documentElement.scrollWidth")
        assert wide <= driver.execute_script("return window.innerWidth")


@pytest.mark.engine
@pytest.mark.slow
def test_pages_of_a_sweep_of_a_failure_and_of_nothing(folder: Path) -> None:
    with browser() as driver:
        assert opened(driver, folder / "swept.html") == SECTIONS
        picture(driver, driver.find_element(By.ID, "errors"), "swept_errors")
        errors = driver.find_element(By.ID, "errors")
        assert "model.r_max" in errors.text and "model.r_max=5" in errors.text
        assert "failures" in opened(driver, folder / "wrong.html")
        failures = driver.find_element(By.ID, "failures")
        picture(driver, failures, "wrong_failures")
        assert "model.batch_size is 99, and there are" in failures.text
        assert opened(driver, folder / "none.html") == ["plan", "spec"]


def test_what_a_name_holds_is_shown_as_text(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Store(Path("store")).prepare()
    assert main(["report", *SMALL, "description='<script>alert(1)</script>'"]) == 0
    text = Path("quickstart.html").read_text(encoding="utf-8")
    assert "<script" not in text and "&lt;script&gt;" in text


def test_a_folder_that_is_not_there(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Store(Path("store")).prepare()
    assert main(["report", *SMALL, "-o", "there/x.html"]) == 2
    assert "there is no folder there" in capsys.readouterr().err
