"""Stage `trust`: along runs of models, does the spread of the committee tell where the error is?"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from ilmlip.observables.ranking import calibration, rank_correlation
from ilmlip.record import Record, field
from ilmlip.report.trust import FIGURE, PAGE, TABLE, Trusted, draw, page
from ilmlip.stages.base import Given, Inputs, Output, Resources, Stage
from ilmlip.stages.evaluate import read_predictions
from ilmlip.stages.md_report import Described
from ilmlip.stages.validate import read_times
from ilmlip.units import MEV

BINS = 8


class Params(Record):
    """The runs, in the order of both roles."""

    runs: tuple[Described, ...] = field("What each run is of")


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Compare spread and error of role `committee` on the labelled frames of role `dataset`.

    Both are of the force vector of an atom. Writes TABLE (a line a frame), PAGE and FIGURE. values:
    medians over the runs of Spearman's ρ over atoms and over frames (`spearman_atoms`,
    `spearman_frames`) and of RMS error over RMS spread (`calibration`).
    """
    committee, labelled = (dict(inputs.placed(role)) for role in ("committee", "dataset"))
    found = [
        trusted(described, committee[i], labelled[i])
        for i, described in enumerate(params.runs)
        if i in committee and i in labelled
    ]
    with (work / TABLE).open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*Described.model_fields, "time_fs", "spread_meV_A", "error_meV_A"])
        for one in found:
            about = ["" if v is None else v for v in one.about.values()]
            for row in zip(one.times, one.spread, one.error, strict=True):
                writer.writerow([*about, *(f"{value:.6g}" for value in row)])
    (work / PAGE).write_text(page(found, len(params.runs) - len(found)), encoding="utf-8")
    figures = (FIGURE,) if draw(work / FIGURE, found) else ()
    values: dict[str, float] = {"runs": len(found)}
    for name in ("spearman_atoms", "spearman_frames", "calibration"):
        if own := [v for one in found if (v := getattr(one, name)) is not None]:
            values[name] = float(np.median(own))
    return Output((TABLE, PAGE, *figures), values)


def trusted(described: Described, committee: Given, labelled: Given) -> Trusted:
    """The numbers of one run."""
    times = read_times(labelled.path / "test.extxyz")
    arrays = read_predictions(committee.path)
    spread = np.linalg.norm(arrays["forces_spread"], axis=1) / MEV
    error = np.linalg.norm(arrays["forces"] - arrays["forces_reference"], axis=1) / MEV
    ends = np.cumsum(arrays["n_atoms"])[:-1]
    by_frame = [
        np.array([np.sqrt(np.mean(part**2)) for part in np.split(values, ends)])
        for values in (spread, error)
    ]
    order = np.argsort(times)
    bins = calibration(spread, error, min(BINS, len(spread)))
    return Trusted(
        described.name(),
        described.model_dump(),
        times[order],
        by_frame[0][order],
        by_frame[1][order],
        rank_correlation(spread, error),
        rank_correlation(*by_frame),
        bins.ratio,
        (bins.spread, bins.error),
    )


STAGE = Stage("trust", 2, Params, run, Resources(memory_gb=0.7, seconds=4))
"""Spread of committees beside their errors in dynamics."""
