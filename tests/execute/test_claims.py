"""Claims: dead ones are taken over, living ones never, whatever the clocks say."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from command import PATIENCE

from ilmlip.execute import claims as module
from ilmlip.execute.claims import HALF, SILENT, Claims
from ilmlip.execute.owner import Owner, me
from ilmlip.store import Store

KEY = "probe-k1-0"
ELSEWHERE = Owner("elsewhere", 1, 1.0, "another boot")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    Store(tmp_path).prepare()
    return tmp_path


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of the clock that nobody sets; a test sets them."""
    seconds = [1000.0]
    monkeypatch.setattr(module, "clock", lambda: seconds[0])
    return seconds


def forge(root: Path, owner: Owner | str, touched: float = 0.0) -> Path:
    """A claim as another process leaves it, touched at a time by the wall clock."""
    path = root / "claims" / f"{KEY}.json"
    path.write_text(
        owner if isinstance(owner, str) else json.dumps(owner.plain()), encoding="utf-8"
    )
    os.utime(path, (touched, touched))
    return path


def test_a_claim_of_another_machine_is_dead_when_it_was_seen_silent(
    root: Path, now: list[float]
) -> None:
    """Its time is years off in either direction, as after a clock has jumped: that says nothing."""
    for touched in (time.time() - 1e8, time.time() + 1e8):
        path, claims = forge(root, ELSEWHERE, touched), Claims(root)
        assert claims.is_alive(KEY) and not claims.take(KEY)
        now[0] += SILENT - 1
        assert claims.is_alive(KEY)
        os.utime(path, (touched + 20, touched + 20))  # a sign of life
        assert claims.is_alive(KEY)
        now[0] += SILENT - 1
        assert claims.is_alive(KEY) and not claims.take(KEY)
        now[0] += 1
        assert not claims.is_alive(KEY)
        assert claims.take(KEY) and claims.is_mine(KEY)
        claims.release(KEY)
        assert not path.exists()


def test_a_command_that_cannot_wait_counts_by_the_file_systems_clock(root: Path) -> None:
    forge(root, ELSEWHERE, time.time() - SILENT / 2)
    assert Claims(root).alive() == {KEY}
    forge(root, ELSEWHERE, time.time() - 2 * SILENT)
    assert Claims(root).alive() == set()
    assert not list((root / "claims").glob(".*"))


def test_half_a_claim_counts_for_a_moment(root: Path, now: list[float]) -> None:
    """A file system without hard links shows a claim before its content."""
    forge(root, "")
    claims = Claims(root)
    assert not claims.take(KEY)
    now[0] += HALF
    assert claims.take(KEY)


def test_a_claim_of_another_version_is_not_half_a_claim(root: Path, now: list[float]) -> None:
    forge(root, json.dumps({"host": me().host, "pid": 1, "born": 1.7e9, "more": 1}))
    claims = Claims(root)
    assert not claims.take(KEY)
    now[0] += HALF + 1
    assert not claims.take(KEY)
    now[0] += SILENT
    assert claims.take(KEY)


def test_an_earlier_run_of_the_same_slurm_job_is_over(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("SLURM_CLUSTER_NAME", "c")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    ours = Owner.me()
    monkeypatch.setattr("ilmlip.execute.owner.me", lambda: ours)
    assert ours.job == "c:17" and ours.restart == 1 and ours.lives()
    before = replace(ELSEWHERE, job="c:17", restart=0)
    assert before.lives() is False
    forge(root, before, time.time())
    assert Claims(root).take(KEY)
    (root / "claims" / f"{KEY}.json").unlink()
    for other in ("c:18", "d:17", ""):
        forge(root, replace(ELSEWHERE, job=other), time.time())
        assert not Claims(root).take(KEY)


def test_a_pid_that_another_process_got_is_not_the_owner(root: Path) -> None:
    forge(root, replace(me(), born=me().born - 1))
    assert Claims(root).take(KEY)


def test_a_zombie_is_dead(root: Path) -> None:
    """In a container nobody may ever wait for it."""
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(root), KEY], stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.readline().strip() == b"True"
    assert Claims(root).is_alive(KEY)
    child.kill()
    end = time.monotonic() + PATIENCE
    while Claims(root).is_alive(KEY) and time.monotonic() < end:
        time.sleep(0.02)
    assert not Claims(root).is_alive(KEY)
    child.wait()


