"""Stage `series_report`: what happens along the derived series, to see which step is worth taking."""

from __future__ import annotations

import csv
from pathlib import Path

from ilmlip.record import Record, field
from ilmlip.report.series import draw, read_curve
from ilmlip.stages.base import Inputs, Output, Resources, Stage
from ilmlip.stages.series import SERIES, TABLE


class Params(Record):
    """Which kind of series, and which of its steps are taken."""

    kind: str = field("Kind of the series")
    take: tuple[int, ...] = field("Steps that go into the data set", default=())


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Draw role `series`; writes series_<kind>.png, and series_<kind>.csv with all their rows."""
    given = inputs.all("series")
    curves = [(read_curve(one.path / TABLE), _atoms(one.path / SERIES)) for one in given]
    name = f"series_{params.kind}"
    draw(work / f"{name}.png", params.kind, curves, params.take)
    with (work / f"{name}.csv").open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        for number, one in enumerate(given):
            rows = list(csv.reader((one.path / TABLE).read_text(encoding="utf-8").splitlines()))
            if number == 0:
                writer.writerow(["series", *rows[0]])
            writer.writerows([one.key, *row] for row in rows[1:])
    ended = {one.key: one.values["failed"] for one in given if one.values["failed"]}
    values = {
        "series": len(given),
        "ended_early": ended,
        "missing": list(inputs.missing.get("series", ())),
    }
    return Output((f"{name}.png", f"{name}.csv"), values)


def _atoms(path: Path) -> int:
    with path.open(encoding="utf-8") as lines:
        return int(lines.readline())


STAGE = Stage("series_report", 1, Params, run, Resources(memory_gb=0.5, seconds=3))
