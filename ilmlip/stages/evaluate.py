"""Stage `evaluate`: one model's errors on one test set."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ilmlip.chemistry.labelled import Frame, read_frames
from ilmlip.observables.errors import (
    energy_errors,
    force_errors,
    ion_energies,
    means,
    stress_errors,
)
from ilmlip.record import Record, field
from ilmlip.spec.outside import Calculator
from ilmlip.stages.base import Inputs, Output, Resources, Size, Stage
from ilmlip.stages.costs import EVALUATION, PER_ATOM

if TYPE_CHECKING:
    from ilmlip.engines.nequip import Prediction


FILES = ("predictions.npz", "errors.json")


class Params(Record):
    """Which kind of model it is."""

    kind: Literal["nequip", "linear", "outside"] = field(
        "nequip: a network; linear: energies per ion; outside: a model that is not the study's"
    )
    outside: Calculator | None = field("The model from outside", default=None, later=True)


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Predict every frame of role `dataset` by role `model`; writes predictions.npz, errors.json.

    values: errors in meV/atom, meV/Å and meV/Å³, each with `_stderr` over frames; `ion_energies` in
    eV; `n_frames`. predictions.npz holds `n_atoms`, `energy` and `energy_reference` of each frame
    and, for a network, `forces`, `forces_reference` (all atoms of all frames, 3), `symbols` and
    `atomic_energy` of all atoms, `stress` and `stress_reference` (frames, 6; NaN for labels without).
    """
    frames = read_frames(inputs.one("dataset").path / "test.extxyz")
    if params.outside is not None:
        arrays, values, tools = _outside(frames, params.outside, inputs.how.get("path"))
    else:
        predict = _network if params.kind == "nequip" else _linear
        arrays, values, tools = predict(frames, inputs.one("model").path)
    n_atoms = np.array([len(frame) for frame in frames])
    reference = np.array([frame.energy for frame in frames])
    arrays |= {"n_atoms": n_atoms, "energy_reference": reference}
    values |= energy_errors(arrays["energy"], reference, n_atoms) | {"n_frames": len(frames)}
    return written(work, arrays, values, tools)


def written(
    work: Path, arrays: dict[str, Any], values: dict[str, Any], tools: Mapping[str, str]
) -> Output:
    """Write FILES, and what the stage returns."""
    np.savez(work / FILES[0], **arrays)
    (work / FILES[1]).write_text(
        json.dumps(values, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )
    return Output(files=FILES, values=values, tools=tools)


def read_predictions(folder: Path) -> dict[str, Any]:
    """The arrays of predictions.npz, by name."""
    with np.load(folder / FILES[0], allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


Predicted = tuple[dict[str, Any], dict[str, Any], dict[str, str]]
"""Arrays for predictions.npz, values, and the versions of the tools."""


def _network(frames: list[Frame], model: Path) -> Predicted:
    from ilmlip.engines import nequip

    return (*_compared(frames, nequip.load(model).predict(frames)), nequip.tools())


def _outside(frames: list[Frame], model: Calculator, path: str | None) -> Predicted:
    """A calculator that has no stress or no atomic energies has no values of them."""
    from ilmlip.engines import outside

    found, tools = outside.predict(model, Path(path) if path else None, frames)
    return (*_compared(frames, found), tools)


def _compared(
    frames: list[Frame], found: Sequence[Prediction]
) -> tuple[dict[str, Any], dict[str, Any]]:
    absent = np.full(6, np.nan)
    arrays = {
        "energy": np.array([p.energy for p in found]),
        "stress": np.array([p.stress for p in found]),
        "stress_reference": np.array(
            [absent if frame.stress is None else frame.stress for frame in frames]
        ),
        "symbols": np.concatenate([np.array(frame.symbols) for frame in frames]),
        "forces": np.concatenate([p.forces for p in found]),
        "forces_reference": np.concatenate([frame.forces for frame in frames]),
        "atomic_energy": np.concatenate([p.atomic_energies for p in found]),
    }
    return arrays, errors_of(frames, arrays)


def errors_of(frames: Sequence[Frame], arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Errors of forces and stress, and energies per ion where there are atomic ones.

    arrays: as predictions.npz has them, of all atoms of all `frames`.
    """
    ends = np.cumsum([len(frame) for frame in frames])[:-1]
    forces, reference = (np.split(arrays[n], ends) for n in ("forces", "forces_reference"))
    values: dict[str, Any] = force_errors(forces, reference, [frame.symbols for frame in frames])
    stress, labelled = arrays["stress"], arrays["stress_reference"]
    known = np.isfinite(labelled).all(axis=1) & np.isfinite(stress).all(axis=1)
    if known.any():
        values |= stress_errors(stress[known], labelled[known])
    if np.isfinite(arrays["atomic_energy"]).all():
        values["ion_energies"], values["ion_energies_stderr"] = means(
            ion_energies(
                np.split(arrays["atomic_energy"], ends),
                [frame.ion_ids for frame in frames],
                [frame.ion_types for frame in frames],
            )
        )
    return values


def _linear(frames: list[Frame], model: Path) -> Predicted:
    """An ion that the linear model has not seen has no energy: that is the smallest norm."""
    energies: dict[str, float] = json.loads((model / "linear.json").read_text(encoding="utf-8"))[
        "energies"
    ]
    present = sorted({ion for frame in frames for ion in frame.ions()})
    energies = {ion: energies.get(ion, 0.0) for ion in present}
    found = [sum(energies[ion] for ion in frame.ions()) for frame in frames]
    values = {"ion_energies": energies, "ion_energies_stderr": dict.fromkeys(present, 0.0)}
    return {"energy": np.array(found)}, values, {}


def seconds(params: Params, size: Size) -> float:
    """Linear in frames and atoms; a linear model (weight 0) takes no time."""
    return 2.0 + size.frames * size.atoms * size.weight * PER_ATOM


STAGE = Stage(
    "evaluate",
    2,
    Params,
    run,
    Resources(cores=1, memory_gb=1.2, seconds=2),
    seconds,
    law=EVALUATION,
)
