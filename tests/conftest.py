"""One study at smoke scale for all tests; what CI chooses; how long each file of tests takes."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import time
from collections import defaultdict
from typing import Any

import pytest
import selection
from command import SMOKE, Answer, Smoke, ilmlip

# As a worker has it: with several threads tblite sums in another order each time, and tests that
# compare to the bit would fail now and then. OpenMP reads it when it is loaded, which is later.
os.environ["OMP_NUM_THREADS"] = "1"
CHOICE = pytest.StashKey[selection.Choice]()
SPENT = pytest.StashKey[tuple[float, float]]()
MEASURED: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
SHARED = [0.0, 0.0]
"""Time spent on what all tests share: of no file's own."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--turn",
        action="store_true",
        help="of the slow tests, run those of CI's present turn and those whose code changed",
    )


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--turn"):
        return
    handed_over = getattr(config, "workerinput", {}).get("choice")
    config.stash[CHOICE] = (
        selection.Choice(selection.Turn(*handed_over["turn"]), handed_over["why"], {})
        if handed_over
        else selection.present()
    )


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """All processes of pytest-xdist follow one choice."""
    choice = node.config.stash.get(CHOICE, None)
    if choice is not None:
        turn = (choice.turn.number, choice.turn.since)
        node.workerinput["choice"] = {"turn": turn, "why": dict(choice.why)}


def pytest_report_header(config: pytest.Config) -> list[str]:
    choice = config.stash.get(CHOICE, None)
    return choice.lines() if choice else []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The files that take longest come first, so that no process is left with one at the end.

    (pytest-xdist gives out whole files, by itself those of most tests first: `make test` says
    --no-loadscope-reorder.)
    """
    choice = config.stash.get(CHOICE, None)
    if choice is not None:
        later = [item for item in items if not _runs(item, choice)]
        config.hook.pytest_deselected(items=later)
        items[:] = [item for item in items if _runs(item, choice)]
    times = selection.read_times()
    takes: dict[str, float] = defaultdict(float)
    for name, kind in {(_file(item), _kind(item)) for item in items}:
        takes[name] += getattr(times.get(name, selection.Times()), kind)
    items.sort(key=lambda item: -takes[_file(item)])


def _runs(item: pytest.Item, choice: selection.Choice) -> bool:
    part = item.get_closest_marker("fifth")
    if part is not None:
        return bool(part.args[0] % selection.FIFTHS == choice.turn.fifth)
    return _kind(item) == "quick" or _file(item) in choice.why


def _file(item: pytest.Item) -> str:
    return item.nodeid.split("::")[0]


def _kind(item: pytest.Item) -> str:
    return "slow" if item.get_closest_marker("slow") else "quick"


def _now() -> tuple[float, float]:
    """Processor time, s, of this process and all that it waited for; time by the clock."""
    use = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    spent = sum(one.ru_utime + one.ru_stime for one in use)
    return spent - SHARED[0], time.monotonic() - SHARED[1]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[SPENT] = _now()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    if report.when == "teardown" and SPENT in item.stash:
        (before, began), (after, ended) = item.stash[SPENT], _now()
        # a test that waits, or whose work is done by daemons, keeps its process for that time
        takes = max(after - before, (ended - began) / 2)
        report.user_properties.append(("seconds", (_kind(item), takes)))
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for name, value in report.user_properties:
        if name == "seconds" and report.when == "teardown":
            MEASURED[report.nodeid.split("::")[0]][value[0]] += value[1]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Keep what whole files took, for `python tests/selection.py record`."""
    options = session.config.option
    parts = options.keyword or any("::" in word for word in session.config.args)
    if hasattr(session.config, "workerinput") or parts or not MEASURED:
        return
    kept = session.config.rootpath / selection.MEASURED
    old = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    new = {name: {**old.get(name, {}), **one} for name, one in MEASURED.items()}
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(json.dumps({**old, **new}, indent=1), encoding="utf-8")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The last phase of .ci/run, before pytest's own closing line."""
    if began := os.environ.get("ILMLIP_CI_BEGAN"):
        whole, tests = (time.time() - float(moment) for moment in began.split())
        terminalreporter.write_line(f"tests         {_clock(tests)}")
        terminalreporter.write_line(f".ci/run       {_clock(whole)}")


def _clock(seconds: float) -> str:
    return "{:3d} min {:02d} s".format(*divmod(round(seconds), 60))


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Smoke:
    """The whole quickstart on real engines, at the smallest size; run once for all processes."""
    before = _now()
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    folder = shared / "smoke"
    with (shared / "smoke.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = shared / "smoke.json"
        if not said.exists():
            folder.mkdir(exist_ok=True)
            answer = ilmlip("run", *SMOKE, "--json", cwd=folder)
            said.write_text(json.dumps([answer.code, answer.out, answer.err]), encoding="utf-8")
    after = _now()
    SHARED[:] = [SHARED[i] + after[i] - before[i] for i in range(2)]
    answer = Answer(*json.loads(said.read_text(encoding="utf-8")))
    assert answer.code == 0, answer.err
    return Smoke(folder, answer)
