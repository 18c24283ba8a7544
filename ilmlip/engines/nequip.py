"""nequip: train by its own command, read what it left, and predict with the model.

The model is the newest state, not the one with the smallest validation error: the learning rate
goes down to zero, so the end is the quietest point, while a handful of validation frames of the
training compositions picks by noise and cannot see the composition gap at all.
"""

from __future__ import annotations

import csv
import json
import math
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ilmlip.chemistry.labelled import Frame
from ilmlip.engines import nequip_resume, nequip_weights
from ilmlip.engines.attempts import attempts
from ilmlip.engines.nequip_config import BROKEN, CONFIG, guarded, training_config
from ilmlip.engines.nequip_weights import CHECKPOINT, NETWORK, WEIGHTS
from ilmlip.engines.process import RANKS, execute
from ilmlip.errors import StageError
from ilmlip.hashing import file_digest
from ilmlip.spec.model import Training
from ilmlip.units import MEV

Array = NDArray[np.float64]

GUARDED = "guarded.yaml"
LOG = "nequip.log"
CURVE = "curve.csv"
ATOMS_AT_ONCE = 1500
"""Atoms in one batch of a prediction: enough to be fast, little memory."""

_CURVE_COLUMNS = {
    "train_loss": ("train_loss_epoch/weighted_sum", 1.0),
    "val_loss": ("val0_epoch/weighted_sum", 1.0),
    "val_energy_mae": ("val0_epoch/per_atom_energy_mae", MEV),
    "val_energy_rmse": ("val0_epoch/per_atom_energy_rmse", MEV),
    "val_force_mae": ("val0_epoch/forces_mae", MEV),
    "val_force_rmse": ("val0_epoch/forces_rmse", MEV),
    "val_stress_mae": ("val0_epoch/stress_mae", MEV),
}
"""Columns of our curve: nequip's name of each, and the unit that its value is given in."""


def tools() -> dict[str, str]:
    """Versions of what trains and predicts."""
    return {name: version(name) for name in ("nequip", "nequip-allegro", "torch", "e3nn")}


def write(
    training: Training,
    shifts: Mapping[str, float],
    work: Path,
    *,
    some_stress: bool = False,
    device: str = "cpu",
) -> Path:
    """Write the config into a folder that holds train.extxyz and val.extxyz.

    `nequip-train -cn config`, started in that folder, does the same training without us; what is
    run is GUARDED, which adds a watch over the loss. `some_stress`, `device`: see `training_config`.
    """
    import yaml

    path = work / CONFIG
    header = "# nequip-train -cn config  (in this folder, beside train.extxyz and val.extxyz)\n"
    config = training_config(training, shifts, some_stress=some_stress, device=device)
    path.write_text(header + yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    (work / GUARDED).write_text(yaml.safe_dump(guarded(config), sort_keys=False), encoding="utf-8")
    nequip_resume.note(work, tools())
    return path


def check_device(device: str) -> None:
    """Raise StageError for a device that torch does not find here."""
    if device == "cpu":
        return
    import torch  # else only after the training, beside which it need not lie in memory

    if not torch.cuda.is_available():
        raise StageError(
            f"cluster.device is cuda, and torch {torch.__version__} finds no CUDA device on this "
            "machine; set cluster.device=cpu, or run where there is one, with a CUDA build of torch"
        )


def train(work: Path, earlier: Path | None = None) -> tuple[list[dict[str, float]], int | None]:
    """Run nequip-train in a folder with its config.

    Goes on from the last checkpoint of `earlier`, the folder of an attempt that was broken off, if
    that was the same training. Returns the curve, one row an epoch, and the step that it went on
    from (None: from none). Leaves CHECKPOINT, CURVE and LOG. Raises StageError if the command
    fails, if the loss is not finite (naming the step and the batch's frames), or if there is no
    checkpoint.
    """
    taken = (nequip_resume.take_over(folder, work) for folder in attempts(earlier))
    begun = next((step for step in taken if step is not None), None)
    # beside this Python: an environment need not be activated
    program = Path(sys.executable).with_name("nequip-train")
    command = [str(program), "-cn", Path(GUARDED).stem, "hydra.run.dir=nequip"]
    if begun is not None:
        command.append(f"+ckpt_path={nequip_resume.BEGIN}")
    environment = {"OMP_NUM_THREADS": _threads()}
    shown = shlex.join([program.name, *command[1:]])
    try:
        execute(
            command,
            work,
            LOG,
            environment=environment,
            errors=("Error:", "Error(", "Exception:"),
            without=RANKS,
        )
    except StageError as error:
        raise _broken(work, error) from error
    nequip_resume.finish(work)
    curve = read_curve(*nequip_resume.curve_parts(work))
    _refuse_nan(curve, work, shown)
    if not (work / CHECKPOINT).is_file():
        raise StageError("nequip-train left no checkpoint", command=shown, log=LOG)
    with (work / CURVE).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(curve[-1]))
        writer.writeheader()
        writer.writerows(curve)
    return curve, begun


def _broken(work: Path, error: StageError) -> StageError:
    """A training that failed: if by its loss, at which step and with which frames."""
    if not (work / BROKEN).is_file():
        return error
    nequip_resume.forget(work)
    found = json.loads((work / BROKEN).read_text(encoding="utf-8"))
    frames = ", ".join(str(i) for i in found["frames"])
    return StageError(
        f"the loss is {found['loss']} at step {found['step']}, with frames {frames} (from 0) of "
        "train.extxyz; look at them, or lower model.learning_rate",
        command=error.command,
        log=error.log,
    )


def _threads() -> str:
    """Threads that this process may use: one, if nobody said otherwise."""
    return os.environ.get("OMP_NUM_THREADS", "1")


