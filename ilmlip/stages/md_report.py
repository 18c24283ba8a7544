"""Stage `md_report`: the runs of a study's models in one table, and their course in one figure."""

from __future__ import annotations

from pathlib import Path

from ilmlip.engines.model_dynamics import read_thermo
from ilmlip.engines.thermo import THERMO
from ilmlip.record import Record, field
from ilmlip.report.runs import FIGURE, PAGE, TABLE, Course, draw, page, write_csv
from ilmlip.stages.base import Inputs, Output, Resources, Stage


class Described(Record):
    """What a run is of."""

    model: str = field("Training compositions, joined by +")
    seed: int = field("Seed of the training")
    composition: str = field("The composition that is run")
    kind: str = field("nve, nvt or npt")
    temperature: float = field("Temperature", unit="K")
    pressure: float | None = field("Pressure", unit="bar", default=None)
    replica: int = field("Which of the runs that differ in their velocities, from 0")

    def name(self) -> str:
        """`0.4+0.6 seed 1, x = 0.4, 300 K`, with pressure and replica where they tell apart."""
        parts = [f"{self.model} seed {self.seed}", f"x = {self.composition}"]
        parts.append(f"{self.temperature:g} K")
        if self.pressure not in (None, 1.0):
            parts.append(f"{self.pressure:g} bar")
        if self.replica:
            parts.append(f"replica {self.replica}")
        return ", ".join(parts)


class Params(Record):
    """The runs, in the order of role `md`."""

    runs: tuple[Described, ...] = field("What each run is of")


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Write TABLE, PAGE and FIGURE. values: how many runs there are, and how many ended unstable."""
    courses = [
        Course(
            params.runs[place].name(),
            params.runs[place].model_dump(),
            one.values,
            read_thermo(one.path / THERMO),
        )
        for place, one in inputs.placed("md")
    ]
    write_csv(work / TABLE, courses)
    (work / PAGE).write_text(page(courses, len(params.runs) - len(courses)), encoding="utf-8")
    draw(work / FIGURE, courses)
    unstable = sum(not course.values["stable"] for course in courses)
    return Output((TABLE, PAGE, FIGURE), {"runs": len(courses), "unstable": unstable})


STAGE = Stage("md_report", 3, Params, run, Resources(memory_gb=0.7, seconds=3))
