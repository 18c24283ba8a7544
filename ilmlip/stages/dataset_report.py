"""Stage `dataset_report`: what a data set holds, as numbers, a table and a picture."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from ilmlip.chemistry.labelled import read_frames
from ilmlip.record import Record
from ilmlip.report.dataset import Contents, contents, draw, page, summary
from ilmlip.stages.base import Inputs, Output, Resources, Stage

FILES = ("report.json", "report.md", "frames.csv", "dataset.png")
PARTS = ("train", "val", "test", "frames")
"""The files of a data set; `frames` is that of imported ones, not divided yet."""


class Params(Record):
    """Nothing to choose."""


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Look at role `dataset`; writes report.json and .md, frames.csv (a line each), dataset.png."""
    given = inputs.one("dataset")
    parts = {
        part: read_frames(given.path / f"{part}.extxyz")
        for part in PARTS
        if (given.path / f"{part}.extxyz").exists()
    }
    found = contents(parts)
    said: dict[str, Any] = {**summary(found), "missing": list(given.values.get("missing", []))}
    for name in ("warnings", "dropped", "stress_slopes"):
        if name in given.values:
            said[name] = given.values[name]
    (work / "report.json").write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    (work / "report.md").write_text(page(said), encoding="utf-8")
    _write_frames(work / "frames.csv", found)
    draw(work / "dataset.png", found)
    return Output(FILES, said)


def _write_frames(path: Path, found: Contents) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(
            ["part", "formula", "energy_eV_atom", "density_g_cm3", "pressure_bar", "max_force_eV_A"]
        )
        columns = (found.energy, found.density, found.pressure, found.max_force)
        for part, formula, *numbers in zip(found.part, found.formula, *columns, strict=True):
            writer.writerow([part, formula, *(f"{number:.8g}" for number in numbers)])


STAGE = Stage("dataset_report", 3, Params, run, Resources(memory_gb=0.5, seconds=3))
