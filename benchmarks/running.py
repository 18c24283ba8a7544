"""Steps per second of the models' dynamics through ilmlip against ASE's own loop.

`python -m benchmarks.running WHICH MODEL START KIND STEPS` is the measured process: `ours`, by the
engine of the stage, or `bare`: the same model, start and integrator, a frame and a line as often.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ase.io import Trajectory
from ase.md.nose_hoover_chain import IsotropicMTKNPT, NoseHooverChainNVT
from ase.units import bar, fs

from benchmarks.drive import COMPOSITION
from benchmarks.measure import answer, measure, number, python, ratio, spread
from benchmarks.report import Table
from ilmlip.chemistry.boxes import read
from ilmlip.engines import model_dynamics, nequip
from ilmlip.engines.moves import start_velocities
from ilmlip.spec.ensemble import Guards
from ilmlip.spec.load import load
from ilmlip.store import Store

STEPS = 1000
KINDS = ("nvt", "npt")
AIM = "≥ 0.97"
EVERY = (20, 200)
"""Steps between lines and between frames."""
TRAINED = 1000
"""Steps of training, on the stress too: at constant pressure its runs hold for longer than STEPS."""
BAROSTAT = 1000
"""fs. Slow, so that the box stays near the density that it starts from, in both runs."""
Seconds = Sequence[Mapping[str, float]]
"""Of runs: `seconds` by the clock and `cpu`."""


def main(quick: bool) -> Table:
    """Interleave ilmlip's run and ASE's, after one through ilmlip that trains the model."""
    steps, repeats = (100, 1) if quick else (STEPS, 5)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = (
            "ensemble=nvt",
            "ensemble.duration=10",
            f"ensemble.fractions=[{COMPOSITION}]",
            f"ensemble.training=[[{COMPOSITION}]]",
            "model.loss.stress=1",
            f"model.max_steps={200 if quick else TRAINED}",
        )
        measure(python("benchmarks.drive", "study", folder / "store", "md", *words), folder)
        for kind in KINDS:
            ours, bare = [], []
            for _ in range(repeats):
                ours.append(_measured(folder, "ours", kind, steps))
                bare.append(_measured(folder, "bare", kind, steps))
            about = f"{kind}, {steps} steps, {_atoms(folder)} atoms"
            rows.append(_row(about, "seconds", steps, ours, bare, AIM))
            rows.append(_row("CPU", "cpu", steps, ours, bare, ""))
    columns = ("", "ilmlip, steps/s", "ASE's loop, steps/s", "ratio", "aim")
    return Table("md", ("ase", "nequip", "torch"), columns, rows)


def _row(
    about: str, which: str, steps: int, ours: Seconds, bare: Seconds, aim: str
) -> tuple[str, ...]:
    return (
        about,
        spread([steps / one[which] for one in ours], number),
        spread([steps / one[which] for one in bare], number),
        spread([b[which] / o[which] for o, b in zip(ours, bare, strict=True)], ratio),
        aim,
    )


def _store(folder: Path) -> tuple[Path, Path]:
    """The folders of the trained model and of its start."""
    store = Store(folder / "store")
    (model,) = (k for k in store.keys() if k.startswith("train-"))  # noqa: SIM118
    run = next(k for k in store.keys() if k.startswith("md-"))  # noqa: SIM118
    result = store.result(run)
    if result is None:
        raise RuntimeError(f"{run} left no result")
    return store.folder(model), store.folder(result.needs["structure"][0])


def _atoms(folder: Path) -> int:
    return len(read(_store(folder)[1] / "trajectory.extxyz")[-1])


def _measured(folder: Path, which: str, kind: str, steps: int) -> Mapping[str, float]:
    model, start = _store(folder)
    work = folder / which
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    measure(python("benchmarks.running", which, model, start, kind, steps), work)
    return answer(work)


def run(which: str, model: str, start: str, kind: str, count: str) -> None:
    """One run in this process, in the current folder; prints its seconds without the imports."""
    words = [f"ensemble={kind}", f"ensemble.duration={int(count) / 2}"]
    if kind == "npt":
        words.append(f"ensemble.barostat_time={BAROSTAT}")
    spec = load(["quickstart", *words])
    (made,) = spec.ensemble.runs()
    atoms = read(Path(start) / "trajectory.extxyz")[-1]
    calculator = nequip.calculator(Path(model))
    warm = atoms.copy()
    warm.calc = calculator
    for _ in range(5):
        warm.rattle(0.01)
        warm.get_forces()
    began, busy = time.monotonic(), time.process_time()
    if which == "ours":
        _through(atoms, calculator, made)
    else:
        _alone(atoms, calculator, made, int(count))
    used = {"seconds": time.monotonic() - began, "cpu": time.process_time() - busy}
    print(json.dumps(used))


NEVER = Guards(temperature=1e9, force=1e9, distance=1e-3, densities=(1e-6, 1e6))
"""ASE's loop has no guards, and both must do the same steps."""


def _through(atoms: Any, calculator: Any, made: Any) -> None:
    every = model_dynamics.Every(*EVERY, restart=500)
    ended = model_dynamics.run(atoms, calculator, made, 1, every, NEVER, Path.cwd())
    if ended.reason:
        raise RuntimeError(f"the run ended at step {ended.steps}: {ended.reason}")


def _alone(atoms: Any, calculator: Any, made: Any, steps: int) -> None:
    """As ASE's documentation has it: an integrator, a log and a trajectory."""
    atoms.calc = calculator
    start_velocities(atoms, made.temperature, 1)
    common = {"temperature_K": made.temperature, "tdamp": made.thermostat_time * fs}
    common |= {"logfile": "md.log", "loginterval": EVERY[0]}
    if made.kind == "nvt":
        mover: Any = NoseHooverChainNVT(atoms, made.timestep * fs, **common)
    else:
        common |= {"pressure_au": made.pressure * bar, "pdamp": made.barostat_time * fs}
        mover = IsotropicMTKNPT(atoms, made.timestep * fs, **common)
    with contextlib.closing(Trajectory("md.traj", "w", atoms)) as frames:
        mover.attach(frames.write, interval=EVERY[1])
        mover.run(steps)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    run(*sys.argv[1:])
