"""Stage `ion_energies`: what each model holds an ion to be worth, beside what the labels say.

The paper's Table S8 (crystals: Table S11) and Figure S3. An energy per ion is the sum of the model's
atomic energies over it. The labels have no such thing, but a difference: that between compositions.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from statistics import fmean

import numpy as np

from ilmlip.chemistry.labelled import read_frames
from ilmlip.chemistry.rank import in_span
from ilmlip.observables.shifts import least_squares
from ilmlip.record import Record, field
from ilmlip.report.ion_energies import Fit, Of, draw, page, write_csv
from ilmlip.stages.base import Inputs, Output, Resources, Stage
from ilmlip.stages.matrix import Entry

FILES = ("ion_energies.csv", "ion_energies.md", "ion_energies.png")


class Params(Record):
    """The evaluations and the test sets, and the differences to look at."""

    entries: tuple[Entry, ...] = field("One for each evaluation, in the inputs' order")
    compositions: tuple[str, ...] = field("One for each test set, in the inputs' order")
    differences: tuple[dict[str, int], ...] = field(
        "Each as numbers of species: {EMIM: 1, Li: -1} is E(EMIM) − E(Li)"
    )


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Gather role `evaluations` and the labels of role `tests`; writes FILES.

    values: `reference` (name of each difference: eV, null where undetermined), `fit_mae` in eV.
    """
    named = {difference_name(d): d for d in params.differences}
    found = models(params.entries, inputs, named)
    fit = of_labels(params, inputs, named)
    write_csv(work / FILES[0], found, fit)
    (work / FILES[1]).write_text(page(found, fit), encoding="utf-8")
    draw(work / FILES[2], found, fit)
    return Output(FILES, {"reference": dict(fit.differences), "fit_mae": fit.mae})


def difference_name(difference: dict[str, int]) -> str:
    """As EMIM-Li, or Li+S-Cl; numbers other than one stand before the species."""
    parts = sorted(difference.items(), key=lambda item: (item[1] < 0, item[0]))
    text = "".join(
        f"{'+' if n > 0 else '-'}{abs(n) if abs(n) > 1 else ''}{species}" for species, n in parts
    )
    return text.removeprefix("+")


def models(
    entries: tuple[Entry, ...], inputs: Inputs, named: dict[str, dict[str, int]]
) -> list[Of]:
    """Each model and seed: energies of the species as means over the compositions that hold them."""
    held: dict[tuple[str, int | None], dict[str, list[float]]] = {}
    for place, given in inputs.placed("evaluations"):
        own = held.setdefault((entries[place].name, entries[place].seed), {})
        for species, energy in given.values.get("ion_energies", {}).items():
            own.setdefault(species, []).append(energy)
    found = []
    for (model, seed), energies in held.items():
        means = {species: fmean(values) for species, values in sorted(energies.items())}
        differences = {
            name: sum(n * means[s] for s, n in d.items())
            for name, d in named.items()
            if d.keys() <= means.keys()
        }
        if means:
            found.append(Of(model, seed, means, differences))
    return found


def of_labels(params: Params, inputs: Inputs, named: dict[str, dict[str, int]]) -> Fit:
    """The labels' own differences: least squares over mean energy and mean counts of each set."""
    compositions, energies, counts = [], [], []
    for place, given in inputs.placed("tests"):
        frames = read_frames(given.path / "test.extxyz")
        own = [Counter(frame.ions()) for frame in frames]
        compositions.append(params.compositions[place])
        energies.append(fmean(frame.energy for frame in frames))
        counts.append({s: fmean(c[s] for c in own) for s in sorted({s for c in own for s in c})})
    kinds = sorted({species for one in counts for species in one})
    rows = np.array([[one.get(kind, 0.0) for kind in kinds] for one in counts])
    solved = least_squares(rows, np.array(energies), kinds).energies
    residuals = np.array(energies) - rows @ np.array([solved[kind] for kind in kinds])
    whole = [{s: round(n) for s, n in one.items()} for one in counts]
    return Fit(
        tuple(compositions),
        tuple(residuals.tolist()),
        float(np.mean(np.abs(residuals))),
        {
            name: sum(n * solved[s] for s, n in d.items())
            if d.keys() <= set(kinds) and in_span(d, whole)
            else None
            for name, d in named.items()
        },
    )


STAGE = Stage("ion_energies", 1, Params, run, Resources(memory_gb=0.5, seconds=3))
"""Gathers what evaluations have found."""
