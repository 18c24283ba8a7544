"""Errors of a model against its reference: means over frames, with their standard errors.

Energies are in eV and forces in eV/Å; errors come out in meV/atom and meV/Å, as the field
reports them. A standard error is that of the mean over frames, which are taken as independent:
s/√n with s the standard deviation (n − 1) of the per-frame values; 0 for a single frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ilmlip.units import MEV

Array = NDArray[np.float64]


def standard_error(values: Array) -> float:
    """Standard error of the mean of independent values; 0 if there is one only."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def energy_errors(
    predicted: Array, reference: Array, n_atoms: NDArray[np.int64]
) -> dict[str, float]:
    """MAE, RMSE and mean signed error (bias) of the energy per atom, meV/atom.

    All three arrays have shape (frames,): energies in eV, and the numbers of atoms.
    """
    error = (predicted - reference) / n_atoms / MEV
    return {
        "energy_mae": float(np.mean(np.abs(error))),
        "energy_mae_stderr": standard_error(np.abs(error)),
        "energy_rmse": float(np.sqrt(np.mean(error**2))),
        "energy_bias": float(np.mean(error)),
        "energy_bias_stderr": standard_error(error),
    }


def force_errors(
    predicted: Sequence[Array], reference: Sequence[Array], symbols: Sequence[Sequence[str]]
) -> dict[str, float]:
    """MAE and RMSE of the force components over all atoms, and by element, meV/Å.

    predicted, reference: an array (atoms, 3) for each frame, eV/Å; symbols: elements of its atoms.
    """
    error = [(p - r) / MEV for p, r in zip(predicted, reference, strict=True)]
    values = _mean_absolute("force_mae", error)
    values["force_rmse"] = float(np.sqrt(np.mean(np.concatenate(error) ** 2)))
    for element in sorted({s for frame in symbols for s in frame}):
        own = [e[np.array(s) == element] for e, s in zip(error, symbols, strict=True)]
        own = [e for e in own if len(e)]
        values |= _mean_absolute(f"force_mae_{element}", own)
        values[f"force_rmse_{element}"] = float(np.sqrt(np.mean(np.concatenate(own) ** 2)))
    return values


def stress_errors(predicted: Array, reference: Array) -> dict[str, float]:
    """MAE and RMSE of the nine components of the stress, meV/Å³.

    predicted, reference: (frames, 6) as xx, yy, zz, yz, xz, xy, eV/Å³; each of the last three stands
    for two components, as in nequip's own errors.
    """
    error = (predicted - reference)[:, [0, 1, 2, 3, 3, 4, 4, 5, 5]] / MEV
    return _mean_absolute("stress_mae", list(error)) | {
        "stress_rmse": float(np.sqrt(np.mean(error**2)))
    }


def _mean_absolute(name: str, error: Sequence[Array]) -> dict[str, float]:
    """MAE over all components, and its standard error from the frames' own MAEs."""
    by_frame = np.array([np.mean(np.abs(e)) for e in error])
    mae = float(np.mean(np.abs(np.concatenate(error))))
    return {name: mae, f"{name}_stderr": standard_error(by_frame)}


def ion_energies(
    atomic: Iterable[Array],
    ion_ids: Iterable[NDArray[np.int64]],
    ion_types: Iterable[Sequence[str]],
) -> dict[str, Array]:
    """Mean energy of an ion of each type in each frame that has it, eV; shape (those frames,).

    The energy of an ion is the sum of the atomic energies (atoms,) over its atoms. ion_ids: the
    ion that each atom belongs to; ion_types: that ion's name, for each atom.
    """
    found: dict[str, list[float]] = {}
    for energy, ids, types in zip(atomic, ion_ids, ion_types, strict=True):
        names = np.array(types)
        for name in sorted(set(types)):
            own = names == name
            ions = len(np.unique(ids[own]))
            found.setdefault(name, []).append(float(energy[own].sum()) / ions)
    return {name: np.array(values) for name, values in sorted(found.items())}


def means(values: Mapping[str, Array]) -> tuple[dict[str, float], dict[str, float]]:
    """The mean of each array, and its standard error."""
    return (
        {name: float(np.mean(v)) for name, v in values.items()},
        {name: standard_error(v) for name, v in values.items()},
    )
