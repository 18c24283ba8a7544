"""Two trainings side by side against one alone, and what logging them costs."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Used, measure, number, python, ratio, spread
from benchmarks.report import Table

STEPS = 1000
SPEC = """\
defaults:
  - config
  - scale: laptop
  - override model: nequip_laptop
  - override analysis: none
  - _self_

name: trainings
compositions: {pairs: 5, fractions: [0.4], training: [[0.4]]}
sampling: {duration: 5.0e+4, interval: 5.0e+2}
dataset: {frames: 50, every: 1, test: same_trajectory}
model: {linear: false}
"""
SILENT, LOGGED = "tracking=none", "tracking=sqlite"


@dataclass(frozen=True)
class Run:
    """One `ilmlip run` of some trainings whose data sets are there."""

    used: Used
    training: float
    """Seconds of nequip-train, of the longest of them."""


def main(quick: bool) -> Table:
    """Interleave one training, two at once, and the same two logged, each in a copy of one store."""
    steps, repeats = (60, 1) if quick else (STEPS, 3)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "trainings.yaml").write_text(SPEC, encoding="utf-8")
        _ilmlip(folder, "prepared", ["model.seeds=[]", SILENT])
        found = [
            tuple(
                _train(folder, seeds, tracking, steps)
                for seeds, tracking in (("[1]", SILENT), ("[1,2]", SILENT), ("[1,2]", LOGGED))
            )
            for _ in range(repeats)
        ]
    return Table(
        "trainings",
        ("nequip", "torch", "mlflow"),
        (f"trainings of {steps} steps, one thread each", "one", "two at once", "what", "aim"),
        _rows(found, steps),
    )


def _rows(found: Sequence[tuple[Run, ...]], steps: int) -> list[tuple[str, ...]]:
    one, two, logged = zip(*found, strict=True)
    side = [2 * a.training / b.training for a, b in zip(one, two, strict=True)]
    whole = [2 * a.used.wall / b.used.wall for a, b in zip(one, two, strict=True)]
    wall = [c.used.wall / b.used.wall - 1 for b, c in zip(two, logged, strict=True)]
    cpu = [c.used.cpu - b.used.cpu for b, c in zip(two, logged, strict=True)]
    share = [c.training / b.training - 1 for b, c in zip(two, logged, strict=True)]
    speed = spread([steps / run.training for run in one], number)
    speeds = spread([2 * steps / run.training for run in two], number)
    percent = "{:+.1%}".format
    return [
        ("nequip-train: steps/s", speed, speeds, f"{spread(side, ratio)} times one", "≥ 1.7"),
        (
            "whole `ilmlip run`: wall, s",
            spread([run.used.wall for run in one], number),
            spread([run.used.wall for run in two], number),
            f"{spread(whole, ratio)} times one",
            "",
        ),
        ("logged: nequip-train", "", "", f"{spread(share, percent)} of its time", "≤ 1 %"),
        ("logged: whole run, wall", "", "", spread(wall, percent), ""),
        ("logged: what MLflow takes, CPU s", "", spread(cpu, number), "its import, mostly", ""),
    ]


def _train(folder: Path, seeds: str, tracking: str, steps: int) -> Run:
    shutil.rmtree(folder / "store", ignore_errors=True)
    (folder / "mlflow.db").unlink(missing_ok=True)
    shutil.copytree(folder / "prepared", folder / "store")
    words = [f"model.seeds={seeds}", f"model.max_steps={steps}", tracking]
    used = _ilmlip(folder, "store", words)
    results = (folder / "store" / "results" / "train").glob("*/manifest.json")
    times = [
        json.loads(f.read_text(encoding="utf-8"))["notes"]["nequip_train_seconds"] for f in results
    ]
    return Run(used, max(times))


def _ilmlip(folder: Path, store: str, words: list[str]) -> Used:
    command = python(
        "ilmlip.cli", "run", "--yes", folder / "trainings.yaml", *words, f"store={store}"
    )
    return measure(command, folder)
