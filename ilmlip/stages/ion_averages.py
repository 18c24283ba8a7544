"""What the ions of a run do, over the frames that count: g(r), lifetimes, S(q), transport."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ilmlip.observables import conductivity, pairs, periodic, scattering, structure, transport
from ilmlip.observables.series import Estimate

M2_PER_S = 1e-5
"""1 Å²/fs in m²/s."""
BINS = 0.05
"""Å."""
Q_MAX, Q_SMALL = 4.0, 0.6
"""Å⁻¹: how far S(q) goes, and up to where it is extrapolated to q = 0."""
FARTHEST = 10.0
"""Å that g(r) goes to, where the box allows."""
TOGETHER = 1 / 80
"""Part of the run that the longest lag of the joint displacement has, where that leaves enough lags.

There is one such displacement in a box: at `transport.LONGEST` its exponent is uncertain by about 0.15
however long the run is, so that no regime is ever found; here by half of that.
"""
SET_BY_MASSES = "of one salt it is set by the masses of its ions: m₋/(m₊ + m₋) for the cation"
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Ions:
    """Where the ions are and how they move, in frames that follow one another."""

    cells: Array
    """(frames, 3, 3), Å."""
    times: Array
    """(frames,), fs, equally spaced."""
    centres: Mapping[str, Array]
    """By ion, where the centres of mass are (frames, ions, 3), Å (`periodic.images`)."""
    paths: Mapping[str, Array]
    """By ion, how they move (frames, ions, 3), Å (`periodic.unwrap`)."""
    masses: Mapping[str, float]
    """Of one ion, u."""

    @classmethod
    def of(
        cls,
        positions: Array,
        cells: Array,
        times: Array,
        bonds: NDArray[np.int64],
        masses: Array,
        names: NDArray[np.str_],
    ) -> Ions:
        """From atoms: positions (frames, atoms, 3), masses and names of their ions (atoms,).

        Raises ValueError where the frames are too far apart (`periodic.unwrap`).
        """
        ids = periodic.ions_of(positions.shape[1], bonds)
        there = periodic.centres(periodic.images(positions, cells, bonds), ids, masses)
        paths = periodic.centres(periodic.unwrap(positions, cells, bonds), ids, masses)
        own = {str(name): np.unique(ids[names == name]) for name in np.unique(names)}
        return cls(
            cells,
            times,
            {name: there[:, numbers] for name, numbers in own.items()},
            {name: paths[:, numbers] for name, numbers in own.items()},
            {name: float(masses[ids == numbers[0]].sum()) for name, numbers in own.items()},
        )

    @property
    def step(self) -> float:
        """Time between two frames, fs."""
        return float(self.times[1] - self.times[0])


def named(name: str, estimate: Estimate, unit: float = 1.0) -> dict[str, float]:
    """A value and its standard error by their names."""
    value, error = float(estimate.value * unit), float(estimate.error * unit)
    return {name: value, f"{name}_stderr": error}


def shells(ions: Ions, curves: dict[str, Array]) -> dict[str, Any]:
    """g(r) of the centres of mass of each two kinds of ions, and first shells."""
    names = list(ions.centres)
    both = np.concatenate([ions.centres[name] for name in names], axis=1)
    ends = np.cumsum([0, *(ions.centres[name].shape[1] for name in names)])
    farthest = min(FARTHEST, periodic.smallest_height(ions.cells) / 2)
    found: dict[str, Any] = {}
    for i, one in enumerate(names):
        for j, other in list(enumerate(names))[i:]:
            a, b = np.arange(ends[i], ends[i + 1]), np.arange(ends[j], ends[j + 1])
            if i == j and len(a) < 2:
                continue
            g = structure.rdf(both, ions.cells, a, b, farthest, int(farthest / BINS))
            curves |= {f"g_{one}_{other}_r": g.r, f"g_{one}_{other}": g.g}
            try:
                shell = structure.first_shell(g)
            except ValueError:
                continue  # no shell up to half the box
            found[f"peak_{one}_{other}_A"] = shell.peak
            found[f"minimum_{one}_{other}_A"] = shell.minimum
            found |= named(f"coordination_{one}_{other}", shell.number)
    return found


def pairing(ions: Ions, charges: Mapping[str, float], values: Mapping[str, Any]) -> dict[str, Any]:
    """How long ions of opposite charge stay in each other's first shell.

    Both lifetimes in ps; one whose correlation has not decayed in half of the time is left out.
    """
    step = ions.step / 1000
    found: dict[str, Any] = {}
    for one, other in itertools.product(ions.centres, repeat=2):
        name = f"minimum_{one}_{other}_A"
        if name not in values or charges[one] * charges[other] >= 0:
            continue
        both = ions.centres[one], ions.centres[other]
        together = pairs.contacts(*both, ions.cells, values[name])
        for word, lifetime in (
            ("continuous", pairs.continuous_lifetime),
            ("intermittent", pairs.intermittent_lifetime),
        ):
            found_one = lifetime(together, step)
            if found_one.decayed:
                found |= named(f"lifetime_{word}_{one}_{other}", found_one.time)
    if not found:
        raise ValueError("no pair of opposite charge has a shell that it leaves within the run")
    return found


def scattering_of(ions: Ions, temperature: float, curves: dict[str, Array]) -> dict[str, Any]:
    """S(q) of the ions' centres of mass, and S(0) with its κ_T (1/bar).

    κ_T only of one salt: in a mixture S(0) holds fluctuations of composition, too.
    """
    both = np.concatenate(list(ions.centres.values()), axis=1)
    found = scattering.structure_factor(both, ions.cells, Q_MAX)
    curves |= {"s_q_per_A": found.q, "s_q": found.s}
    if len(ions.centres) > 2:
        return {}
    zero, kappa = scattering.structure_compressibility(found, temperature, Q_SMALL)
    return {**named("s_0", zero), **named("compressibility_s_0", kappa)}


def joint_window(frames: int, step: float) -> tuple[float, float] | None:
    """Lags (fs) for the joint displacement of the ions; None for the usual ones, of a short run."""
    last = int(frames * TOGETHER)
    first = max(1, int(last * transport.SHORTEST))
    return (first * step, last * step) if last - first + 1 >= transport.FEWEST_LAGS else None


def moving(
    ions: Ions,
    charges: Mapping[str, float],
    temperature: float,
    curves: dict[str, Array],
    reasons: dict[str, str],
) -> dict[str, Any]:
    """Diffusion of each kind of ion, seen from the centre of mass; conductivity, transference.

    Numbers of what is diffusive; of the rest its regime, and why in `reasons`.
    """
    step = ions.step
    paths = periodic.barycentric(ions.paths, ions.masses)
    found: dict[str, Any] = {}
    diffusion: dict[str, Estimate] = {}
    for name, path in paths.items():
        one = transport.diffusion(path, step)
        found[f"regime_{name}"] = one.regime
        curves |= {f"msd_{name}_fs": one.times, f"msd_{name}": one.displacement}
        if why := transport.not_diffusive(one.regime, one.exponent, one.window):
            reasons[f"diffusion_{name}"] = why
        else:
            diffusion[name] = one.coefficient
            found |= named(f"diffusion_{name}", one.coefficient, M2_PER_S)
    volume = float(periodic.volumes(ions.cells).mean())
    if lacking := sorted(paths.keys() - diffusion.keys()):
        reasons["conductivity_nernst_einstein"] = f"{', '.join(lacking)}: no D"
    else:
        numbers = {name: path.shape[1] for name, path in paths.items()}
        alone = conductivity.nernst_einstein(diffusion, charges, numbers, volume, temperature)
        found |= named("conductivity_nernst_einstein", alone)
    window = joint_window(len(ions.times), step)
    together = conductivity.onsager(paths, charges, volume, temperature, step, window=window)
    found["regime_conductivity"] = together.regime
    why = transport.not_diffusive(together.regime, together.exponent, together.window)
    if why:
        reasons["conductivity"] = why
    else:
        found |= named("conductivity", together.conductivity)
    if len(paths) < 3:
        reasons["transference"] = SET_BY_MASSES
    elif why:
        reasons["transference"] = why
    else:
        for name, share in together.transference.items():
            found |= named(f"transference_{name}", share)
    return found
