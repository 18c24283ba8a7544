"""A real browser for tests: Debian's chromium, driven by selenium; it sees this machine alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


def need_browser() -> None:
    """Skip, or fail where engines are required, without chromium."""
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    if missing and os.environ.get("ILMLIP_REQUIRE_ENGINES"):
        pytest.fail(f"{' and '.join(missing)} missing (apt-get install chromium chromium-driver)")
    if missing:
        pytest.skip(f"no {' and no '.join(missing)}")


@contextmanager
def browser(width: int = 1100, height: int = 900) -> Iterator[Any]:
    """A window of chromium; no name resolves but this machine's own."""
    need_browser()
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for word in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        f"--window-size={width},{height}",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    ):
        options.add_argument(word)
    options.binary_location = str(shutil.which("chromium"))
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=str(shutil.which("chromedriver")))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield driver
    finally:
        driver.quit()


def picture(driver: Any, element: Any, name: str) -> None:
    """Keep a screenshot of an element, where ILMLIP_PICTURES names a folder."""
    folder = os.environ.get("ILMLIP_PICTURES")
    if folder:
        (Path(folder) / f"{name}.png").write_bytes(element.screenshot_as_png)
