"""Whether a run is larger than the machine's profile lets it be without a question."""

from __future__ import annotations

import sys
from argparse import Namespace

from ilmlip.commands.queue import jobs_of
from ilmlip.errors import SpecError
from ilmlip.execute.claims import Claims
from ilmlip.execute.forecast import forecast
from ilmlip.grammar import counted, digits, duration
from ilmlip.plan.cost import Cost
from ilmlip.plan.graph import Plan, State, states
from ilmlip.spec.profile import profile, profile_path
from ilmlip.spec.study import Study
from ilmlip.store import Store

TO_TRY = """\
name what to run. To try:
  ilmlip run quickstart scale=smoke    every stage at the smallest size: a minute or two
  ilmlip plan quickstart               what the demo computes, and how long it takes here
  ilmlip run quickstart                the demo: about nine minutes on two cores"""


def ask(study: Study, plan: Plan, store: Store, options: Namespace) -> None:
    """Ask before a run beyond the profile's limits; --yes and `y` let it go on.

    What is in Slurm's queue, or computed by another process, was asked for before and does not count.
    Raises SpecError where the answer is no, or where nobody can answer: without a terminal, or with
    --json.
    """
    if options.yes:
        return
    alive, queued = Claims(store.root).alive(), jobs_of(store)
    found: dict[str, State] = {
        key: "cached" if state == "running" or key in queued else state
        for key, state in states(plan, store, alive).items()
    }
    spent, limits = forecast(plan, found, store, study.spec.cluster), profile().limits
    limit = ""
    if spent.core_hours > limits.core_hours:
        limit = f"{digits(limits.core_hours)} core-hours (limits.core_hours"
    elif len(spent.task_seconds) > limits.tasks:
        limit = f"{counted(limits.tasks, 'task')} (limits.tasks"
    if not limit:
        return
    size = f"{_size(spent)}: more than the limit of {limit} in {profile_path()})"
    if options.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise SpecError(
            study.spec.name,
            f"{size}. Add --yes to run it, or take less of it, such as scale=laptop or scale=smoke; "
            "`ilmlip plan` shows what takes how long",
        )
    print(f"{study.spec.name}: {size}. Run it? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise SpecError(study.spec.name, "nothing was started")
    options.yes = True  # a sweeper asks for one batch after the other


def _size(spent: Cost) -> str:
    """How much there is to do."""
    parts = [counted(len(spent.task_seconds), "task"), f"{digits(spent.core_hours)} core-hours"]
    if spent.label_calls:
        parts.append(counted(spent.label_calls, "label (DFT) call"))
    if spent.wall_seconds is not None:
        parts.append(f"about {duration(spent.wall_seconds)} on {counted(spent.cores, 'core')}")
    return ", ".join(parts)
