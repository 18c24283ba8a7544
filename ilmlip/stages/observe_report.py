"""Stage `observe_report`: the observables of all runs of a study, and thermal expansion."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ilmlip.observables.density import measured_density
from ilmlip.observables.expansion import thermal_expansion
from ilmlip.record import Record, field
from ilmlip.report.densities import DENSITIES, draw_densities
from ilmlip.report.observables import FIGURE, PAGE, TABLE, Line, draw, page, write_csv
from ilmlip.report.observed import Observed
from ilmlip.spec.system import Measured
from ilmlip.stages.base import Inputs, Output, Resources, Stage
from ilmlip.stages.md_report import Described
from ilmlip.stages.observe import CURVES


class Params(Record):
    """The runs, in the order of role `observed`, and what was measured."""

    runs: tuple[Described, ...] = field("What each run is of")
    measured: dict[str, tuple[Measured, ...]] = field(
        "Densities by experiment of compositions, by their labels", default={}, later=True
    )
    source: str = field("Where they come from", default="", later=True)


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Gather role `observed` into TABLE, PAGE, FIGURE and DENSITIES, the density against temperature.

    A figure that would be empty is not written.
    values: runs, and those whose bonds hold.
    """
    found = []
    for place, one in inputs.placed("observed"):
        with np.load(one.path / CURVES, allow_pickle=False) as held:
            curves = {name: held[name] for name in held.files}
        about = params.runs[place]
        values = {**one.values, **_measured(params, about)}
        found.append(Observed(about.name(), about.model_dump(), values, curves))
    write_csv(work / TABLE, found)
    fits = lines(found)
    (work / PAGE).write_text(
        page(found, fits, len(params.runs) - len(found), params.source), encoding="utf-8"
    )
    figures = [FIGURE] if draw(work / FIGURE, found) else []
    points = {
        name: [(m.temperature, m.density, m.error) for m in of if m.pressure < AMBIENT]
        for name, of in params.measured.items()
    }
    if draw_densities(work / DENSITIES, found, points, params.source):
        figures.append(DENSITIES)
    hold = sum(one.values.get("bonds_hold") is True for one in found)
    return Output((TABLE, PAGE, *figures), {"runs": len(found), "bonds_hold": hold})


AMBIENT = 2.0
"""bar."""


def _measured(params: Params, about: Described) -> dict[str, float]:
    """The density by experiment at a run's temperature and pressure, or the nearest temperature's."""
    if about.composition not in params.measured or about.kind != "npt":
        return {}
    points = [
        (m.temperature, m.pressure, m.density, m.error) for m in params.measured[about.composition]
    ]
    found = measured_density(points, about.temperature, about.pressure or 1.0)
    if found is None:
        return {}
    density, error, temperature = found
    return {
        "experiment": density,
        "experiment_stderr": error,
        "experiment_temperature": temperature,
    }


def lines(found: Sequence[Observed]) -> list[Line]:
    """Density against temperature of what was run at several, by all else that it is of.

    At the lowest temperature; runs without an error of the density, or with broken ions, do not count.
    """
    alike: dict[tuple[object, ...], list[Observed]] = {}
    for one in found:
        if "density_stderr" in one.values and "broken_for_good_ps" not in one.values:
            rest = tuple(
                v for name, v in one.about.items() if name not in ("temperature", "replica")
            )
            alike.setdefault(rest, []).append(one)
    made = []
    for group in alike.values():
        temperatures = [float(one.about["temperature"]) for one in group]
        if len(set(temperatures)) < 2:
            continue
        fit = thermal_expansion(
            temperatures,
            [one.values["density"] for one in group],
            [one.values["density_stderr"] for one in group],
            min(temperatures),
        )
        made.append(Line(group[0].model(), tuple(sorted(set(temperatures))), fit))
    return made


STAGE = Stage("observe_report", 4, Params, run, Resources(memory_gb=0.7, seconds=4))
