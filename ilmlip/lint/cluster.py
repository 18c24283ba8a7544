"""Whether what jobs ask of Slurm can work: time limits and their notice, ranks and cores."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ilmlip.lint.finding import Finding
from ilmlip.spec.types import Spec
from ilmlip.stages import stage

EARLY = 60
"""Seconds by which Slurm may signal a job earlier than it was asked to (sbatch's manual, --signal)."""
START = 60
"""Seconds below which a job hardly begins: its programs have to start."""


def limits(spec: Spec) -> Iterator[Finding]:
    """`slurm-limits`: limits that leave a job no time to work, and ranks that do not fit its cores."""
    if spec.cluster.executor != "slurm":
        return
    slurm = spec.cluster.slurm
    stated = {"slurm.longest_minutes": slurm.longest_minutes}
    if slurm.least_minutes < slurm.longest_minutes:
        stated["slurm.least_minutes"] = slurm.least_minutes
    own = spec.cluster.stages.items()
    stated |= {f"stages.{name}.minutes": one.minutes for name, one in own if one.minutes}
    for place, minutes in stated.items():
        yield from _time(f"cluster.{place}", minutes, slurm.notice)
    for name, one in own:
        cores, ranks = one.cores or stage(name).resources.cores, one.ranks or 1
        where = f"cluster.stages.{name}.ranks"
        if ranks > cores:
            yield Finding(
                "slurm-limits", "error", where,
                f"is {ranks}, and a task has {cores} cores: a rank takes one at least. Set "
                f"cluster.stages.{name}.cores to {ranks} or a multiple of it",
            )  # fmt: skip
        elif cores % ranks:
            used = cores // ranks * ranks
            yield Finding(
                "slurm-limits", "warning", where,
                f"is {ranks}, which does not divide the {cores} cores of a task: {used} of them are "
                f"used. Set cluster.stages.{name}.cores to a multiple of {ranks}",
            )  # fmt: skip


def _time(where: str, minutes: int, notice: int) -> Iterator[Finding]:
    left = 60 * minutes - notice - EARLY
    if left >= START:
        return
    enough = math.ceil((notice + EARLY + START) / 60)
    most = 60 * minutes - EARLY - START
    or_else = f", or cluster.slurm.notice to at most {most} s" if most > 0 else ""
    yield Finding(
        "slurm-limits", "error" if left <= 0 else "warning", where,
        f"is {minutes} min = {60 * minutes} s. A job is told of its limit {notice} s before it "
        f"(cluster.slurm.notice), and Slurm may do so {EARLY} s earlier: {60 * minutes} - {notice} - "
        f"{EARLY} = {left} s are left to work in. Set it to at least {enough} min{or_else}",
    )  # fmt: skip
