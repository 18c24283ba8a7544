"""What MLflow runs to predict with a packaged model; MLflow keeps this file beside the package.

It needs nequip and ASE, and nothing of ilmlip: `mlflow.pyfunc.load_model("runs:/<id>/model")` gives
a model whose `predict` takes extended XYZ, as paths or as text, and answers with a table.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow.models
import mlflow.pyfunc

if TYPE_CHECKING:
    import pandas
    from ase import Atoms

NAN = float("nan")


class Predictor(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
    """A packaged model that predicts frames."""

    def load_context(self, context: Any) -> None:
        """Open the package: this runs the code that lies in it."""
        from nequip.integrations.ase import NequIPCalculator

        path = context.artifacts["package"]
        read = getattr(NequIPCalculator, "_from_saved_model", None)
        if read is None:
            raise RuntimeError(
                "the installed nequip has no NequIPCalculator._from_saved_model to open a package; "
                "install the version in this model's requirements.txt"
            )
        self.calculator = read(path, chemical_species_to_atom_type_map=True)

    def predict(self, context: Any, model_input: Any, params: Any = None) -> pandas.DataFrame:
        """One row a frame, for each path or text of extended XYZ in `model_input`.

        Columns: `input` and `frame`, both from 0; `energy`, eV; `forces`, (atoms, 3) in eV/Å;
        `stress`, xx yy zz yz xz xy in eV/Å³, tension positive, NaN where a frame is not periodic.
        """
        import pandas as pd

        rows = []
        for number, text in enumerate(_texts(model_input)):
            for index, atoms in enumerate(_frames(text)):
                atoms.calc = self.calculator
                stress = atoms.get_stress().tolist() if atoms.pbc.all() else [NAN] * 6
                energy, forces = atoms.get_potential_energy(), atoms.get_forces()
                rows.append((number, index, float(energy), forces.astype(float).tolist(), stress))
        return pd.DataFrame(rows, columns=["input", "frame", "energy", "forces", "stress"])


def _texts(given: Any) -> list[str]:
    if isinstance(given, (str, Path)):
        return [str(given)]
    values = given.to_numpy().ravel() if hasattr(given, "to_numpy") else given
    return [str(value) for value in values]


def _frames(text: str) -> Iterator[Atoms]:
    """What holds a line break is the frames themselves, and else names their file.

    Raises ValueError for text that is not frames to its end; ASE stops at a blank line.
    """
    from ase.io import read
    from ase.io.formats import open_with_compression

    if "\n" not in text:
        if not Path(text).is_file():
            raise ValueError(f"no such file: {text!r}; give paths of extended XYZ, or its text")
        with open_with_compression(text, "r") as opened:
            text = opened.read()
    lines = text.splitlines(keepends=True)
    at = 0
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        if not lines[at].strip().isdigit():
            raise ValueError(f"line {at + 1} is {lines[at].strip()!r}, not a number of atoms")
        end = at + int(lines[at]) + 2
        if end > len(lines):
            raise ValueError(f"the frame from line {at + 1} on is cut short")
        frame: Any = read(io.StringIO("".join(lines[at:end])), format="extxyz")
        yield frame
        at = end


mlflow.models.set_model(Predictor())
