"""Steps 1 to 3 of an exported study: packed boxes, LAMMPS inputs, and what is to be labelled."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from ilmlip.chemistry.boxes import ion_names, read_one
from ilmlip.chemistry.forcefield import Box, topology
from ilmlip.engines import lammps, lammps_series
from ilmlip.export import quantum
from ilmlip.export.layout import Layout, Series
from ilmlip.hashing import plain
from ilmlip.plan.graph import Plan
from ilmlip.plan.task import Task
from ilmlip.spec.derived import VolumeScan
from ilmlip.stages import atom, equilibrate, sample, stage
from ilmlip.stages.base import Given, Inputs
from ilmlip.stages.forcefield import read_forcefield
from ilmlip.stages.series import Params as Made

PREPARED = ("forcefield", "build")
"""Stages that are done while exporting: they take no program but ilmlip."""
STRUCTURE = "structure.extxyz"
LABELLED = "labelled.extxyz"
LAMMPS = "opls"


def prepare(plan: Plan, scratch: Path) -> dict[str, Given]:
    """The force fields and packed boxes of a plan, made in folders of `scratch`."""
    found: dict[str, Given] = {}
    for task in plan:
        if task.stage in PREPARED:
            work = scratch / task.key
            work.mkdir()
            made = stage(task.stage).run(task.params, Inputs({}), work)
            found[task.key] = Given(task.key, work, made.values)
    return found


class Simulations:
    """Writes the inputs of the classical steps of a plan below a folder."""

    def __init__(
        self, plan: Plan, layout: Layout, prepared: Mapping[str, Given], folder: Path
    ) -> None:
        self.plan, self.layout, self.prepared, self.root = plan, layout, prepared, folder

    def write(self) -> None:
        """Every folder of steps 1, 2 and 3."""
        for task in self.plan:
            if task.stage == "equilibrate":
                self._equilibrate(task)
            elif task.stage == "sample":
                self._sample(task)
            elif task.stage == "atom":
                self._atom(task)
        for folder, series in self.layout.series.items():
            self._label(folder, series)

    def structure(self, key: str) -> Path:
        """The packed box that a build, an equilibration or a sampling starts from."""
        while key not in self.prepared:
            (key,) = self.plan.tasks[key].needs["structure"]
        return self.prepared[key].path / STRUCTURE

    def elements(self, key: str) -> list[str]:
        """The element of each atom of such a box."""
        found: list[str] = read_one(self.structure(key), 0).get_chemical_symbols()
        return found

    def _box(self, task: Task, structure: str) -> tuple[Box, Any]:
        """The topology by a task's force field, and the packed box as ASE atoms."""
        atoms = read_one(self.structure(structure), 0)
        (forcefield,) = task.needs["forcefield"]
        return topology(read_forcefield(self.prepared[forcefield]), ion_names(atoms)), atoms

    def _equilibrate(self, task: Task) -> None:
        box, atoms = self._box(task, task.key)
        place = self._new(self.layout.folders[task.key])
        params = cast(equilibrate.Params, task.params)
        _write_data(place, box, atoms)
        (place / lammps.INPUT).write_text(equilibrate.lammps_input(params, box), encoding="utf-8")

    def _sample(self, task: Task) -> None:
        box, _ = self._box(task, task.key)
        (start,) = task.needs["structure"]
        place = self._new(self.layout.folders[task.key])
        params = cast(sample.Params, task.params)
        (place / lammps.INPUT).write_text(sample.lammps_input(params, box), encoding="utf-8")
        (place / "start.txt").write_text(
            f"{self.layout.folders[start]}/{equilibrate.END}\n", encoding="utf-8"
        )

    def _label(self, folder: str, series: Series) -> None:
        """The frames wanted, and the input of the program that labels them, or its settings."""
        place = self._new(folder)
        wanted = json.dumps({**self._starts(series), **_made(series)})
        (place / "frames.json").write_text(wanted + "\n", encoding="utf-8")
        if series.moves:
            steps = json.dumps({"steps": series.steps})
            (place / "steps.json").write_text(steps + "\n", encoding="utf-8")
        shutil.copyfile(self.structure(series.trajectory), place / STRUCTURE)
        if not is_native(series):
            text = json.dumps({"engine": series.engine, **series.settings}, indent=1)
            (place / "engine.json").write_text(text + "\n", encoding="utf-8")
            return
        if series.engine == quantum.ENGINE:
            quantum.write_label(place, series, read_one(self.structure(series.trajectory), 0))
            return
        opls = series.settings[LAMMPS]
        box, atoms = self._box(series.tasks[0], series.trajectory)
        _write_data(place, box, atoms)
        how = lammps.Interactions(opls["cutoff"], opls["kspace_accuracy"])
        frames = len(series.tasks) * len(series.steps)
        text = lammps_series.label_input(box, how, frames)
        (place / lammps.INPUT).write_text(text, encoding="utf-8")

    def _starts(self, series: Series) -> dict[str, Any]:
        """Where the frames come from: steps of a dump, or frames of another folder's labels."""
        if series.sources:
            step = series.settings["step"]
            places = [self.layout.place(key, step) for key in series.sources]
            (folder,) = {folder for folder, _ in places}
            return {"file": f"{folder}/{LABELLED}", "frames": [number for _, number in places]}
        sampled = cast(sample.Params, self.plan.tasks[series.trajectory].params)
        every = round(sampled.interval / sampled.timestep)
        return {
            "dump": f"{self.layout.folders[series.trajectory]}/frames.dump",
            "steps": [(frame + 1) * every for frame in series.frames],
        }

    def _atom(self, task: Task) -> None:
        """atom.json: the element, its box, engine and settings; and pw.x's input."""
        place = self._new(self.layout.folders[task.key])
        params = cast(atom.Params, task.params)
        settings = plain(params)
        text = json.dumps({"engine": params.engine(), **settings}, indent=1)
        (place / "atom.json").write_text(text + "\n", encoding="utf-8")
        if params.engine() == quantum.ENGINE:
            quantum.write_atom(place, settings, params.element, params.box)

    def _new(self, folder: str) -> Path:
        place = self.root / folder
        place.mkdir(parents=True)
        return place


def is_native(series: Series) -> bool:
    """Whether LAMMPS or pw.x makes these labels from an input of ours."""
    return series.engine == quantum.ENGINE or (series.engine == LAMMPS and not series.moves)


def _made(series: Series) -> dict[str, Any]:
    """What is made of each frame before it is labelled; the seeds of what is random."""

    def seeds() -> dict[str, list[int]]:
        return {"seeds": [cast(Made, task.params).seed for task in series.tasks]}

    if series.kind == "volume_scan":
        scan = VolumeScan.model_validate(series.settings["volume_scan"])
        return {"volume_scan": {"densities": scan.ends(), "points": scan.points}}
    if series.kind == "rattle":
        return {"rattle": series.settings["rattle"], **seeds()}
    # pw.x draws its own velocities
    return seeds() if series.kind == "aimd" and not is_native(series) else {}


def _write_data(place: Path, box: Box, atoms: Any) -> None:
    text = lammps.data_file(box, atoms.positions, atoms.cell.lengths())
    (place / lammps.DATA).write_text(text, encoding="utf-8")
