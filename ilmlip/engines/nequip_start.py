"""Fine-tuning: a training that starts from the weights of a packaged model, as nequip does it.

nequip-train opens the package, which runs the code in it; the spec names the file, and its digest is
that of the key. The network that the package says it holds must be the one that the recipe describes:
then its weights fit a network of our own, and what comes out is a model like any other, which needs
the package no more.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ilmlip.chemistry.labelled import Frame
from ilmlip.engines import outside
from ilmlip.engines.nequip_config import START, model_config
from ilmlip.errors import SpecError
from ilmlip.observables.shifts import solve
from ilmlip.spec.model import NAMED, Training
from ilmlip.spec.outside import MOST, Calculator, elements_of_file

_FOLLOWS = ("seed", "type_names", "avg_num_neighbors", "compile_mode", "do_derivatives")
"""Arguments that say nothing of the network's shape, or follow from the data."""
_SCALE_SHIFT = ("per_type_energy_scales", "per_type_energy_shifts")


@dataclass(frozen=True)
class Packaged:
    """What a packaged model says of itself."""

    elements: tuple[str, ...]
    """Its types, in the order of its weights."""
    network: Mapping[str, Any]
    """nequip's builder (`_target_`) and its arguments."""


@lru_cache(maxsize=16)
def describe(path: str, sha256: str) -> Packaged:
    """Read what a packaged model says of itself; nothing in the file is run. Raises ValueError."""
    elements = elements_of_file(path, sha256)
    with zipfile.ZipFile(path) as archive:
        members = [i for i in archive.infolist() if i.filename.endswith("/model/config.yaml")]
        if len(members) != 1 or members[0].file_size > MOST:
            raise ValueError("does not say what its network is made of (model/config.yaml)")
        try:
            config = yaml.safe_load(archive.read(members[0]).decode())
            network = config["training_module"]["model"]
        except (ValueError, yaml.YAMLError, RecursionError, LookupError, TypeError):
            raise ValueError("is damaged: model/config.yaml cannot be read") from None
    while isinstance(network, dict) and network.get("_target_") == "nequip.model.modify":
        network = network.get("model")
    if not isinstance(network, dict) or not isinstance(network.get("avg_num_neighbors"), float):
        raise ValueError(
            "does not say what its network is made of: it may have been fine-tuned by nequip alone, "
            "from a package that it only names"
        )
    return Packaged(elements, network)


def check(training: Training, path: str, sha256: str, elements: Sequence[str]) -> None:
    """Raise SpecError unless a package holds the recipe's network and knows the elements."""
    where = "model.fine_tune.package"
    try:
        there = describe(path, sha256)
    except ValueError as error:
        raise SpecError(where, f"{Path(path).name} {error}") from None
    if unknown := sorted(set(elements) - set(there.elements)):
        raise SpecError(
            where,
            f"does not know {', '.join(unknown)}, which the frames hold; it knows "
            f"{', '.join(there.elements)}",
        )
    wanted = _shape(model_config(training, dict.fromkeys(there.elements, 0.0)))
    given = _shape(there.network)
    differing = sorted(
        name
        for name in {*wanted, *given}
        if wanted.get(name) != given.get(name, _DEFAULTS.get(name))
    )
    if not differing:
        return
    named = dict.fromkeys(_field(name) for name in differing)
    shown = [f"{name} {given.get(name)} (the recipe: {wanted.get(name)})" for name in differing]
    raise SpecError(
        where,
        f"holds another network than the recipe describes: {'; '.join(shown)}. "
        f"Set {', '.join(named)} to what it has, or start from another package",
    )


_DEFAULTS: dict[str, Any] = {"parity": True, "num_bessels": 8}
"""nequip's values of what a package may leave out."""


def _shape(network: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the shape of a network's weights, and how they are used; one level deep."""
    found: dict[str, Any] = {}
    for name, value in network.items():
        if name in _FOLLOWS or name in _SCALE_SHIFT or value is None:
            continue
        if name == "pair_potential":
            found[name] = value.get("_target_")
        elif isinstance(value, dict):
            found |= {f"{name}.{key}": inner for key, inner in value.items()}
        else:
            found[name] = value
    return found


def _field(name: str) -> str:
    """The spec's field of an argument of nequip's."""
    if name == "_target_":
        return "model.architecture"
    first = name.partition(".")[0]
    return f"model.{NAMED[first]}" if NAMED.get(first) else f"model.native.{first}"


def prepare(
    training: Training, path: str | None, frames: Sequence[Frame], work: Path
) -> dict[str, float]:
    """Copy the package to START in `work`; the energy of each of its elements to begin with, eV.

    They are those of the packaged model, corrected as the recipe's `shifts` says. This opens the
    package. Raises StageError if the file is not the one that the training is of, or does not open.
    """
    if training.fine_tune is None:
        raise ValueError("the training starts from no package")
    model = Calculator(sha256=training.fine_tune.sha256)
    calculator, _ = outside.opened(model, Path(path) if path else None)
    shutil.copyfile(str(path), work / START)
    elements = described(training, work).elements
    predicted = outside.predictions(calculator, frames)
    left = np.array([f.energy - p.energy for f, p in zip(frames, predicted, strict=True)])
    step = solve(training.shifts, [frame.symbols for frame in frames], left, elements)
    return {
        element: energy + step[element]
        for element, energy in zip(elements, _shifts(calculator.model), strict=True)
    }


def described(training: Training, work: Path) -> Packaged:
    """What the package that a training starts from says of itself."""
    sha256 = training.fine_tune.sha256 if training.fine_tune else ""
    return describe(str(work / START), sha256)


def network(training: Training, shifts: Mapping[str, float], work: Path) -> dict[str, Any]:
    """The network of a fine-tuned model by nequip's builder alone, as one that needs no package."""
    mean = described(training, work).network["avg_num_neighbors"]
    return model_config(training, shifts) | {"avg_num_neighbors": mean}


def _shifts(model: Any) -> list[float]:
    """The energy of each element in an opened model, eV, in the order of its types."""
    (shifts,) = [t for name, t in model.state_dict().items() if name.endswith("scale_shift.shifts")]
    found: list[float] = shifts.flatten().tolist()
    return found
