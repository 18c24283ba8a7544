"""Stage `active_report`: what rounds of learning on the fly brought, against the number of labels."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from ilmlip.chemistry.boxes import read
from ilmlip.observables.errors import force_errors, standard_error
from ilmlip.record import Record, field
from ilmlip.report.active import FIGURE, PAGE, TABLE, Turn, draw, page, write_csv
from ilmlip.spec.active import Choose
from ilmlip.stages.base import Given, Inputs, Output, Resources, Stage
from ilmlip.stages.dataset import FRAME


class Entry(Record):
    """One round at one composition."""

    choose: Choose = field("How its frames were chosen")
    training: str = field("Training compositions, joined by +")
    composition: str = field("The composition that is run")
    round: int = field("Number of the round, from 0, the first training", ge=0)
    members: int = field("So many of role `testing`", ge=0)
    check: int = field("So many of role `checked`", ge=0)


class Params(Record):
    """The rounds, in the order of roles `dataset`, `explored`, `chosen`."""

    entries: tuple[Entry, ...] = field("What each is of")


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Write TABLE, PAGE and FIGURE. values: rounds that have run, and the labels of the largest set.

    `checked` and `testing` hold, entry after entry, labels of frames of its run, and each member's
    evaluation on the test frames. The error in dynamics is that of the run's own forces.
    """
    given = {role: dict(inputs.placed(role)) for role in ("dataset", "explored", "chosen")}
    checked, testing = (iter_of(inputs, role) for role in ("checked", "testing"))
    turns = []
    for i, entry in enumerate(params.entries):
        labels = list(islice(checked, entry.check))
        tests = list(islice(testing, entry.members))
        explored, chosen, data = (given[r].get(i) for r in ("explored", "chosen", "dataset"))
        if explored is None or chosen is None or data is None or not explored.values["ran"]:
            continue
        turns.append(turn(entry, explored, chosen, data, labels, tests))
    write_csv(work / TABLE, turns)
    (work / PAGE).write_text(page(turns, len(params.entries) - len(turns)), encoding="utf-8")
    draw(work / FIGURE, turns)
    most = max((one.labels for one in turns), default=0)
    return Output((TABLE, PAGE, FIGURE), {"rounds": len(turns), "labels": most})


def iter_of(inputs: Inputs, role: str) -> Iterator[Given | None]:
    """All that a role asks for, in order; None for what is not there."""
    there = dict(inputs.placed(role))
    number = len(inputs.roles.get(role, ())) + len(inputs.missing.get(role, ()))
    return iter([there.get(i) for i in range(number)])


def turn(
    entry: Entry,
    explored: Given,
    chosen: Given,
    data: Given,
    labels: list[Given | None],
    tests: list[Given | None],
) -> Turn:
    """The numbers of one round."""
    in_dynamics = None
    found = [given for given in labels if given is not None and given.values["there"]]
    if found:
        frames = [read(given.path / FRAME)[0] for given in found]
        errors = force_errors(
            [atoms.arrays["model_forces"] for atoms in frames],
            [atoms.get_forces() for atoms in frames],
            [atoms.get_chemical_symbols() for atoms in frames],
        )
        in_dynamics = (errors["force_mae"], errors["force_mae_stderr"])
    by_seed = np.array([given.values["force_mae"] for given in tests if given is not None])
    in_testing = None
    if len(by_seed):
        in_testing = (float(by_seed.mean()), standard_error(by_seed))
    values = explored.values
    return Turn(
        choose=entry.choose,
        training=entry.training,
        composition=entry.composition,
        number=entry.round,
        labels=sum(data.values["frames"].values()),
        chosen=int(chosen.values["chosen"]),
        in_dynamics=in_dynamics,
        in_testing=in_testing,
        checked=len(found),
        largest_spread=values["largest_spread"],
        mean_spread=values["mean_spread"],
        steps=(int(values["steps"]), int(values["of_steps"])),
        reason=str(values.get("reason", "")),
        stopped=bool(chosen.values["stopped"]),
    )


STAGE = Stage("active_report", 2, Params, run, Resources(memory_gb=0.7, seconds=4))
"""Puts all rounds into one table and figure."""
