"""Errors of every model on every test set, in long form.

    python tools/evaluate.py 6-evaluate

Reads in that folder: evaluations.json (a list: which model, which test set).
Writes errors.csv: model, seed, composition, quantity, value, stderr (left empty), unit.

energy_mae, energy_rmse   of the energy per atom, meV/atom
force_mae, force_rmse     of the force components over all atoms, meV/Å; force_mae_Li of Li's, …
stress_mae, stress_rmse   of the nine components of the stress, meV/Å³, where the labels have one
ion_energy_Li             mean energy of an ion, the sum over its atoms, eV
"""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from linear import ions
from numpy.typing import NDArray

Array = NDArray[np.float64]
Frames = list[Atoms]
Errors = dict[str, tuple[float, str]]
"""Value and unit of each quantity."""

HEADER = ["model", "seed", "composition", "quantity", "value", "stderr", "unit"]


def errors_of_energy(predicted: list[float], frames: Frames) -> Errors:
    """Errors of the energies per atom; predicted: that of each frame, eV."""
    reference = np.array([frame.get_potential_energy() for frame in frames])
    atoms = np.array([len(frame) for frame in frames])
    error = 1000 * (np.array(predicted) - reference) / atoms
    return {
        "energy_mae": (float(np.mean(np.abs(error))), "meV/atom"),
        "energy_rmse": (float(np.sqrt(np.mean(error**2))), "meV/atom"),
    }


def errors_of_forces(predicted: list[Array], frames: Frames) -> Errors:
    """Errors of the forces; predicted: an array (atoms, 3) in eV/Å for each frame."""
    reference = [frame.calc.results["forces"] for frame in frames]
    error = 1000 * (np.concatenate(predicted) - np.concatenate(reference))
    symbols = np.concatenate([frame.get_chemical_symbols() for frame in frames])
    found = {
        "force_mae": (float(np.mean(np.abs(error))), "meV/Å"),
        "force_rmse": (float(np.sqrt(np.mean(error**2))), "meV/Å"),
    }
    for element in sorted(set(symbols)):
        own = error[symbols == element]
        found[f"force_mae_{element}"] = float(np.mean(np.abs(own))), "meV/Å"
        found[f"force_rmse_{element}"] = float(np.sqrt(np.mean(own**2))), "meV/Å"
    return found


def errors_of_stress(predicted: list[Array], frames: Frames) -> Errors:
    """Errors of the stress of those frames that have one; predicted: (6,) in eV/Å³ for each frame."""
    pairs = [
        (p, frame.calc.results["stress"])
        for p, frame in zip(predicted, frames, strict=True)
        if "stress" in frame.calc.results
    ]
    if not pairs:
        return {}
    # the last three of six stand for two components each
    error = 1000 * np.array([p - r for p, r in pairs])[:, [0, 1, 2, 3, 3, 4, 4, 5, 5]]
    return {
        "stress_mae": (float(np.mean(np.abs(error))), "meV/Å³"),
        "stress_rmse": (float(np.sqrt(np.mean(error**2))), "meV/Å³"),
    }


def ion_energies(atomic: list[Array], frames: Frames) -> Errors:
    """Mean energies of the ions; atomic: an array (atoms,) in eV for each frame."""
    found: dict[str, list[float]] = {}
    for energies, frame in zip(atomic, frames, strict=True):
        names = ions(frame)
        for name in sorted(set(names)):
            own = frame.arrays["ion_type"] == name
            found.setdefault(name, []).append(energies[own].sum() / names.count(name))
    return {f"ion_energy_{name}": (float(np.mean(values)), "eV") for name, values in found.items()}


def evaluate_linear(folder: Path, frames: Frames) -> Errors:
    """Errors of a linear model; an ion that it was not fitted to has no energy."""
    known = json.loads((folder / "linear.json").read_text(encoding="utf-8"))["energies"]
    found = [ions(frame) for frame in frames]
    present = sorted({ion for names in found for ion in names})
    energies = [sum(known.get(ion, 0.0) for ion in names) for names in found]
    values = {f"ion_energy_{ion}": (known.get(ion, 0.0), "eV") for ion in present}
    return values | errors_of_energy(energies, frames)


def evaluate_network(model: Any, frames: Frames) -> Errors:
    """Errors of a trained network."""
    found = [model.predict(frame) for frame in frames]
    return {
        **ion_energies([atomic for _, _, atomic, _ in found], frames),
        **errors_of_forces([forces for _, forces, _, _ in found], frames),
        **errors_of_energy([energy for energy, _, _, _ in found], frames),
        **errors_of_stress([stress for _, _, _, stress in found], frames),
    }


def main(folder: Path) -> None:
    """Write the errors of all models."""
    from potential import Potential  # torch takes its time

    rows: list[list[Any]] = []
    loaded: dict[Path, Any] = {}
    for one in json.loads((folder / "evaluations.json").read_text(encoding="utf-8")):
        frames = list(ase.io.iread(one["test"]))
        place = Path(one["folder"])
        if one["kind"] == "linear":
            found = evaluate_linear(place, frames)
        else:
            if place not in loaded:
                loaded = {place: Potential(place / "model.ckpt")}
            found = evaluate_network(loaded[place], frames)
        named = [one["model"], "" if one["seed"] is None else one["seed"], one["composition"]]
        rows += [[*named, name, f"{value:.9g}", "", unit] for name, (value, unit) in found.items()]
    with (folder / "errors.csv").open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