def _refuse_nan(curve: Sequence[Mapping[str, float]], work: Path, command: str) -> None:
    for row in curve:
        for name in ("train_loss", "val_loss"):
            if not math.isfinite(row.get(name, 0.0)):
                nequip_resume.forget(work)
                raise StageError(
                    f"{name} is {row[name]} at step {row['step']:.0f}; lower model.learning_rate",
                    command=command,
                    log=LOG,
                )


def read_curve(*parts: Path) -> list[dict[str, float]]:
    """nequip's metrics.csv as one row an epoch: step, epoch, losses, errors in meV/atom, meV/Å.

    Several files are those of a training that was broken off and went on; what it did twice counts
    as the later one has it. An epoch that max_steps cut short has no validation and no row. Raises
    StageError if there is no file or no validation.
    """
    if not parts or not all(path.is_file() for path in parts):
        raise StageError("nequip-train left no training curve", log=LOG)
    epochs: dict[int, dict[str, float]] = {}
    for path in parts:
        own: dict[int, dict[str, float]] = {}
        with path.open(newline="") as stream:
            for raw in csv.DictReader(stream):
                epoch = int(raw["epoch"])
                row = own.setdefault(epoch, {"step": 0.0, "epoch": float(epoch)})
                row["step"] = max(row["step"], float(raw["step"]) + 1)
                for name, (theirs, unit) in _CURVE_COLUMNS.items():
                    if raw.get(theirs):
                        row[name] = float(raw[theirs]) / unit
        epochs |= own
    order = ("step", "epoch", *_CURVE_COLUMNS)
    rows = [
        {name: row[name] for name in order if name in row}
        for _, row in sorted(epochs.items())
        if "val_loss" in row
    ]
    if not rows:
        raise StageError(
            "the training ended before its first validation; raise model.max_steps", log=LOG
        )
    return rows


@dataclass(frozen=True)
class Prediction:
    """What a model says of one frame."""

    energy: float
    """eV."""
    forces: Array
    """(atoms, 3), eV/Å."""
    atomic_energies: Array
    """(atoms,), eV."""
    stress: Array
    """(6,): xx, yy, zz, yz, xz, xy, eV/Å³, positive is tension."""


class Potential:
    """A trained model that predicts frames; made by `load`."""

    def __init__(self, folder: Path) -> None:
        import torch
        from nequip.integrations.utils import basic_transforms

        torch.set_num_threads(int(_threads()))
        network, self._model = nequip_weights.read(folder)
        self.types: tuple[str, ...] = network.elements
        self.architecture = network.training.architecture
        self._transforms = basic_transforms(
            self._model.metadata,
            network.training.r_max,
            list(self.types),
            {t: t for t in self.types},
        )

    def predict(self, frames: Sequence[Frame]) -> list[Prediction]:
        """Energy, forces, stress and atomic energies of each frame.

        Raises StageError for a frame with an element that the model does not know, and when what
        it predicts is not finite.
        """
        unknown = sorted({s for frame in frames for s in frame.symbols} - set(self.types))
        if unknown:
            raise StageError(
                f"the frames hold {', '.join(unknown)}; the model knows {', '.join(self.types)}"
            )
        found: list[Prediction] = []
        for batch in batches([len(frame) for frame in frames], ATOMS_AT_ONCE):
            found += self._batch([frames[i] for i in batch])
        for index, one in enumerate(found):
            if not (np.isfinite(one.energy) and np.isfinite(one.forces).all()):
                raise StageError(f"the model predicts no finite number for frame {index} (from 0)")
        return found

    def _batch(self, frames: Sequence[Frame]) -> list[Prediction]:
        from ase.stress import full_3x3_to_voigt_6_stress
        from nequip.data import AtomicDataDict, from_ase

        data = []
        for frame in frames:
            item: Any = from_ase(frame.atoms())
            for transform in self._transforms:
                item = transform(item)
            data.append(item)
        out = self._model(AtomicDataDict.batched_from_list(data))
        energy, forces, atomic, stress = (
            out[key].detach().numpy().astype(float)
            for key in ("total_energy", "forces", "atomic_energy", "stress")
        )
        ends = np.cumsum([len(frame) for frame in frames])[:-1]
        return [
            Prediction(float(e), f, a, full_3x3_to_voigt_6_stress(s))
            for e, f, a, s in zip(
                energy.reshape(-1),
                np.split(forces, ends),
                np.split(atomic[:, 0], ends),
                stress,
                strict=True,
            )
        ]


def load(folder: Path) -> Potential:
    """The model that a training left in a folder, loaded once in a process.

    Raises StageError if there is none, or if its files are damaged.
    """
    missing = [name for name in (NETWORK, WEIGHTS) if not (folder / name).is_file()]
    if missing:
        raise StageError(f"there is no trained model: {missing[0]} is missing")
    return _load(folder, file_digest(folder / NETWORK), file_digest(folder / WEIGHTS))


@lru_cache(maxsize=8)
def _load(folder: Path, _network: str, _weights: str) -> Potential:
    return Potential(folder)


def calculator(folder: Path) -> Any:
    """ASE's calculator of the model that a training left in a folder. Raises StageError as `load`."""
    from nequip.integrations.ase import NequIPCalculator

    found = load(folder)
    return NequIPCalculator(found._model, device="cpu", transforms=found._transforms)


def batches(sizes: Sequence[int], limit: int) -> list[list[int]]:
    """Indices in order, in batches whose sizes sum to at most `limit` (a larger one is alone)."""
    found: list[list[int]] = []
    room = 0
    for index, size in enumerate(sizes):
        if not found or size > room:
            found.append([])
            room = limit
        found[-1].append(index)
        room -= size
    return found
