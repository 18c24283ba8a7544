"""Stage `observe_report`: the observables of all runs of a study, and thermal expansion."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ilmlip.observables.expansion import thermal_expansion
from ilmlip.report.observables import FIGURE, PAGE, TABLE, Line, Observed, draw, page, write_csv
from ilmlip.stages.base import Inputs, Output, Resources, Stage
from ilmlip.stages.md_report import Params
from ilmlip.stages.observe import CURVES


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Gather role `observed` into TABLE, PAGE and FIGURE. values: runs, and those whose bonds hold."""
    found = []
    for place, one in inputs.placed("observed"):
        with np.load(one.path / CURVES, allow_pickle=False) as held:
            curves = {name: held[name] for name in held.files}
        about = params.runs[place]
        found.append(Observed(about.name(), about.model_dump(), one.values, curves))
    write_csv(work / TABLE, found)
    (work / PAGE).write_text(page(found, lines(found), len(params.runs) - len(found)))
    draw(work / FIGURE, found)
    hold = sum(one.values.get("bonds_hold") is True for one in found)
    return Output((TABLE, PAGE, FIGURE), {"runs": len(found), "bonds_hold": hold})


def lines(found: Sequence[Observed]) -> list[Line]:
    """Density against temperature of what was run at several, by all else that it is of.

    At the lowest temperature; left out where densities have no errors.
    """
    alike: dict[tuple[object, ...], list[Observed]] = {}
    for one in found:
        if "density_stderr" in one.values:
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
        about = group[0].about
        name = f"{about['model']} seed {about['seed']}, x = {about['composition']}"
        made.append(Line(name, tuple(sorted(set(temperatures))), fit))
    return made


STAGE = Stage("observe_report", 1, Params, run, Resources(memory_gb=0.7, seconds=4))
