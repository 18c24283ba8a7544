"""Stage `train`: one model, one seed, trained by nequip in a process of its own.

What is linear in the numbers of atoms is solved and not trained: gradient descent closes the gap
between compositions last of all. The elements' energies start from least squares over the
training frames, and are solved again on what the trained network leaves. Where compositions do
not determine them, the smallest norm leaves the free direction as the network has it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ilmlip.chemistry.labelled import Frame, read_frames
from ilmlip.engines import nequip, nequip_start, nequip_weights
from ilmlip.engines.attempts import attempts
from ilmlip.engines.nequip_config import CONFIG, TRAIN_FILE, VAL_FILE
from ilmlip.errors import StageError
from ilmlip.grammar import counted, plural
from ilmlip.observables.errors import energy_errors, force_errors
from ilmlip.observables.shifts import solve
from ilmlip.record import Record, field
from ilmlip.spec.model import Training
from ilmlip.stages.base import Given, Inputs, Output, Resources, Size, Stage
from ilmlip.stages.costs import PER_ATOM_TRAINED, TRAINING, weight

DATA = (TRAIN_FILE, VAL_FILE)
FILES = (
    nequip_weights.NETWORK,
    nequip_weights.WEIGHTS,
    nequip_weights.CHECKPOINT,
    CONFIG,
    nequip.CURVE,
)


class Params(Record):
    """Everything that changes what is learnt."""

    training: Training = field("The model, its training and its seed")
    elements: tuple[str, ...] = field(
        "Elements that the model knows beside those of the frames", default=()
    )


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Train on role `dataset`; writes the model, config.yaml, curve.csv.

    The model is model.json and weights.npz, and once more model.ckpt for nequip's own tools. A
    training that was broken off goes on from its last checkpoint. Of a round of learning on the fly
    (role `round`: what it chose) that added nothing, the model is that of role `earlier`.

    values: `shifts` of the elements in eV before (`start`) and in the model (`end`); errors of the
    model on the validation frames (`val_energy_mae`, meV/atom, `val_force_mae`, meV/Å …); steps.
    """
    if "round" in inputs.roles and not any(one.values["chosen"] for one in inputs.all("round")):
        return _carried(inputs.one("earlier"), work)
    device = str(inputs.how.get("device", "cpu"))
    nequip.check_device(device)
    data = inputs.one("dataset").path
    for name in DATA:
        shutil.copyfile(data / name, work / name)
    frames, held = (read_frames(work / name) for name in DATA)
    some_stress = _check(params.training, frames, held)
    start = _start(params, inputs, frames, held, work)
    nequip.write(params.training, start, work, some_stress=some_stress, device=device)
    began = time.monotonic()
    curve, begun = nequip.train(work, inputs.earlier)
    seconds = time.monotonic() - began
    network = None
    if params.training.fine_tune is not None:
        network = nequip_start.network(params.training, start, work)
    steps = nequip_weights.export(work, params.training, network=network)
    end = dict(start)
    if params.training.refit_shifts:
        end = refitted(start, frames, nequip.load(work))
        nequip_weights.export(work, params.training, end)
    values = {
        "steps": steps,
        "epochs": len(curve),
        "frames": {"train": len(frames), "val": len(held)},
        "elements": list(start),
        "shifts": {"start": start, "end": end},
        **_validation(held, nequip.load(work)),
    }
    return Output(
        files=FILES,
        values=values,
        tools=nequip.tools(),
        notes={"nequip_train_seconds": seconds, "went_on_from_step": begun},
        logs=(nequip.LOG, *_earlier_logs(inputs.earlier, work)),
    )


def _earlier_logs(earlier: Path | None, work: Path) -> Iterator[str]:
    """Logs of the attempts that were broken off, copied into `work`; the last one is the first."""
    for number, folder in enumerate(attempts(earlier), start=1):
        if (folder / nequip.LOG).is_file():
            name = f"before-{number}-{nequip.LOG}"
            shutil.copyfile(folder / nequip.LOG, work / name)
            yield name