HOLD = """
import sys, time
from pathlib import Path
from ilmlip.execute.claims import Claims
claims = Claims(Path(sys.argv[1]))
print(claims.take(sys.argv[2]), flush=True)
time.sleep(9999)
"""
FAKETIME = shutil.which("faketime")


@pytest.mark.skipif(
    FAKETIME is None and not os.environ.get("ILMLIP_REQUIRE_ENGINES"), reason="no faketime here"
)
@pytest.mark.parametrize("jump", ["-400d", "+400d"])
def test_a_clock_that_is_set_makes_no_living_claim_dead(root: Path, jump: str) -> None:
    """The holder's clock is right, and that of those who ask is 400 days off."""
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(root), KEY], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None and holder.stdout.readline().strip() == b"True"
        asks = [str(FAKETIME), "-f", jump, sys.executable, "-c", HOLD.replace("9999", "0")]
        taken = subprocess.run(
            [*asks, str(root), KEY], capture_output=True, text=True, check=True, encoding="utf-8"
        )
        assert taken.stdout.strip() == "False"
    finally:
        holder.kill()
        holder.wait()
    taken = subprocess.run(
        [*asks, str(root), KEY], capture_output=True, text=True, check=True, encoding="utf-8"
    )
    assert taken.stdout.strip() == "True"


def test_a_lost_claim_is_noticed_and_not_given_back(root: Path) -> None:
    claims = Claims(root)
    assert claims.take(KEY) and claims.is_mine(KEY)
    path = forge(root, ELSEWHERE, time.time())
    assert not claims.is_mine(KEY)
    claims.release(KEY)
    assert path.exists()


@pytest.mark.parametrize("refusal", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
def test_without_hard_links(root: Path, monkeypatch: pytest.MonkeyPatch, refusal: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(refusal, os.strerror(refusal))

    monkeypatch.setattr(os, "link", refuse)
    claims = Claims(root)
    assert claims.take(KEY)
    assert not Claims(root).take(KEY)
    claims.release(KEY)
    assert Claims(root).take(KEY)


def test_a_claim_that_is_made_after_the_look_is_not_buried(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dead one is gone already, and before this process acts on that another takes the key."""
    late, other = Claims(root), Claims(root)
    look = late._look

    def slow(key: str) -> str:
        found = look(key)
        assert other.take(key)
        return found

    monkeypatch.setattr(late, "_look", slow)
    late.bury(KEY)
    assert other.is_mine(KEY)


RACE = """
import sys
from pathlib import Path
from ilmlip.execute.claims import Claims
claims = Claims(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(sum(claims.take(f"probe-k1-{i}") for i in range(200)), flush=True)
sys.stdin.readline()
"""


def test_of_many_that_find_a_claim_dead_one_takes_it(root: Path) -> None:
    dead = json.dumps(replace(me(), born=0.5).plain())
    for i in range(200):
        (root / "claims" / f"probe-k1-{i}.json").write_text(dead, encoding="utf-8")
    words = [sys.executable, "-c", RACE, str(root)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    racers = [subprocess.Popen(words, text=True, encoding="utf-8", **pipes) for _ in range(6)]

    def all_say() -> list[str]:
        return [racer.stdout.readline().strip() for racer in racers]

    def all_may() -> None:
        for racer in racers:
            racer.stdin.write("\n")
            racer.stdin.flush()

    assert all_say() == ["ready"] * 6
    all_may()
    assert sum(map(int, all_say())) == 200  # all of them live until each has tried
    all_may()
    assert [racer.wait(PATIENCE) for racer in racers] == [0] * 6
