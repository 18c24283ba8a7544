"""Stage `observe`: what a run of a model says of the liquid, with standard errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ilmlip.chemistry.bonds import IonBonds, bonds_of, repeated
from ilmlip.engines.model_dynamics import TRAJECTORY, read_trajectory
from ilmlip.engines.thermo import THERMO
from ilmlip.observables import stability, transport
from ilmlip.observables.compressibility import fluctuation_compressibility
from ilmlip.observables.density import mean_density
from ilmlip.observables.series import FEWEST_BLOCKS, drift, settled
from ilmlip.record import Record, field
from ilmlip.spec.ensemble import Run
from ilmlip.stages.base import Inputs, Output, Resources, Stage
from ilmlip.stages.ion_averages import Ions, moving, named, pairing, scattering_of, shells
from ilmlip.stages.md import became_unstable, counts, first_rung, start_of

SUMMARY, CURVES = "observables.json", "curves.npz"
Array = NDArray[np.float64]


class Params(Record):
    """The run, and what its ions are."""

    run: Run = field("The conditions")
    supercell: tuple[int, int, int] = field("How often the start was repeated", default=(1, 1, 1))
    ions: dict[str, IonBonds] = field("Each ion; none of a crystal")


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Observables of role `md`, whose start was role `structure`; writes SUMMARY and CURVES.

    Averages are over what `md.counts` of the run. values: what could be had, `NAME` and
    `NAME_stderr`: density (g/cm³; `settled_ps` from where it is in equilibrium; `drift_g_cm3_ps`,
    `drifts`), `compressibility` by fluctuations (1/bar), `bonds_hold` with `first_broken` (of the
    whole run), `peak_A_B_A`, `minimum_A_B_A` and `coordination_A_B` of the ions' centres,
    `lifetime_continuous_A_B` and `lifetime_intermittent_A_B` of pairs (ps), `s_0` and
    `compressibility_s_0` (1/bar) by S(q → 0), `regime_ION` and `regime_conductivity`, and where these
    are diffusive `diffusion_ION` (m²/s), `conductivity` and `conductivity_nernst_einstein` (S/m) and,
    of more than one salt, `transference_ION`. `reasons`: what is not there, and why.
    """
    one = inputs.one("md")
    values: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    curves: dict[str, Array] = {}
    tell = Tell(values, reasons)
    frames = list(read_trajectory(one.path / TRAJECTORY))
    columns = first_rung(params.run, one.path / THERMO)
    end = float(columns["time_fs"][-1])
    broke = became_unstable(params.run, one.values)
    if params.run.kind == "npt":
        there = counts(params.run, columns["time_fs"], end)
        counted = {name: column[there] for name, column in columns.items()}
        mass = columns["density_g_cm3"][0] * frames[0].get_volume()
        why = broke or too_short(int(there.sum()), "lines of thermo.csv")
        tell.unless(why, "density", lambda: density(columns, counted))
        tell.unless(
            why,
            "compressibility",
            lambda: fluctuations(counted, mass, params.run.temperature),
        )
    if params.ions:
        try:
            seen = ions_seen(params, start_of(inputs.one("structure").path), frames)
        except ValueError as error:
            reasons["ions"] = str(error)
        else:
            tell.unless("", "stability", lambda: held(seen))
            of_ions(params, seen, end, broke, tell, curves)
    if reasons:
        values["reasons"] = reasons
    (work / SUMMARY).write_text(
        json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    np.savez(work / CURVES, **curves)  # type: ignore[arg-type]
    return Output((SUMMARY, CURVES), values)


@dataclass(frozen=True)
class Tell:
    """What could be had, and why the rest could not."""

    values: dict[str, Any]
    reasons: dict[str, str]

    def unless(self, why: str, name: str, made: Callable[[], dict[str, Any]]) -> None:
        """Add what `made` gives; where there is a reason not to, or it finds one, that reason."""
        if why:
            self.reasons[name] = why
            return
        try:
            self.values.update(made())
        except ValueError as error:
            self.reasons[name] = str(error)


def too_short(there: int, what: str, needed: int = FEWEST_BLOCKS) -> str:
    """The reason why so few give no mean with an error, or empty."""
    if there >= needed:
        return ""
    return f"run too short: {there} {what} count, {needed} are needed"


def of_ions(
    params: Params, seen: Seen, end: float, broke: str, tell: Tell, curves: dict[str, Array]
) -> None:
    """How the ions stand and move in the frames that count, if they are still the salt's ions."""
    there = np.flatnonzero(counts(params.run, seen.times, end))
    broken = tell.values.get("broken_for_good_ps")
    if broken is not None and not (len(there) and broken > seen.times[there[-1]] / 1000):
        broke = broke or f"a bond broke for good at {broken:g} ps: its ion is no longer the salt's"
    why = broke or too_short(len(there), "frames")
    if not why:
        try:
            part = seen.during(there)
            ions = Ions.of(
                part.positions, part.cells, part.times, part.bonds, part.masses, part.ions
            )
        except ValueError as error:
            why = str(error)
    if why:
        tell.reasons.update(
            dict.fromkeys(("structure", "transport", "lifetimes", "scattering"), why)
        )
        return
    charges = {name: params.ions[name].charge for name in ions.paths}
    temperature = params.run.temperature
    tell.unless("", "structure", lambda: shells(ions, curves))
    why = too_short(len(there), "frames", transport.FEWEST_FRAMES)
    tell.unless(why, "transport", lambda: moving(ions, charges, temperature, curves, tell.reasons))
    tell.unless("", "lifetimes", lambda: pairing(ions, charges, tell.values))
    tell.unless("", "scattering", lambda: scattering_of(ions, temperature, curves))


def density(columns: dict[str, Array], counted: dict[str, Array]) -> dict[str, Any]:
    """Mean of what counts, and whether it drifts; of all `columns` from where on it is settled."""
    time = columns["time_fs"]
    mean = mean_density(counted["density_g_cm3"], 0)
    step = float(time[1] - time[0]) / 1000
    slope = drift(counted["density_g_cm3"], step)
    start = settled(columns["density_g_cm3"]).start
    return {
        **named("density", mean.mean),
        "density_deviation": mean.deviation,
        "settled_ps": float(time[start]) / 1000,
        **named("drift_g_cm3_ps", slope.slope),
        "drifts": slope.drifts,
    }


def fluctuations(counted: dict[str, Array], mass: float, temperature: float) -> dict[str, Any]:
    """κ_T of what counts; mass in g/cm³ Å³."""
    volumes = mass / counted["density_g_cm3"]
    return named("compressibility", fluctuation_compressibility(volumes, temperature))


@dataclass(frozen=True)
class Seen:
    """Frames of a run as arrays, and what its atoms are."""

    positions: Array
    """(frames, atoms, 3), Å."""
    cells: Array
    """(frames, 3, 3), Å."""
    times: Array
    """(frames,), fs, equally spaced."""
    symbols: Sequence[str]
    masses: Array
    """(atoms,), u."""
    bonds: NDArray[np.int64]
    lengths: Array
    """(bonds,), Å."""
    ions: NDArray[np.str_]
    """(atoms,): the name of each atom's ion."""

    def during(self, frames: NDArray[np.int64]) -> Seen:
        """Some of the frames, which follow one another."""
        return replace(
            self,
            positions=self.positions[frames],
            cells=self.cells[frames],
            times=self.times[frames],
        )


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
    return Seen(
        np.array([frame.positions for frame in frames]),
        np.array([frame.cell.array for frame in frames]),
        times,
        frames[0].get_chemical_symbols(),
        frames[0].get_masses(),
        bonds,
        lengths,
        np.tile(start.arrays["ion_type"], copies),
    )


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
    if lasting := [event.frame for event in found.broken if event.until is None]:
        values["broken_for_good_ps"] = float(seen.times[min(lasting)]) / 1000
    return values


STAGE = Stage("observe", 3, Params, run, Resources(memory_gb=2.0, seconds=10))
