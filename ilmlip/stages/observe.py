"""Stage `observe`: what a run of a model says of the liquid, with standard errors."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ilmlip.chemistry.bonds import IonBonds, bonds_of, repeated
from ilmlip.engines.model_dynamics import TRAJECTORY, read_trajectory
from ilmlip.engines.thermo import THERMO
from ilmlip.observables import (
    conductivity,
    pairs,
    periodic,
    scattering,
    stability,
    structure,
    transport,
)
from ilmlip.observables.compressibility import fluctuation_compressibility
from ilmlip.observables.density import mean_density
from ilmlip.observables.series import Estimate, drift, settled
from ilmlip.record import Record, field
from ilmlip.spec.ensemble import Run
from ilmlip.stages.base import Inputs, Output, Resources, Stage
from ilmlip.stages.md import first_rung, start_of

SUMMARY, CURVES = "observables.json", "curves.npz"
M2_PER_S = 1e-5
"""1 Å²/fs in m²/s."""
BINS = 0.05
"""Å."""
Q_MAX, Q_SMALL = 4.0, 0.6
"""Å⁻¹: how far S(q) goes, and up to where it is extrapolated to q = 0."""
FARTHEST = 10.0
"""Å that g(r) goes to, where the box allows."""
Array = NDArray[np.float64]


class Params(Record):
    """The run, and what its ions are."""

    run: Run = field("The conditions")
    supercell: tuple[int, int, int] = field("How often the start was repeated", default=(1, 1, 1))
    ions: dict[str, IonBonds] = field("Each ion; none of a crystal")


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Observables of role `md`, whose start was role `structure`; writes SUMMARY and CURVES.

    values: what could be had, `NAME` and `NAME_stderr`: density (g/cm³, of the last half; `settled_ps`
    from where it is in equilibrium; `drift_g_cm3_ps`, `drifts`), `compressibility` by fluctuations
    (1/bar), `bonds_hold` with `first_broken`, `peak_A_B_A`, `minimum_A_B_A` and `coordination_A_B` of
    the ions' centres, `lifetime_continuous_A_B` and `lifetime_intermittent_A_B` of pairs (ps), `s_0`
    and `compressibility_s_0` (1/bar) by S(q → 0),
    `diffusion_ION` (m²/s, with `regime_ION`), `conductivity` and `conductivity_nernst_einstein` (S/m),
    `transference_ION`. `reasons`: what is not there, and why. Of a ladder of pressures density and
    compressibility are those at the first one.
    """
    one = inputs.one("md")
    columns = first_rung(params.run, one.path / THERMO)
    values: dict[str, Any] = {}
    reasons: dict[str, str] = {}

    def tried(name: str, made: Callable[[], dict[str, Any]]) -> None:
        try:
            values.update(made())
        except ValueError as error:
            reasons[name] = str(error)

    curves: dict[str, Array] = {}
    frames = list(read_trajectory(one.path / TRAJECTORY))
    volume = np.array([frame.get_volume() for frame in frames])
    if params.run.kind == "npt":
        mass = columns["density_g_cm3"][0] * volume[0]
        tried("density", lambda: density(columns))
        tried("compressibility", lambda: fluctuations(columns, mass, params.run.temperature))
    if params.ions:
        try:
            seen = ions_seen(params, start_of(inputs.one("structure").path), frames)
        except ValueError as error:
            reasons["ions"] = str(error)
        else:
            tried("stability", lambda: held(seen))
            tried("structure", lambda: shells(seen, curves))
            tried("transport", lambda: moving(seen, params, curves))
            tried("lifetimes", lambda: pairing(seen, params, values))
            tried("scattering", lambda: scattering_of(seen, params, curves))
    if reasons:
        values["reasons"] = reasons
    (work / SUMMARY).write_text(
        json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    np.savez(work / CURVES, **curves)  # type: ignore[arg-type]
    return Output((SUMMARY, CURVES), values)


def named(name: str, estimate: Estimate, unit: float = 1.0) -> dict[str, float]:
    """A value and its standard error by their names."""
    value, error = float(estimate.value * unit), float(estimate.error * unit)
    return {name: value, f"{name}_stderr": error}


def density(columns: dict[str, Array]) -> dict[str, Any]:
    """Mean of the last half, from where on it is settled, and whether that half drifts."""
    values, time = columns["density_g_cm3"], columns["time_fs"]
    mean = mean_density(values)
    step = float(time[1] - time[0]) / 1000
    slope = drift(values[mean.start :], step)
    return {
        **named("density", mean.mean),
        "density_deviation": mean.deviation,
        "settled_ps": float(time[settled(values).start]) / 1000,
        **named("drift_g_cm3_ps", slope.slope),
        "drifts": slope.drifts,
    }


def fluctuations(columns: dict[str, Array], mass: float, temperature: float) -> dict[str, Any]:
    """κ_T of the last half."""
    half = columns["density_g_cm3"][len(columns["density_g_cm3"]) // 2 :]
    return named("compressibility", fluctuation_compressibility(mass / half, temperature))


@dataclass(frozen=True)
class Seen:
    """The frames of a run as arrays, and the paths of its ions."""

    positions: Array
    """(frames, atoms, 3), Å."""
    cells: Array
    """(frames, 3, 3), Å."""
    times: Array
    """(frames,), fs, equally spaced."""
    symbols: Sequence[str]
    bonds: NDArray[np.int64]
    lengths: Array
    """(bonds,), Å."""
    kinds: dict[str, Array]
    """By ion, paths of the centres of mass (frames, ions, 3), Å."""
    masses: dict[str, float]
    """Of one ion, u."""


def ions_seen(params: Params, start: Any, frames: Sequence[Any]) -> Seen:
    """A run whose `start` knows its ions. Raises ValueError if the two do not fit."""
    copies = int(np.prod(params.supercell))
    bonds, lengths = bonds_of(start, params.ions)
    if not np.array_equal(np.tile(start.numbers, copies), frames[0].numbers):
        raise ValueError("the run has other atoms than its start")
    bonds, lengths = repeated(start, bonds, params.supercell), np.tile(lengths, copies)
    times = np.array([frame.info["time_fs"] for frame in frames])
    if len(times) > 2 and not np.isclose(times[-1] - times[-2], times[1] - times[0]):
        frames, times = frames[:-1], times[:-1]  # the frame at which a guard tripped
    r = np.array([frame.positions for frame in frames])
    h = np.array([frame.cell.array for frame in frames])
    ids = periodic.ions_of(r.shape[1], bonds)
    mass = frames[0].get_masses()
    centres = periodic.centres(periodic.unwrap(r, h, bonds), ids, mass)
    names = np.tile(start.arrays["ion_type"], copies)
    first = {str(name): int(np.flatnonzero(names == name)[0]) for name in np.unique(names)}
    return Seen(
        r, h, times, frames[0].get_chemical_symbols(), bonds, lengths,
        {name: centres[:, np.unique(ids[names == name])] for name in first},
        {name: float(mass[ids == ids[i]].sum()) for name, i in first.items()},
    )  # fmt: skip


def held(seen: Seen) -> dict[str, Any]:
    """Whether each bond is whole in each frame, and which broke first (or formed, if none broke)."""
    found = stability.stability(seen.positions, seen.cells, seen.symbols, seen.bonds, seen.lengths)
    values: dict[str, Any] = {
        "bonds_hold": not found.broken and not found.formed,
        "bonds_broken": len(found.broken),
        "bonds_formed": len(found.formed),
    }
    if (event := found.first or next(iter(found.formed), None)) is not None:
        what = "broke" if event in found.broken else "formed"
        a, b = (f"{seen.symbols[i]}{i}" for i in event.atoms)
        at = float(seen.times[event.frame]) / 1000
        values["first_broken"] = f"{a}–{b} {what} at {at:g} ps ({event.length:.2f} Å)"
        values["first_broken_ps"] = at
    return values


def shells(seen: Seen, curves: dict[str, Array]) -> dict[str, Any]:
    """g(r) of the centres of mass of each two kinds of ions over the last half, and first shells."""
    names = list(seen.kinds)
    both = np.concatenate([seen.kinds[name] for name in names], axis=1)
    ends = np.cumsum([0, *(seen.kinds[name].shape[1] for name in names)])
    half = len(both) // 2
    cells = seen.cells[half:]
    farthest = min(FARTHEST, periodic.smallest_height(cells) / 2)
    found: dict[str, Any] = {}
    for i, one in enumerate(names):
        for j, other in list(enumerate(names))[i:]:
            a, b = np.arange(ends[i], ends[i + 1]), np.arange(ends[j], ends[j + 1])
            if i == j and len(a) < 2:
                continue
            g = structure.rdf(both[half:], cells, a, b, farthest, int(farthest / BINS))
            curves |= {f"g_{one}_{other}_r": g.r, f"g_{one}_{other}": g.g}
            try:
                shell = structure.first_shell(g)
            except ValueError:
                continue  # no shell up to half the box
            found[f"peak_{one}_{other}_A"] = shell.peak
            found[f"minimum_{one}_{other}_A"] = shell.minimum
            found |= named(f"coordination_{one}_{other}", shell.number)
    return found


def pairing(seen: Seen, params: Params, values: dict[str, Any]) -> dict[str, Any]:
    """How long ions of opposite charge stay in each other's first shell, over the last half.

    Both lifetimes in ps; one whose correlation has not decayed in half of that time is left out.
    """
    half = len(seen.times) // 2
    step = float(seen.times[1] - seen.times[0]) / 1000 if len(seen.times) > 1 else 0.0
    found: dict[str, Any] = {}
    for one, other in itertools.product(seen.kinds, repeat=2):
        name = f"minimum_{one}_{other}_A"
        if name not in values or params.ions[one].charge * params.ions[other].charge >= 0:
            continue
        paths = seen.kinds[one][half:], seen.kinds[other][half:]
        together = pairs.contacts(*paths, seen.cells[half:], values[name])
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


def scattering_of(seen: Seen, params: Params, curves: dict[str, Array]) -> dict[str, Any]:
    """S(q) of the ions' centres of mass over the last half, and S(0) with its κ_T (1/bar).

    κ_T only of one salt: in a mixture S(0) holds fluctuations of composition, too.
    """
    half = len(seen.times) // 2
    both = np.concatenate([path[half:] for path in seen.kinds.values()], axis=1)
    found = scattering.structure_factor(both, seen.cells[half:], Q_MAX)
    curves |= {"s_q_per_A": found.q, "s_q": found.s}
    if len(seen.kinds) > 2:
        return {}
    zero, kappa = scattering.structure_compressibility(found, params.run.temperature, Q_SMALL)
    return {**named("s_0", zero), **named("compressibility_s_0", kappa)}


def moving(seen: Seen, params: Params, curves: dict[str, Array]) -> dict[str, Any]:
    """Diffusion of each kind of ion, seen from the centre of mass; conductivity, transference."""
    step = float(seen.times[1] - seen.times[0]) if len(seen.times) > 1 else 0.0
    paths = periodic.barycentric(seen.kinds, seen.masses)
    found: dict[str, Any] = {}
    diffusion: dict[str, Estimate] = {}
    for name, path in paths.items():
        one = transport.diffusion(path, step)
        diffusion[name] = one.coefficient
        found |= named(f"diffusion_{name}", one.coefficient, M2_PER_S)
        found[f"regime_{name}"] = one.regime
        curves |= {f"msd_{name}_fs": one.times, f"msd_{name}": one.displacement}
    volume, temperature = float(periodic.volumes(seen.cells).mean()), params.run.temperature
    charges = {name: params.ions[name].charge for name in paths}
    numbers = {name: path.shape[1] for name, path in paths.items()}
    alone = conductivity.nernst_einstein(diffusion, charges, numbers, volume, temperature)
    together = conductivity.onsager(paths, charges, volume, temperature, step)
    found |= named("conductivity_nernst_einstein", alone)
    found |= named("conductivity", together.conductivity)
    for name, share in together.transference.items():
        found |= named(f"transference_{name}", share)
    return found


STAGE = Stage("observe", 2, Params, run, Resources(memory_gb=2.0, seconds=10))
