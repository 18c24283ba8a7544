"""A small sweep that is run: shared stages once, against each point on its own by Hydra."""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import others
from benchmarks.measure import Used, answer, measure, number, python, ratio
from benchmarks.report import Table

SPEC = """\
defaults:
  - config
  - scale: {scale}
  - override model: {model}
  - override analysis: none
  - override tracking: none
  - _self_

name: bench_sweep
store: store
compositions: {{pairs: 5, fractions: [0.4], training: [[0.4]]}}
model: {{seeds: [1], linear: false, max_steps: {steps}}}
cluster: {{cores: 2}}
"""
SHORT = """\
sampling: {equilibration: {time_scale: 0.001}, settle: 1.0e+3, duration: 1.0e+4, interval: 1.0e+2}
"""
"""Sampling that is short, so that 24 repetitions of it end; a data set of the laptop's size."""
BATCH = 2
"""Hydra's jobs at once."""


@dataclass(frozen=True)
class Case:
    """The study and its sweep."""

    scale: str
    model: str
    steps: int
    sampling: str
    axes: Mapping[str, tuple[float, ...]]

    @property
    def points(self) -> int:
        """How many there are."""
        return math.prod(map(len, self.axes.values()))


FULL = Case(
    scale="laptop",
    model="nequip_laptop",
    steps=100,
    sampling=SHORT,
    axes={
        "model.r_max": (3.5, 4.0, 4.5, 5.0),
        "model.l_max": (1, 2),
        "model.loss.force": (1.0, 3.0, 10.0),
    },
)
QUICK = Case(
    scale="smoke",
    model="nequip_smoke",
    steps=10,
    sampling="",
    axes={"model.r_max": (3.5, 4.0), "model.l_max": (0, 1)},
)


@dataclass(frozen=True)
class Done:
    """What a way of doing the sweep took, and how many tasks ran."""

    used: Used
    tasks: int


def main(quick: bool) -> Table:
    """Measure with the full or the small study."""
    return table(QUICK if quick else FULL)


def table(case: Case) -> Table:
    """Once by ilmlip, once by Hydra with submitit's launcher; each takes minutes."""
    others.make()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        keys = len(_planned(case, folder))
        ours = by_ilmlip(case, folder)
        (folder / "alone").mkdir()
        theirs = by_hydra(case, folder / "alone")
    if ours.tasks != keys:
        raise RuntimeError(f"{ours.tasks} tasks ran of {keys} distinct keys")
    return Table(
        "sweep",
        ("nequip", "submitit"),
        (f"{case.points} points", "ilmlip", "Hydra, a job a point", "ratio", "aim"),
        [
            ("distinct keys", str(keys), str(keys), "", ""),
            _row("tasks run", ours.tasks, theirs.tasks, "the distinct keys"),
            _row("tasks run / distinct keys", ours.tasks / keys, theirs.tasks / keys, "1"),
            _row("wall, s", ours.used.wall, theirs.used.wall, ""),
            _row("CPU, s", ours.used.cpu, theirs.used.cpu, ""),
        ],
        others.versions("hydra-core", "hydra-submitit-launcher"),
    )


def _row(what: str, ours: float, theirs: float, aim: str) -> tuple[str, ...]:
    def shown(value: float) -> str:
        return str(value) if isinstance(value, int) else number(value)

    return what, shown(ours), shown(theirs), ratio(ours / theirs), aim


def write_spec(case: Case, folder: Path, swept: bool) -> Path:
    """The study, with the sweep in it or as one point."""
    text = SPEC.format(
        scale=case.scale,
        model=case.model,
        steps=case.steps,
    )
    text += case.sampling
    if swept:
        text += "sweep:\n"
        text += "".join(f"  {key}: {json.dumps(values)}\n" for key, values in case.axes.items())
    file = folder / ("sweep.yaml" if swept else "point.yaml")
    file.write_text(text, encoding="utf-8")
    return file


def _planned(case: Case, folder: Path) -> set[str]:
    """The distinct keys of the plan of all points."""
    file = write_spec(case, folder, swept=True)
    measure(python("ilmlip.cli", "plan", file, "--json"), folder)
    tasks = answer(folder)["tasks"]
    trainings = sum(task["stage"] == "train" for task in tasks)
    if trainings != case.points:
        raise RuntimeError(f"{trainings} trainings are planned of {case.points} points")
    return {task["key"] for task in tasks}


def by_ilmlip(case: Case, folder: Path) -> Done:
    """All points as one plan, on two cores."""
    file = write_spec(case, folder, swept=True)
    used = measure(python("ilmlip.cli", "run", file, "--yes", "--json"), folder)
    return Done(used, answer(folder)["done"])


def by_hydra(case: Case, folder: Path) -> Done:
    """Each point by a job of submitit's local executor, at most two at once, in its own store."""
    file = write_spec(case, folder, swept=False)
    runs = folder / "runs"
    settings = {
        "hydra/launcher": "submitit_local",
        "hydra.sweep.dir": runs,
        "hydra.sweep.subdir": "${hydra.job.num}",
        "hydra.sweeper.max_batch_size": BATCH,
    }
    words = [f"{key}={value}" for key, value in settings.items()]
    words += [f"+{key}={','.join(map(str, values))}" for key, values in case.axes.items()]
    used = measure(
        [others.program("python"), "-m", "benchmarks.hydra_app", "-m", *words],
        folder,
        {"ILMLIP_PYTHON": sys.executable, "ILMLIP_SPEC": str(file)},
    )
    answers = [json.loads(path.read_text(encoding="utf-8")) for path in runs.glob("*/answer.json")]
    if len(answers) != case.points:
        raise RuntimeError(f"{len(answers)} of {case.points} points left an answer")
    return Done(used, sum(one["done"] for one in answers))
