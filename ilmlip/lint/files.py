"""The first frames of each file of imported labels: whether they can be read, and be what is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ilmlip.engines.files import Imported, frames
from ilmlip.engines.plausible import doubts
from ilmlip.errors import StageError
from ilmlip.lint.finding import Finding, Severity
from ilmlip.observables.periodic import smallest_height
from ilmlip.spec.files import Files
from ilmlip.spec.mixtures import composition_label, ion_counts
from ilmlip.spec.types import Spec
from ilmlip.stages import imported

FIRST = 24
"""Frames of each file that are read."""
LARGE = 200_000_000
"""Bytes of a program's output above which it is not read here: ASE reads all of it for one frame."""


def files(spec: Spec) -> Iterator[Finding]:
    """What is wrong with the first frames of the files of `dft.files`, if it is used."""
    given = spec.dft.files
    if given is None:
        return
    if spec.model.loss.stress > 0 and given.stress_key is None:
        yield Finding(
            "stress-missing",
            "error",
            "dft.files.stress_key",
            f"is null, and model.loss.stress weighs the stress by {spec.model.loss.stress:g}. Name the "
            "key of the stress, or set model.loss.stress=0",
        )
    params = imported.Params(
        reading=given.reading(),
        sha256=(),
        compositions={
            composition_label(x): ion_counts(spec.system, spec.compositions, x)
            for x in spec.compositions.everything()
        },
        ions={name: ion.geometry().elements for name, ion in spec.system.ions.items()},
        bonds={name: ion.bonded_atoms() for name, ion in spec.system.ions.items()},
    )
    heights = []
    for index, path in enumerate(given.paths):
        where = f"dft.files.paths.{index}"
        try:
            read = _first(Path(path), given)
        except StageError as error:
            yield Finding("file-unreadable", "error", where, str(error))
            continue
        yield from _look(read, params, where)
        cells = [one.atoms.cell for one in read if one.atoms is not None]
        heights += [smallest_height(cell.array[None]) for cell in cells if cell.rank == 3]
    if heights and spec.model.seeds:
        yield from _box(min(heights), spec.model.r_max)


def _first(path: Path, given: Files) -> list[Imported]:
    if path.stat().st_size > LARGE and given.format.startswith(("vasp", "espresso")):
        return []
    return list(frames(path, given.reading(), FIRST)) or [
        Imported(path.name, fault="holds no frame")
    ]


def _look(read: list[Imported], params: imported.Params, where: str) -> Iterator[Finding]:
    """The first frame by itself; units and signs by all of them."""
    fault = next((imported.unfit(one, params) for one in read), "")
    if fault:
        severity: Severity = "error" if params.reading.on_bad == "refuse" else "warning"
        yield Finding("frame-unfit", severity, where, f"{read[0].name}, {fault}")
    good = [(one.atoms, one.label) for one in read if one.atoms and one.label]
    for doubt in doubts(good, params.reading):
        yield Finding(
            "labels-impossible" if doubt.impossible else "labels-implausible",
            "error" if doubt.impossible else "warning",
            where,
            doubt.message,
        )


def _box(height: float, r_max: float) -> Iterator[Finding]:
    if r_max <= height / 2:
        return
    what = "atoms see themselves" if r_max > height else "an atom sees two images of a neighbor"
    yield Finding(
        "cutoff-box",
        "error" if r_max > height else "warning",
        "model.r_max",
        f"{r_max:g} Å in a box of {height:.1f} Å (the smallest among the first frames of "
        f"dft.files.paths): {what}. At most {height / 2:.1f} Å",
    )
