"""Models from outside: files of nequip's and calculators of ASE, which predict as ours do."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ilmlip.chemistry.labelled import Frame
from ilmlip.engines.nequip import Prediction
from ilmlip.errors import StageError
from ilmlip.hashing import file_digest
from ilmlip.spec.outside import PACKAGED, Calculator, lacks_calculator


def predict(
    model: Calculator, path: Path | None, frames: Sequence[Frame]
) -> tuple[list[Prediction], dict[str, str]]:
    """Energy, forces, stress and, if it has them, atomic energies of each frame; and the tools.

    Atomic energies and stress are NaN where the calculator has none. A file is opened here, which
    runs the code in it, and only if it is the one whose SHA-256 `model` states. Raises StageError.
    """
    calculator, tools = opened(model, path)
    return predictions(calculator, frames), tools


def predictions(calculator: Any, frames: Sequence[Frame]) -> list[Prediction]:
    """What a calculator says of each frame, as `predict`. Raises StageError."""
    return [_one(calculator, frame, index) for index, frame in enumerate(frames)]


def _one(calculator: Any, frame: Frame, index: int) -> Prediction:
    atoms = frame.atoms()
    atoms.calc = calculator
    try:
        energy, forces = float(atoms.get_potential_energy()), np.asarray(atoms.get_forces(), float)
        stress = _optional(atoms.get_stress, (6,))
        atomic = _optional(atoms.get_potential_energies, (len(frame),))
    except Exception as error:  # whatever a calculator raises
        said = " ".join(str(error).split())[:300] or type(error).__name__
        raise StageError(f"the model cannot predict frame {index} (from 0): {said}") from error
    if not (np.isfinite(energy) and np.isfinite(forces).all()):
        raise StageError(f"the model predicts no finite number for frame {index} (from 0)")
    return Prediction(energy, forces, atomic, stress)


def _optional(ask: Any, shape: tuple[int, ...]) -> Any:
    from ase.calculators.calculator import PropertyNotImplementedError

    try:
        return np.asarray(ask(), float).reshape(shape)
    except PropertyNotImplementedError:
        return np.full(shape, np.nan)


def opened(model: Calculator, path: Path | None) -> tuple[Any, dict[str, str]]:
    """A model from outside as ASE's calculator, and the tools; opens a file as `predict` does."""
    if model.calculator is None:
        return _of_file(model, path)
    if missing := lacks_calculator(model.calculator):
        raise StageError(missing)
    given = dict(model.parameters)
    if model.calculator in ("gfn1_xtb", "gfn2_xtb"):
        from ilmlip.engines import xtb

        method = {"gfn1_xtb": "GFN1-xTB", "gfn2_xtb": "GFN2-xTB"}[model.calculator]
        return xtb.calculator(method, given), xtb.tools()
    if model.calculator == "chgnet":
        from chgnet.model.dynamics import CHGNetCalculator

        return CHGNetCalculator(use_device="cpu"), {"chgnet": version("chgnet")}
    from ase.calculators.emt import EMT
    from ase.calculators.lj import LennardJones

    made = EMT() if model.calculator == "emt" else LennardJones(**given)
    return made, {"ase": version("ase")}


def _of_file(model: Calculator, path: Path | None) -> tuple[Any, dict[str, str]]:
    from ilmlip.engines import nequip, nequip_package

    if path is None or not path.is_file():
        raise StageError(f"the model's file {path or ''} is not there any more")
    if file_digest(path) != model.sha256:
        raise StageError(f"{path.name} is another file than the one that the study was made of")
    try:
        made = nequip_package.calculator(path, packaged=path.name.endswith(PACKAGED))
    except Exception as error:  # whatever lies in a stranger's file
        said = " ".join(str(error).split())[:300] or type(error).__name__
        raise StageError(f"{path.name} cannot be opened by this nequip: {said}") from error
    return made, nequip.tools()
