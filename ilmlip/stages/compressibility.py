"""Stage `compressibility`: the Tait equation through ladders of pressures, beside fluctuations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ilmlip.chemistry.boxes import density
from ilmlip.engines.model_dynamics import TRAJECTORY, read_thermo, read_trajectory
from ilmlip.engines.thermo import THERMO
from ilmlip.observables.compressibility import fluctuation_compressibility, tait_of_densities
from ilmlip.observables.series import FEWEST_BLOCKS, cautious_mean
from ilmlip.record import Record, field
from ilmlip.report.compressibility import FIGURE, LADDER, PAGE, TABLE, Ladder, draw, page, write_csv
from ilmlip.spec.ensemble import Run
from ilmlip.stages.base import Given, Inputs, Output, Resources, Stage
from ilmlip.stages.md_report import Described


class Params(Record):
    """The runs, in the order of role `md`."""

    runs: tuple[Described, ...] = field("What each run is of")
    ladder: tuple[Run, ...] = field("The conditions of each run")


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Fit each ladder. Writes TABLE (a line a run), LADDER (a line a pressure), PAGE and FIGURE.

    values: `tait` and `fluctuation`, medians over the runs that have one, 1/bar; where all runs are of
    one composition and temperature.
    """
    found = [
        climbed(params.runs[place], params.ladder[place], one) for place, one in inputs.placed("md")
    ]
    write_csv(work, found)
    (work / PAGE).write_text(page(found, len(params.runs) - len(found)), encoding="utf-8")
    figures = (FIGURE,) if draw(work / FIGURE, found) else ()
    values: dict[str, Any] = {"runs": len(found)}
    alike = len({(one.about["composition"], one.about["temperature"]) for one in found}) == 1
    for name in ("tait", "fluctuation") if alike else ():
        known = [getattr(one, name) for one in found if getattr(one, name) is not None]
        if known:
            middle = [one.compressibility if name == "tait" else one for one in known]
            values[name] = float(np.median([estimate.value for estimate in middle]))
    return Output((TABLE, LADDER, PAGE, *figures), values)


def climbed(about: Described, made: Run, given: Given) -> Ladder:
    """The densities of one ladder with their errors, and both compressibilities.

    A pressure counts once the run has been at it for its whole time. The fluctuations are those of
    what counts at the first pressure. What cannot be had is said in `reasons`.
    """
    columns = read_thermo(given.path / THERMO)
    parts = rungs(columns["time_fs"], columns["density_g_cm3"], made)
    reasons: list[str] = []
    if len(parts) < len(made.pressures):
        reasons.append(f"{len(parts)} of {len(made.pressures)} pressures were done")
    pressures = np.array(made.pressures[: len(parts)])
    means = np.array([float(part.mean()) for part in parts])
    errors = None
    if parts and min(map(len, parts)) >= FEWEST_BLOCKS:
        errors = np.array([cautious_mean(part).error for part in parts])
    tait = fluctuation = None
    if not parts:
        nothing = np.array([])
        return Ladder(
            about.name(), about.model_dump(), pressures, nothing, None, None, None, tuple(reasons)
        )
    try:
        tait = tait_of_densities(pressures, means, errors, made.pressures[0])
    except ValueError as error:
        reasons.append(f"no Tait equation: {error}")
    try:
        mass = _density_times_volume(given.path)
        fluctuation = fluctuation_compressibility(mass / parts[0], made.temperature)
    except ValueError as error:
        reasons.append(f"no fluctuations: {error}")
    return Ladder(
        about.name(),
        about.model_dump(),
        pressures,
        means,
        errors,
        tait,
        fluctuation,
        tuple(reasons),
    )


def rungs(
    time: NDArray[np.float64], values: NDArray[np.float64], made: Run
) -> list[NDArray[np.float64]]:
    """What counts at each pressure that was held for its whole time; time in fs."""
    half = made.timestep / 2
    found = []
    for i in range(len(made.pressures)):
        begin, end = i * made.span() + made.settle, (i + 1) * made.span()
        if not len(time) or time[-1] < end - half:
            break
        found.append(values[(time > begin + half) & (time < end + half)])
    return found


def _density_times_volume(folder: Path) -> float:
    """g/cm³ Å³, which a run leaves as it is."""
    first = next(read_trajectory(folder / TRAJECTORY))
    return density(first) * float(first.get_volume())


STAGE = Stage("compressibility", 4, Params, run, Resources(memory_gb=0.7, seconds=4))
