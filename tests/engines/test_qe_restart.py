"""Dynamics and relaxations by pw.x that were killed go on from the last step that was done."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pytest
from command import PATIENCE
from derivatives import small_pair
from outside import require, require_pseudopotentials, use_pseudopotentials

from ilmlip.engines import qe, qe_restart
from ilmlip.engines.labelling import Step, open_session
from ilmlip.spec.derived import Aimd, Relax
from ilmlip.spec.dft import Qe
from ilmlip.spec.load import load

pytestmark = [pytest.mark.engine, pytest.mark.slow]
STEPS = 5
MOVES = {"aimd": Aimd(steps=STEPS), "relax": Relax(steps=STEPS)}
CODE = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[4:]
from test_qe_restart import MOVES, run
run(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
"""


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require(shutil.which("pw.x") is not None, "pw.x (Debian: quantum-espresso)")
    require_pseudopotentials()
    use_pseudopotentials(tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path)


def settings() -> Qe:
    chosen = load(["dft=qe_pbe_d3_nc"]).dft.qe
    assert chosen is not None
    return chosen.model_copy(update={"ecutwfc": 20.0, "ecutrho": 80.0, "conv_thr": 1e-9})


def run(kind: str, work: Path, earlier: Path) -> list[Step]:
    with open_session("qe", settings(), work) as session:
        steps = session.native(small_pair(), MOVES[kind], 300.0, earlier=earlier)
    assert steps is not None
    return list(steps)


def killed(kind: str, work: Path, there: Callable[[Path], bool], wait: float) -> None:
    """Kill a run some time after something is there, and wait until pw.x has died with it."""
    work.mkdir()
    here = Path(__file__).parent
    words = [kind, str(work), str(work / "earlier"), str(here), str(here.parent)]
    process = subprocess.Popen([sys.executable, "-c", CODE, *words], env=os.environ)
    end = time.monotonic() + PATIENCE
    while not there(work):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.002)
    time.sleep(wait)
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    end = time.monotonic() + PATIENCE
    while any(map(lives, below)):
        assert time.monotonic() < end
        time.sleep(0.01)


def lives(process: psutil.Process) -> bool:
    """Whether it still computes: one that nobody waits for is a zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def energies(work: Path) -> int:
    """Self-consistent calculations that came to their end."""
    logs = [work / qe.LOG, *work.glob("before-*.out")]
    return sum(
        len(re.findall("^!", p.read_text(errors="replace", encoding="utf-8"), re.M))
        for p in logs
        if p.exists()
    )


def in_state(work: Path) -> int:
    """Steps of dynamics that pw.x's restart file has."""
    with contextlib.suppress(OSError, ValueError, IndexError):  # not there, or half of it
        return int((work / qe.SCRATCH / "pwscf.md").read_text(encoding="utf-8").split()[1])
    return 0


@pytest.mark.parametrize("kind", MOVES)
def test_it_goes_on(kind: str, tmp_path: Path) -> None:
    """Each step is computed once, but for the one at which it was killed; it moves on smoothly."""
    wait = random.Random(len(kind)).uniform(0.5, 2.5)
    killed(kind, tmp_path / "a", lambda work: energies(work) >= 2, wait)
    before = qe.read_steps(tmp_path / "a" / qe.LOG)
    work = tmp_path / "b"
    work.mkdir()
    steps = run(kind, work, tmp_path / "a")
    assert [step.number for step in steps] == list(range(STEPS + 1))
    assert energies(work) == STEPS + 1  # of whole steps, none was done again
    assert (work / "before-000.out").exists() and not (tmp_path / "a").exists()
    for one, other in zip(steps, before[:2], strict=False):
        assert one.label.energy == other.label.energy
        assert np.allclose(one.atoms.positions, other.atoms.positions, atol=1e-8)
    jumps = [np.abs(b.atoms.positions - a.atoms.positions).max() for a, b in pairwise(steps)]
    if kind == "aimd":
        assert max(jumps) < 0.03  # atoms at 600 K in 1 fs
    for last, step in pairwise(steps):
        assert qe_restart.follows(last, step)
    with open_session("qe", settings(), tmp_path) as session:  # a label of its own
        alone = session.label(steps[-1].atoms)
    assert steps[-1].label.energy == pytest.approx(alone.energy, abs=1e-4)
    assert np.abs(steps[-1].label.forces - alone.forces).max() < 5e-3
    if kind == "relax":
        (tmp_path / "c").mkdir()
        whole = run(kind, tmp_path / "c", tmp_path / "nothing")
        found = [step.label.energy for step in steps]
        assert found == pytest.approx([s.label.energy for s in whole], abs=2e-3)


def test_a_step_in_the_restart_file_is_in_the_output(tmp_path: Path) -> None:
    """Killed as soon as the one has it: what is not in the other could not be gone on with.

    Buffered output has it 50 ms later, at the start of the next step; in one of three times a busy
    machine may do the same.
    """
    taken = []
    for name in "abc":
        killed("aimd", tmp_path / name, lambda work: in_state(work) >= 1, 0.01)
        text = (tmp_path / name / qe.INPUT).read_text(encoding="utf-8")
        new = tmp_path / f"{name}-new"
        new.mkdir()
        args = (text, "md", qe.LOG, qe.SCRATCH, qe.read_steps)
        taken.append(len(qe_restart.take_over(tmp_path / name, new, *args)))
    assert sorted(taken)[1:] == [1, 1]


def test_what_does_not_belong_together_is_not_gone_on_with(tmp_path: Path) -> None:
    """Files of two moments, of another input, or half of one: it begins anew."""
    # half a second into the next step, which takes more than one
    killed("aimd", tmp_path / "a", lambda work: in_state(work) >= 2, 0.5)
    text = (tmp_path / "a" / qe.INPUT).read_text(encoding="utf-8")
    done = qe.read_steps(tmp_path / "a" / qe.LOG)
    state = tmp_path / "a" / qe.SCRATCH / "pwscf.md"

    def taken(name: str, text: str = text) -> int:
        shutil.copytree(tmp_path / "a", tmp_path / f"{name}-left", symlinks=True)
        (tmp_path / name).mkdir()
        args = (text, "md", qe.LOG, qe.SCRATCH, qe.read_steps)
        return len(qe_restart.take_over(tmp_path / f"{name}-left", tmp_path / name, *args))

    assert taken("good") >= 2
    assert taken("other", text + "! another\n") == 0
    whole = state.read_text(encoding="utf-8")
    words = whole.split()
    state.write_text(whole.replace(f" {words[1]} ", f" {int(words[1]) - 1} ", 1), encoding="utf-8")
    assert taken("older") == 0
    state.write_text("", encoding="utf-8")
    assert taken("half") == 0
    # the configuration of the last step once more, as if its own were a new one
    assert qe_restart.follows(done[0], done[1])
    assert not qe_restart.follows(done[0], replace(done[0], atoms=done[1].atoms))
