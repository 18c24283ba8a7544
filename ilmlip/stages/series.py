"""Stage `series`: configurations made of one frame and labelled, in one process of the engine.

Short dynamics or relaxation by the labels' own engine, a scan of the volume, or rattles. Any of the
steps can go into a data set, so that which ones do is no part of the key.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import model_validator

from ilmlip.chemistry.boxes import density, labelled, read_one, write
from ilmlip.engines.labelling import Labelled, Session, Step
from ilmlip.engines.moves import (
    dynamics,
    kelvin,
    rattled,
    relaxation,
    scanned,
    start_velocities,
)
from ilmlip.engines.process import KilledError
from ilmlip.errors import StageError
from ilmlip.hashing import digest
from ilmlip.record import field
from ilmlip.spec.derived import Aimd, Rattle, Relax, VolumeScan
from ilmlip.spec.dft import Rung
from ilmlip.stages.base import Inputs, Output, Resources, Size, Stage
from ilmlip.stages.kept_labels import Kept, KeptLabels, OtherEngineError
from ilmlip.stages.labelling import Labelling, frame_of, ladder, tried
from ilmlip.units import BAR

if TYPE_CHECKING:
    from ase import Atoms

SERIES, TABLE = "series.extxyz", "series.csv"
KINDS = ("aimd", "relax", "volume_scan", "rattle")
COLUMNS = (
    "step", "time_fs", "density_g_cm3", "energy_eV", "pressure_bar", "max_force_eV_A",
    "temperature_K",
)  # fmt: skip


class Params(Labelling):
    """Which frame, what is made of it, and by which engine."""

    frame: int = field("Number of the frame in the trajectory, from 0", ge=0)
    step: int | None = field(
        "Start from this step of role `series` instead of a frame of the trajectory",
        ge=0,
        default=None,
        later=True,
    )
    aimd: Aimd | None = field("Dynamics", default=None)
    relax: Relax | None = field("Relaxation", default=None)
    volume_scan: VolumeScan | None = field("Scan of the volume", default=None)
    rattle: Rattle | None = field("Rattles", default=None)
    temperature: float | None = field("Temperature of dynamics", unit="K", gt=0, default=None)
    seed: int = field("Seed of velocities and displacements", ge=0, default=0)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(getattr(self, kind) is not None for kind in KINDS) != 1:
            raise ValueError(f"give exactly one of {', '.join(KINDS)}")
        if (self.aimd is None) != (self.temperature is None):
            raise ValueError("dynamics have a temperature, and nothing else has")
        return self

    def kind(self) -> str:
        """The one kind that is given."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Make and label the series of a frame of role `trajectory`; writes series.extxyz and .csv.

    With `step` it starts from that step of role `series`, another series.

    opls needs role `forcefield` too. Each frame carries its number as info `step`. values: `steps`,
    the numbers of those that are there, and `failed`, those that are not with the reason: dynamics
    and relaxation end there, a scan and rattles go on. Raises StageError if the first one fails, and
    KilledError if the engine was ended from outside. A series that was broken off goes on: what it
    had labelled is not labelled again.
    """
    atoms = frame_of(inputs, params.frame) if params.step is None else _step(inputs, params.step)
    began = time.monotonic()
    kept = KeptLabels(work, digest("ilmlip.series", params))
    kept.take_over(inputs.earlier)
    try:
        series, steps = _made(params, inputs, work, atoms, kept)
    except OtherEngineError:
        kept.forget()
        series, steps = _made(params, inputs, work, atoms, kept)
    if not steps:
        raise series.failure or StageError("the series is empty")
    write(work / SERIES, [_frame(params, step) for step in steps])
    _write_table(params, steps, work / TABLE)
    values = {
        "kind": params.kind(),
        "steps": [step.number for step in steps],
        "failed": series.failed,
    }
    notes = {
        "tries": series.tries,
        "engine_seconds": time.monotonic() - began,
        "labels_taken_over": kept.taken,
    }
    return Output((SERIES, TABLE, *series.files), values, series.tools, notes)


def _step(inputs: Inputs, number: int) -> Atoms:
    """A step of role `series`, without its label. Raises StageError if it is not there."""
    given = inputs.one("series")
    there = [int(step) for step in given.values["steps"]]
    if number not in there:
        raise StageError(
            f"{given.key} has no step {number}; it ends at step {there[-1]}, and its result says why"
        )
    atoms = read_one(given.path / SERIES, there.index(number))
    atoms.calc = None
    return atoms


def _made(
    params: Params, inputs: Inputs, work: Path, atoms: Atoms, kept: KeptLabels
) -> tuple[_Series, list[Step]]:
    with params.open(inputs, work) as session:
        series = _Series(params, session, ladder(inputs), kept)
        steps = series.steps(atoms.copy())
        last = kept.last
        series.files = session.files() if last is None else tuple(last.files)
        series.tools = session.tools() if last is None else last.tools
    return series, steps


class _Series:
    """Makes the steps, and keeps which failed and which took several tries."""

    files: tuple[str, ...] = ()
    tools: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self, params: Params, session: Session, rungs: tuple[Rung, ...], kept: KeptLabels
    ) -> None:
        self.params, self.session, self.rungs, self.kept = params, session, rungs, kept
        self.asked = 0
        self.failed: dict[str, str] = {}
        self.failure: StageError | None = None
        self.tries: list[list[dict[str, Any]]] = []

    def steps(self, atoms: Atoms) -> list[Step]:
        """All that could be labelled, in order."""
        params = self.params
        if params.volume_scan is not None:
            return self._each(scanned(atoms, params.volume_scan))
        if params.rattle is not None:
            return self._each(rattled(atoms, params.rattle, params.seed))
        temperature = params.temperature or 0.0
        if params.aimd is not None:
            start_velocities(atoms, temperature, params.seed)
        native = self._native(atoms, temperature)
        if native is not None:
            return native
        if params.aimd is not None:
            return self._until_it_fails(dynamics(atoms, self._label, params.aimd, temperature))
        return self._until_it_fails(relaxation(atoms, self._label, params.relax or Relax()))

    def _native(self, atoms: Atoms, temperature: float) -> list[Step] | None:
        moves = self.params.aimd or self.params.relax
        if moves is None:
            return None
        found, tries = tried(
            lambda rung: self.session.native(atoms, moves, temperature, rung, self.kept.earlier),
            self.rungs,
        )
        if found is None:
            return None
        self.tries.append(tries)
        if self.params.aimd is not None and len(found) <= moves.steps:
            self.failed[str(len(found))] = "the engine's dynamics ended here; see its log"
        return list(found)

    def _label(self, atoms: Atoms) -> Labelled:
        number, self.asked = self.asked, self.asked + 1
        found = self.kept.read(number, atoms)
        if found is None:
            label, tries = tried(lambda rung: self.session.label(atoms, rung), self.rungs)
            texts = {
                name: (self.kept.work / name).read_text(encoding="utf-8")
                for name in self.session.files()
            }
            found = Kept(label, tries, self.session.tools(), texts)
            self.kept.write(number, atoms, found)
        if len(found.tries) > 1:
            self.tries.append(found.tries)
        return found.label

    def _each(self, frames: Sequence[Atoms]) -> list[Step]:
        found = []
        for number, atoms in enumerate(frames):
            try:
                found.append(Step(number, atoms, self._label(atoms)))
            except StageError as error:
                self._fails(number, error)
        return found

    def _until_it_fails(self, steps: Iterator[Step]) -> list[Step]:
        found: list[Step] = []
        try:
            found.extend(steps)
        except StageError as error:
            self._fails(len(found), error)
        return found

    def _fails(self, number: int, error: StageError) -> None:
        if isinstance(error, KilledError):  # says nothing of the configuration
            raise error
        self.failed[str(number)] = error.reason
        self.failure = self.failure or error


def _frame(params: Params, step: Step) -> Atoms:
    atoms: Atoms = step.atoms.copy()
    atoms.set_momenta(None)
    atoms.info["step"] = step.number
    return labelled(atoms, params.quantities(step.label))


def _write_table(params: Params, steps: Sequence[Step], path: Path) -> None:
    """A line a step, by COLUMNS; pressure is minus the mean normal stress, without kinetic part."""
    timestep = params.aimd.timestep if params.aimd is not None else None
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        for step in steps:
            atoms, label = step.atoms, step.label
            pressure = "" if label.stress is None else f"{-label.stress[:3].mean() / BAR:.8g}"
            heat = step.temperature
            if heat is None and atoms.has("momenta"):
                heat = kelvin(atoms)
            writer.writerow(
                [
                    step.number,
                    "" if timestep is None else f"{step.number * timestep:g}",
                    f"{density(atoms):.8g}",
                    f"{label.energy:.10g}",
                    pressure,
                    f"{np.linalg.norm(label.forces, axis=1).max():.8g}",
                    "" if heat is None or timestep is None else f"{heat:.6g}",
                ]
            )


def labels(params: Params) -> int:
    """The configurations of a series."""
    moves = params.aimd or params.relax
    many = moves.steps + 1 if moves is not None else 0
    if params.volume_scan is not None:
        many = params.volume_scan.points
    if params.rattle is not None:
        many = params.rattle.count
    return many


def seconds(params: Params, size: Size) -> float:
    """As many labels as the series has steps."""
    return params.seconds(size.atoms) * labels(params)


STAGE = Stage(
    "series",
    1,
    Params,
    run,
    Resources(memory_gb=0.5, seconds=10),
    seconds,
    labels,
    goes_on=True,
)
