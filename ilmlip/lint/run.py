"""All findings of a study, without those that its spec silences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from ilmlip.errors import SpecError
from ilmlip.lint.cluster import limits
from ilmlip.lint.compositions import compositions
from ilmlip.lint.files import files
from ilmlip.lint.finding import CODES, ORDER, Finding
from ilmlip.lint.machine import compiling, machine, outside
from ilmlip.lint.physics import cutoff, dynamics, frames, grid, labels
from ilmlip.lint.plausible import bonds_seen, elements, ions, steps, values
from ilmlip.plan.graph import Plan, states
from ilmlip.spec.shipped import did_you_mean
from ilmlip.spec.study import Study, shown_value
from ilmlip.spec.types import Spec
from ilmlip.store import Store

RULES = (
    (compositions, ("system", "compositions")),
    (cutoff, ("system", "compositions", "model")),
    (grid, ("system", "compositions", "sampling", "dft")),
    (labels, ("compositions", "dft", "model")),
    (dynamics, ("ensemble", "model")),
    (frames, ("system", "compositions", "sampling", "dft", "dataset")),
    (values, ("system", "compositions", "sampling", "dft", "dataset", "model", "ensemble")),
    (steps, ("system", "compositions", "sampling", "dft", "dataset", "ensemble")),
    (bonds_seen, ("system", "compositions", "model")),
    (ions, ("system", "compositions", "dft")),
    (elements, ("system", "compositions", "dft")),
    (machine, ("dft", "system", "compositions", "cluster")),
    (compiling, ("model", "cluster")),
    (limits, ("cluster",)),
    (outside, ("analysis", "cluster")),
    (files, ("dft", "system", "compositions", "model")),
)
"""Each rule with the sections that it reads: points that share those share its findings."""
OF_MACHINE = ("program-missing", "pseudopotential-missing")
LONGEST = 40
"""Characters of a value that a finding repeats."""
LABELLING = ("label", "series", "atom")
"""Stages whose tasks take the program and the pseudopotentials."""


def lint(study: Study, plan: Plan, store: Store | None = None) -> list[Finding]:
    """Errors first. Raises SpecError for a silenced code that does not exist.

    Where every label is in `store` already, what this machine lacks to make them is not found.
    """
    found: dict[Finding, None] = {}
    silenced: set[str] = set()
    seen: set[tuple[int, ...]] = set()
    for spec in study.specs:
        silenced |= _silenced(spec)
        for number, (rule, sections) in enumerate(RULES):
            same = (number, *(id(getattr(spec, name)) for name in sections))
            if same not in seen:
                seen.add(same)
                found.update(dict.fromkeys(rule(spec)))
    found.update(dict.fromkeys(idle(study, plan)))
    found.update(dict.fromkeys(overruled(study)))
    left = [f for f in found if f.code not in silenced]
    if any(f.code in OF_MACHINE for f in left) and store is not None and _labelled(plan, store):
        left = [f for f in left if f.code not in OF_MACHINE]
    return sorted(left, key=lambda f: ORDER.index(f.severity))


def _labelled(plan: Plan, store: Store) -> bool:
    """Whether nothing is left to label."""
    left = {key for key, state in states(plan, store).items() if state != "cached"}
    return not any(task.key in left for task in plan if task.stage in LABELLING)


def _silenced(spec: Spec) -> set[str]:
    for code in spec.lint.silence:
        if code not in CODES:
            raise SpecError(
                f"lint.silence.{code}",
                f"unknown code; {did_you_mean(code, CODES)}there are {', '.join(CODES)}",
            )
    return set(spec.lint.silence)


def idle(study: Study, plan: Plan) -> Iterator[Finding]:
    """`sweep-no-effect`: a swept field whose values all lead to the same results."""
    results = [tuple(key for key, _ in outputs.values()) for outputs in plan.outputs]
    for key in study.swept():
        alike: dict[tuple[str, ...], list[tuple[str, ...]]] = defaultdict(list)
        for point, result in zip(study.points, results, strict=True):
            others = tuple(f"{k}={shown_value(v)}" for k, v in point.swept.items() if k != key)
            alike[others].append(result)
        compared = [same for same in alike.values() if len(same) > 1]  # none: nothing to say
        if compared and all(len(set(same)) == 1 for same in compared):
            yield Finding(
                "sweep-no-effect",
                "warning",
                f"sweep.{key}",
                f"{key} changes no task: all its values give the same results. Take it out of the "
                "sweep",
            )


def short(value: str) -> str:
    """A value cut to what a message may hold."""
    return value if len(value) <= LONGEST else value[: LONGEST - 1] + "…"


def overruled(study: Study) -> Iterator[Finding]:
    """`option-no-effect` and `scale-differs`: values of options that files state differently."""
    for one in study.overruled:
        if one.without_effect:
            names = ", ".join(n for n, _, _ in one.fields)
            yield Finding(
                "option-no-effect",
                "warning",
                one.option,
                f"changes nothing, since the file states every value that differs: {names}. What a "
                "file states wins over options; take it out of the file, or type the values",
            )
        else:
            values = ", ".join(f"{n} {short(ours)} ({short(its)})" for n, ours, its in one.fields)
            yield Finding(
                "scale-differs",
                "info",
                one.option,
                f"the file's values win over those of this option (in parentheses): {values}",
            )
