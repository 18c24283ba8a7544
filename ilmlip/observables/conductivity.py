"""Electrical conductivity, Onsager coefficients and transference numbers of ions.

Paths are unwrapped centres of mass (`periodic.unwrap`, `periodic.centres`), (frames, ions, 3) in Å
for each kind, `step` fs apart; charges of one ion in elementary charges, formal or scaled as the
question asks. Conductivities are in S/m, Onsager coefficients in 1/(eV Å fs).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ilmlip.observables.periodic import barycentric
from ilmlip.observables.series import Estimate, finite, jackknife, positive
from ilmlip.observables.transport import (
    Regime,
    Window,
    co_displacement,
    regime_of,
    segments,
    window_of,
)
from ilmlip.units import KELVIN, SIEMENS_PER_M

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Onsager:
    """How the ions move together."""

    kinds: tuple[str, ...]
    coefficients: Array
    """L_ij, 1/(eV Å fs); (kinds, kinds), symmetric."""
    errors: Array
    conductivity: Estimate
    """Σ z_i z_j L_ij, S/m."""
    transference: dict[str, Estimate]
    """Part of the current that each kind carries in a field, in the frame of reference of the paths."""
    exponent: Estimate
    """Of the square of the charge displacement against time, over the window of the fit."""
    regime: Regime
    window: tuple[float, float]
    """fs."""


def nernst_einstein(
    diffusion: Mapping[str, Estimate],
    charges: Mapping[str, float],
    numbers: Mapping[str, int],
    volume: float,
    temperature: float,
) -> Estimate:
    """σ = e²/(V k_B T) Σ N_k z_k² D_k, as if no two ions moved together; S/m.

    diffusion: D of each kind, Å²/fs; numbers: ions of it in the box; volume in Å³, temperature in K.
    Hansen and McDonald, Theory of Simple Liquids, 4th ed. (2013), chapter 10. Errors of the D are
    added as independent. Raises ValueError if the kinds differ, or a number is not above zero.
    """
    if not set(diffusion) == set(charges) == set(numbers) or not diffusion:
        raise ValueError("diffusion, charges and numbers must be of the same kinds of ions")
    unit = 1 / (positive(volume, "the volume") * KELVIN * positive(temperature, "T"))
    shares = {k: positive(numbers[k], "numbers") * charges[k] ** 2 * unit for k in diffusion}
    value = sum(shares[k] * diffusion[k].value for k in diffusion)
    error = float(np.linalg.norm([shares[k] * diffusion[k].error for k in diffusion]))
    return Estimate(value / SIEMENS_PER_M, error / SIEMENS_PER_M)


def onsager(
    kinds: Mapping[str, ArrayLike],
    charges: Mapping[str, float],
    volume: float,
    temperature: float,
    step: float,
    masses: Mapping[str, float] | None = None,
    window: tuple[float, float] | None = None,
) -> Onsager:
    """L_ij = 1/(6 k_B T V) d/dt ⟨ΔR_i · ΔR_j⟩, with ΔR_i the summed displacement of all ions of kind i.

    And σ = e² Σ z_i z_j L_ij, t_i = Σ_j z_i z_j L_ij / Σ_kl z_k z_l L_kl: Fong, Self, McCloskey and
    Persson, Macromolecules 54, 2575 (2021). t_i may be negative: the kind then moves against its
    charge, as Li⁺ in ionic liquids does (Molinari, Mailoa and Kozinsky, J. Phys. Chem. Lett. 10,
    2313, 2019). It depends on the frame of reference: `masses` (u, of one ion) gives that of the centre
    of mass of all ions, which must then all be there; None takes the paths as they are.
    volume in Å³ (the mean), temperature in K; window in fs, as in `transport.diffusion`. A box has
    one ΔR of a kind, so that these need runs much longer than D does. Values from the whole run;
    errors by the jackknife over segments of it, also of the ratios t_i. Raises ValueError for kinds
    that differ, runs of different length, no net charge motion, and as `transport.window_of` does.
    """
    paths = {k: finite(p, f"paths of {k}", None, None, 3) for k, p in kinds.items()}
    if not paths or set(paths) != set(charges):
        raise ValueError(f"charges of {sorted(charges)} for ions {sorted(paths)}")
    if len({len(p) for p in paths.values()}) > 1:
        raise ValueError("the kinds of ions have runs of different length")
    if masses is not None:
        paths = barycentric(paths, masses)
    names = tuple(paths)
    z = finite([charges[k] for k in names], "charges", None)
    sums = np.stack([paths[k].sum(axis=1) for k in names], axis=1)
    fit = window_of(len(sums), step, window)
    whole = _together(sums, fit)
    parts = np.array([_together(part, fit) for part in segments(sums)])
    unit = 1 / (6 * KELVIN * positive(temperature, "T") * positive(volume, "the volume"))
    current = float(z @ fit.slopes(whole) @ z)
    if current == 0:
        raise ValueError("no charge moves: transference numbers are undetermined")

    def carried(m: Array) -> Array:
        by_kind = z * (fit.slopes(m) @ z)
        return np.asarray(by_kind / by_kind.sum())

    def exponent(m: Array) -> float:
        return fit.exponent(np.einsum("i,ijt,j->t", z, m, z))

    share, share_error = carried(whole), jackknife(parts, carried)
    moved = Estimate(exponent(whole), float(jackknife(parts, exponent)))
    error = float(jackknife(parts, lambda m: z @ fit.slopes(m) @ z))
    return Onsager(
        names,
        unit * fit.slopes(whole),
        unit * jackknife(parts, fit.slopes),
        Estimate(unit * current / SIEMENS_PER_M, unit * error / SIEMENS_PER_M),
        {k: Estimate(float(share[i]), float(share_error[i])) for i, k in enumerate(names)},
        moved,
        regime_of(moved),
        (float(fit.times[0]), float(fit.times[-1])),
    )


def _together(sums: Array, fit: Window) -> Array:
    """⟨ΔR_i · ΔR_j⟩ at all lags up to the end of the fit; (kinds, kinds, lags), Å²."""
    last, n = int(fit.lags[-1]), sums.shape[1]
    found = np.empty((n, n, last + 1))
    for i in range(n):
        for j in range(i, n):
            found[i, j] = co_displacement(sums[:, [i]], sums[:, [j]], last)
            found[j, i] = found[i, j]
    return found
