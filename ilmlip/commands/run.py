"""`ilmlip run`: everything that is not in the store yet."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from pathlib import Path
from typing import Any

from ilmlip.commands import FAILED, OK
from ilmlip.commands.common import answer, checked, print_table, say, study_of
from ilmlip.commands.size import ask
from ilmlip.grammar import counted, plural
from ilmlip.report.sweep import summary
from ilmlip.run import Ended, run_study
from ilmlip.run.outputs import THERE
from ilmlip.run.unstable import MdRuns, md_runs
from ilmlip.spec.profile import profile_path
from ilmlip.spec.study import Study
from ilmlip.store import told
from ilmlip.uri import secrets

SHOWN = 40
"""Points of a sweep that are printed; sweep.csv has all."""


def run(options: Namespace) -> int:
    """Run a study; with a sweeper of Hydra's, run what it asks for."""
    study, plan, store = study_of(options)
    checked(study, plan, options.strict)
    if any(word.startswith("tracking.uri=") and secrets(word) for word in options.words):
        say(
            "warning: every user of this machine can read the password of tracking.uri on the command "
            f"line (ps); put the full URI into {profile_path()}, tracking: [URI]"
        )
    ask(study, plan, store, options)
    ended = run_study(study, plan, detach=options.detach)
    for message in ended.messages:
        say(message)
    if options.json:
        answer(answer_of(study, ended))
    else:
        print_ended(study, ended)
    return OK if ended.ok or (ended.queued and not ended.outcome.failures) else FAILED


def answer_of(study: Study, ended: Ended) -> dict[str, Any]:
    """What a run has to tell, as data."""
    settled = Counter(ended.outcome.settled.values())
    data: dict[str, Any] = {
        "study": study.spec.name,
        "done": settled["done"] - len(ended.outcome.elsewhere),
        "elsewhere": len(ended.outcome.elsewhere),
        "cached": settled["cached"],
        "failed": told(ended.outcome.failures.values()),
        "blocked": settled["blocked"],
        "outputs": ended.outputs,
        **({"queued": ended.queued} if ended.queued else {}),
    }
    if (md := _md_runs(ended)).runs:
        data["md"] = md.data()
    if len(study.points) > 1:
        data["points"] = [
            {"swept": dict(point.swept), "outputs": outputs}
            for point, outputs in zip(study.points, ended.points, strict=True)
        ]
    return data


def _md_runs(ended: Ended) -> MdRuns:
    there = {key for key, how in ended.outcome.settled.items() if how in THERE}
    return md_runs(ended.plan, ended.store, there)


def print_ended(study: Study, ended: Ended) -> None:
    """The outputs as tables, where the files are, and what became of the tasks."""
    if len(study.points) == 1:
        _print_outputs(ended.outputs)
    else:
        _print_points(study, ended)
        _print_outputs({k: v for k, v in ended.outputs.items() if k == "paper"})
    for name, path in ended.outputs.items():
        print(f"{name}: {path}")
    if len(study.points) > 1 and not ended.outputs:  # data sets alone
        for point, outputs in zip(study.points[:SHOWN], ended.points, strict=False):
            for name, path in outputs.items():
                print(f"{point.label()}: {name}: {path}")
    settled = Counter(ended.outcome.settled.values())
    others = len(ended.outcome.elsewhere)
    print(
        f"{study.spec.name}: {counted(settled['done'] - others, 'task')} done, "
        + (f"{others} by another run meanwhile, " if others else "")
        + f"{settled['cached']} {plural(settled['cached'], 'was')} there already"
        + (f", {settled['failed']} failed" if settled["failed"] else "")
        + (f", {settled['blocked']} not run because of those" if settled["blocked"] else "")
        + (f", {len(ended.queued)} in the queue" if ended.queued else "")
    )
    if line := _md_runs(ended).line():
        print(line)
    for row in told(ended.outcome.failures.values()):
        log = f"\n  log: {row['log']}" if row["log"] else ""
        print(f"failed: {row['key']}: {row['reason']}{log}")


def _print_outputs(outputs: dict[str, str]) -> None:
    """The matrix and the findings as tables."""
    from rich.console import Console

    from ilmlip.report.terminal import render

    console = Console()
    for part in render(outputs):
        console.print(part)


def _print_points(study: Study, ended: Ended) -> None:
    """A line for each point and model: mean and largest error over the compositions."""
    keys = study.swept()
    rows: list[list[str]] = []
    for point, outputs in zip(study.points, ended.points, strict=True):
        if "matrix" not in outputs or len(rows) >= SHOWN:
            continue
        energies = summary(Path(outputs["matrix"]), "energy_mae")
        forces = {m: mean for m, mean, _ in summary(Path(outputs["matrix"]), "force_mae")}
        for model, mean, largest in energies:
            if model in forces:
                errors = [f"{mean:.3g}", f"{largest:.3g}", f"{forces[model]:.3g}"]
                rows.append([*(str(point.swept.get(key, "")) for key in keys), model, *errors])
    if rows:
        head = [*keys, "trained on", "energy MAE (mean)", "(worst)", "force MAE (mean)"]
        print_table(head, rows, left=len(keys) + 1)
        print("meV/atom and meV/Å, medians over seeds, over the test compositions")
    if len(study.points) > SHOWN:
        print(f"… {len(study.points)} points in all: see the file")