def _carried(earlier: Given, work: Path) -> Output:
    """The model of the round before, as it is: there is nothing new to learn."""
    for name in FILES:
        shutil.copyfile(earlier.path / name, work / name)
    notes = {"nequip_train_seconds": 0.0, "went_on_from_step": None}
    return Output(FILES, {**earlier.values, "carried": True}, nequip.tools(), notes)


def _check(training: Training, frames: list[Frame], held: list[Frame]) -> bool:
    """Whether the frames can be trained on; True if only some have a stress, and it is learnt.

    nequip leaves frames without stress out of the stress's error, but has no error for a batch in
    which no frame has one.
    """
    size = training.batch_size
    if size > len(frames):
        raise StageError(
            f"model.batch_size is {size}, and there {plural(len(frames), 'is')} "
            f"{counted(len(frames), 'frame')} to train on; lower it, or raise dataset.frames"
        )
    bare = sum(frame.stress is None for frame in frames)
    if not training.loss.stress or not (bare or any(f.stress is None for f in held)):
        return False
    if bare == len(frames) or all(frame.stress is None for frame in held):
        raise StageError(
            "model.loss.stress weighs the stress, and the labels have none; "
            "set dft.stress=true or model.loss.stress=0"
        )
    smallest = min(size, len(frames) % size or size)
    if bare >= smallest:
        raise StageError(
            f"{bare} of {len(frames)} frames have no stress, so that a batch of {smallest} may hold "
            "none, of which there is no error: set model.batch_size larger than the number of those "
            "frames and such that it divides the number of all, or model.loss.stress=0"
        )
    return True


def _start(
    params: Params, inputs: Inputs, frames: list[Frame], held: list[Frame], work: Path
) -> dict[str, float]:
    """The energy of each element that the model knows, eV, in the order of its types."""
    if params.training.fine_tune is not None:
        return nequip_start.prepare(params.training, inputs.how.get("path"), frames, work)
    present = {symbol for frame in (*frames, *held) for symbol in frame.symbols}
    types = sorted(present | set(params.elements))
    if params.training.shifts != "isolated":
        return starting_shifts(params.training.shifts, frames, types)
    atoms = {given.values["element"]: given.values["energy"] for given in inputs.all("atoms")}
    lacking = [element for element in types if element not in atoms]
    if lacking:
        raise StageError(f"no energy of a single atom of {', '.join(lacking)} is there")
    return {element: float(atoms[element]) for element in types}


def starting_shifts(kind: str, frames: list[Frame], types: list[str]) -> dict[str, float]:
    """The energy of each element (eV) before training: `zero`, `mean` or `least_squares`."""
    energies = np.array([frame.energy for frame in frames])
    return solve(kind, [frame.symbols for frame in frames], energies, types)


def refitted(
    start: dict[str, float], frames: list[Frame], model: nequip.Potential
) -> dict[str, float]:
    """The shifts, plus least squares of smallest norm over the model's residuals on its frames."""
    types = list(start)
    residuals = np.array(
        [
            frame.energy - predicted.energy
            for frame, predicted in zip(frames, model.predict(frames), strict=True)
        ]
    )
    step = solve("least_squares", [frame.symbols for frame in frames], residuals, types)
    return {element: start[element] + step[element] for element in types}


def _validation(frames: list[Frame], model: nequip.Potential) -> dict[str, float]:
    found = model.predict(frames)
    n_atoms = np.array([len(frame) for frame in frames])
    energies = np.array([frame.energy for frame in frames])
    errors = energy_errors(np.array([p.energy for p in found]), energies, n_atoms)
    errors |= force_errors(
        [p.forces for p in found],
        [frame.forces for frame in frames],
        [frame.symbols for frame in frames],
    )
    return {f"val_{name}": errors[name] for name in errors if not name.endswith("stderr")}


def seconds(params: Params, size: Size) -> float:
    """Linear in steps, frames of a batch and atoms."""
    made = params.training
    return 15.0 + made.max_steps * made.batch_size * size.atoms * PER_ATOM_TRAINED * weight(made)


STAGE = Stage(
    "train",
    2,
    Params,
    run,
    Resources(cores=1, memory_gb=2.0, seconds=90),
    seconds,
    law=TRAINING,
    goes_on=True,
)
