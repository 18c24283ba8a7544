"""Runs of LAMMPS that were killed go on from the end of a part, and end the same to the byte."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from classical import Classical
from command import PATIENCE

from ilmlip.engines import lammps, lammps_parts
from ilmlip.hashing import file_digest
from ilmlip.spec.load import load
from ilmlip.stages import equilibrate, sample
from ilmlip.stages.base import Given, Inputs, Output

CODE = """
import json, sys
from pathlib import Path
from ilmlip.stages import stage
from ilmlip.stages.base import Given, Inputs
name, params, given, work, earlier = json.loads(sys.argv[1])
kind = stage(name)
roles = {role: (Given(role, Path(path), {}),) for role, path in given.items()}
earlier = Path(earlier) if earlier else None
kind.run(kind.params.model_validate(params), Inputs(roles, earlier=earlier), Path(work))
"""


@pytest.fixture(scope="module")
def classical(tmp_path_factory: pytest.TempPathFactory) -> Classical:
    """Three pairs, equilibrated and sampled."""
    return Classical(Path(tmp_path_factory.mktemp("classical")), load(["quickstart"]))


def start(stage, params, given: dict[str, Given], work: Path) -> subprocess.Popen[bytes]:
    """The stage in a process of its own, with what lies in `work/earlier`."""
    import json

    paths = {role: str(one.path) for role, one in given.items()}
    earlier = work / "earlier"
    said = [stage.name, params.model_dump(mode="json"), paths, str(work)]
    words = json.dumps([*said, str(earlier) if earlier.exists() else ""])
    return subprocess.Popen([sys.executable, "-c", CODE, words], env=os.environ)


def attempt(left: Path | None, root: Path) -> Path:
    """A new work folder that holds the last one, as the store makes it."""
    work = root / f"work{0 if left is None else int(left.name[4:]) + 1}"
    work.mkdir(parents=True)
    if left is not None:
        left.rename(work / "earlier")
    return work


def on(stage, params, given, root: Path, kills: int, seed: int, least: int) -> tuple[Path, Output]:
    """Kill it at random moments after its part `least`, and let it end."""
    dice, left = random.Random(seed), None
    for _ in range(kills):
        work = attempt(left, root)
        process = start(stage, params, given, work)
        end = time.monotonic() + PATIENCE
        while process.poll() is None and len(list(work.glob("part-*.restart"))) < 1:
            assert time.monotonic() < end
            time.sleep(0.001)
        time.sleep(dice.uniform(0, least / 10))
        process.send_signal(signal.SIGKILL)
        process.wait()
        left = work
    work = attempt(left, root)
    roles = {role: (one,) for role, one in given.items()}
    return work, stage.run(params, Inputs(roles, earlier=work / "earlier"), work)


def same(one: Path, other: Path, names) -> list[str]:
    return [name for name in names if file_digest(one / name) != file_digest(other / name)]


@pytest.mark.parametrize("pressure", [None, 1.0], ids=["density", "pressure"])
def test_an_equilibration(classical: Classical, tmp_path: Path, pressure: float | None) -> None:
    params = classical.equilibrate_params
    given = {"forcefield": classical.forcefield, "structure": classical.build}
    whole = classical.equilibrate.path
    if pressure is not None:
        params = params.model_copy(update={"density": None, "pressure": pressure})
        whole = tmp_path / "whole"
        whole.mkdir()
        equilibrate.run(params, Inputs({r: (g,) for r, g in given.items()}), whole)
    work, made = on(equilibrate.STAGE, params, given, tmp_path / "on", 3, 1, least=4)
    assert made.notes["stages_taken_over"] > 0
    assert not same(whole, work, made.files) and not (work / "earlier").exists()


SAMPLES: dict[str, Callable[[sample.Params], sample.Params]] = {
    "nvt": lambda p: p.model_copy(update={"duration": 6000.0}),
    "npt": lambda p: p.model_copy(
        update={"duration": 6000.0, "pressure": 1.0, "barostat_time": 1000.0}
    ),
}


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_sampling(
    classical: Classical, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trajectory is continuous: each frame once, and those of a run that was never killed."""
    monkeypatch.setattr(sample, "LONGEST", 1500.0)
    shorter = "from ilmlip.stages import sample\nsample.LONGEST = 1500.0\n"
    monkeypatch.setitem(globals(), "CODE", shorter + CODE)
    params = SAMPLES[kind](classical.sample_params)
    given = {"forcefield": classical.forcefield, "structure": classical.equilibrate}
    whole = tmp_path / "whole"
    whole.mkdir()
    expected = sample.run(params, Inputs({r: (g,) for r, g in given.items()}), whole)
    work, made = on(sample.STAGE, params, given, tmp_path / "on", 2, 2, least=4)
    assert made.notes["parts_taken_over"] > 0 and made.values == expected.values
    assert made.values["n_frames"] == 60
    assert not same(whole, work, made.files)


def test_a_short_nvt_run_is_one_part_as_it_was(classical: Classical) -> None:
    text = (classical.sample.path / lammps.INPUT).read_text(encoding="utf-8")
    assert text.count("\nrun ") == 1


@pytest.fixture
def left(classical: Classical, tmp_path: Path) -> Path:
    """What an attempt left that was killed in the last stage."""
    folder = tmp_path / "left"
    shutil.copytree(classical.equilibrate.path, folder)
    return folder


def taken(classical: Classical, left: Path, tmp_path: Path, **other: object) -> int:
    """How many stages are taken; what comes out is as if none had been there."""
    work = tmp_path / "new"
    work.mkdir()
    params = classical.equilibrate_params.model_copy(update=other)
    roles = {"forcefield": (classical.forcefield,), "structure": (classical.build,)}
    made = equilibrate.run(params, Inputs(roles, earlier=left), work)
    if not other:
        assert not same(classical.equilibrate.path, work, made.files)
    return int(made.notes["stages_taken_over"])


def test_a_restart_is_taken(classical: Classical, left: Path, tmp_path: Path) -> None:
    assert taken(classical, left, tmp_path) == 10


def test_a_damaged_restart_is_not_taken(classical: Classical, left: Path, tmp_path: Path) -> None:
    path = left / lammps_parts.RESTART.format(10)
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    assert taken(classical, left, tmp_path) == 0


def test_half_a_restart_is_not_taken(classical: Classical, left: Path, tmp_path: Path) -> None:
    path = left / lammps_parts.RESTART.format(10)
    path.write_bytes(path.read_bytes()[:-100])
    assert taken(classical, left, tmp_path) == 0


def test_a_restart_of_other_parameters_is_not_taken(
    classical: Classical, left: Path, tmp_path: Path
) -> None:
    assert taken(classical, left, tmp_path, settle=900.0) == 0


def test_an_attempt_that_took_nothing_yet_hides_none(
    classical: Classical, left: Path, tmp_path: Path
) -> None:
    """Killed as it began: what the one before it left is in its folder."""
    between = tmp_path / "between"
    between.mkdir()
    left.rename(between / "earlier")
    assert taken(classical, between, tmp_path) == 10
