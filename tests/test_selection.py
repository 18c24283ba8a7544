"""Which slow tests CI runs: all within five turns, and always those whose code changed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import selection
from selection import FIFTHS, ROOT, Times, Turn, affected, balanced, choose, slow_files

FILES = slow_files()
MEASURED = {name: {"quick": 1.0, "slow": 10.0 * i + 5} for i, name in enumerate(FILES)}


def test_five_turns_in_a_row_run_every_slow_file() -> None:
    table = balanced(MEASURED)
    for first in range(7):
        turns = [choose(FILES, Turn(first + i, "x"), table, {}) for i in range(FIFTHS)]
        assert {name for one in turns for name in one.why} == set(FILES)
        assert all(set(one.why) | set(one.later) == set(FILES) for one in turns)
        for name, when in turns[0].later.items():
            assert first < when < first + FIFTHS and name in turns[when - first].why


def test_what_is_recorded_runs_all_slow_files_in_five_turns() -> None:
    """As it lies here: what no fifth has, since it was never timed, runs in every turn."""
    table = selection.read_times()
    turns = [choose(FILES, Turn(i, "x"), table, {}) for i in range(FIFTHS)]
    assert {name for one in turns for name in one.why} == set(FILES)
    assert all(name in one.why for one in turns for name in set(FILES) - set(table))


def test_the_fifths_take_about_as_long() -> None:
    table = balanced(MEASURED)
    sums = [sum(t.slow for t in table.values() if t.fifth == i) for i in range(FIFTHS)]
    assert max(sums) - min(sums) <= max(one["slow"] for one in MEASURED.values())
    assert balanced({"quick.py": {"quick": 1.0}})["quick.py"].fifth is None


CHANGES = {
    "ilmlip/engines/qe.py": {"tests/engines/test_qe.py", "tests/engines/test_qe_restart.py"},
    "tests/engines/derivatives.py": {"tests/engines/test_qe.py", "tests/engines/test_cp2k.py"},
    "tests/track/test_faults.py": {"tests/track/test_faults.py"},
    "tests/crowd.py": {"tests/track/test_load.py"},
    "conf/dft/qe_pbe_d3_nc.yaml": {"tests/engines/test_qe.py"},
    "experiments/labels_smoke.yaml": {"tests/test_labels_smoke.py"},
    "ilmlip/track/follow.py": {"tests/track/test_faults.py", "tests/track/test_load.py"},
}


@pytest.mark.parametrize("changed", CHANGES)
def test_a_change_selects_its_tests_and_not_all(changed: str) -> None:
    found = affected(ROOT, FILES, [changed])
    assert found.keys() >= CHANGES[changed]
    assert all(changed in why for why in found.values())
    assert len(found) < len(FILES) / 2
    choice = choose(FILES, Turn(0, "x"), {name: Times(fifth=1) for name in FILES}, found)
    assert choice.why.keys() == found.keys()


def test_what_says_nothing_of_tests_selects_none() -> None:
    assert not affected(ROOT, FILES, ["README.md", "docs/spec.md", "tests/command.py", ".ci/turn"])


def test_other_versions_of_dependencies_select_all() -> None:
    assert affected(ROOT, FILES, ["constraints.txt"]).keys() == set(FILES)


def git(folder: Path, *words: str) -> str:
    who = {
        f"GIT_{one}_{what}": "x" for one in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    return subprocess.run(
        ["git", *words], cwd=folder, env={**os.environ, **who}, check=True,
        capture_output=True, text=True, encoding="utf-8",
    ).stdout.strip()  # fmt: skip


def test_a_turn_ends_with_the_commit_of_the_next(tmp_path: Path) -> None:
    """In a real repository: what changed since the last turn, new files and old; no history."""
    git(tmp_path, "init", "-q")
    (tmp_path / ".ci").mkdir()
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("1\n", encoding="utf-8")
    (tmp_path / ".ci/turn").write_text("turn: 4\nsince: none\n", encoding="utf-8")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "x")
    first = git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "a.py").write_text("2\n", encoding="utf-8")
    (tmp_path / "c.py").write_text("1\n", encoding="utf-8")
    git(tmp_path, "add", "a.py")
    git(tmp_path, "commit", "-qm", "y")
    assert selection.advance(tmp_path) == selection.read_turn(tmp_path) == Turn(5, first)
    assert selection.changed_files(tmp_path, first) == {"a.py", "c.py", ".ci/turn"}
    assert selection.changed_files(tmp_path, "0" * 40) is None
    everything = choose(FILES, Turn(5, first), {}, None)
    assert set(everything.why) == set(FILES)
    assert all("nobody knows what changed" in why for why in everything.why.values())


def test_the_choice_is_told_to_a_reader() -> None:
    table = {name: Times(1, 600, i % FIFTHS) for i, name in enumerate(FILES)}
    changed = dict.fromkeys(FILES[:4], "ilmlip/x.py")
    text = "\n".join(choose(FILES, Turn(6, "x"), table, changed).lines())
    for name in FILES:
        assert len(re.findall(rf"\b{re.escape(name)}\b", text)) == 1
    assert f"now, {FILES[1]}: its turn" in text and f"now, {FILES[0]}: changed: ilmlip/x.py" in text
    assert "in turn 7: " in text and "in turn 9: " in text
    assert "much has changed: 1800 s more" in text


def test_pytest_runs_what_is_chosen() -> None:
    """Collected as .ci/run does it, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--turn", "--collect-only", "-q", "tests/spec/test_fuzz.py"],
        cwd=ROOT, capture_output=True, text=True, check=True, encoding="utf-8",
    ).stdout  # fmt: skip
    parts = [int(n) for n in re.findall(r"test_ten_thousand_mutated_specs\[(\d+)\]", done)]
    fifth = selection.read_turn().fifth
    assert parts == [fifth, fifth + FIFTHS]
    assert "test_some_mutated_specs" in done


def test_ci_says_what_each_phase_took_and_ends_with_the_tests(tmp_path: Path) -> None:
    """The script itself, with a `make` that only says what it was asked."""
    (tmp_path / "bin").mkdir()
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci/run")
    for name in ("make", "apt-get"):
        stub = tmp_path / "bin" / name
        stub.write_text('#!/bin/sh\necho "asked $* $ILMLIP_REQUIRE_ENGINES"\n', encoding="utf-8")
        stub.chmod(0o755)
    said = subprocess.run(
        ["bash", ".ci/run"], cwd=tmp_path, check=True, capture_output=True, text=True,
        env={**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}, encoding="utf-8",
    ).stdout.splitlines()  # fmt: skip
    at = [i for i, line in enumerate(said) if re.search(r" +\d+ min \d\d s$", line)]
    assert [said[i].split()[0] for i in at] == ["packages", "environment", "checks", "gpaw"]
    asked = [line.split()[1] for line in said if line.startswith("asked")]
    assert asked[-4:] == ["env", "check", "gpaw", "test-turn"]
    assert at[-1] == len(said) - 2 and said[-1] == "asked test-turn 1"
