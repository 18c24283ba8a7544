"""`ilmlip plan` and `ilmlip status`: what is there, what would run, why, and what it would take."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ilmlip.commands import OK
from ilmlip.commands.common import answer, checked, line, print_table, say, study_of
from ilmlip.commands.place import study_in_store
from ilmlip.commands.queue import jobs_of
from ilmlip.execute.claims import Claims
from ilmlip.execute.forecast import forecast
from ilmlip.grammar import counted, digits, duration
from ilmlip.lint.finding import Finding
from ilmlip.lint.run import lint
from ilmlip.plan.cost import Cost
from ilmlip.plan.explain import Reason, explain
from ilmlip.plan.graph import Plan, State, states
from ilmlip.run.unstable import md_runs
from ilmlip.spec.study import Study
from ilmlip.store import Store, told

COLUMNS = {"cached": "cached", "todo": "to run", "failed": "failed before", "running": "running"}


def plan(options: Namespace) -> int:
    """Show the tasks by stage, what they would take, and with --explain why they are to do."""
    study, made, store = study_of(options)
    found = states(made, store, Claims(store.root).alive())
    reasons = explain(options.explain, made, found, store) if options.explain else []
    if options.explain and not options.json:
        _print_reasons(reasons, options.explain)
        return OK
    spent = forecast(made, found, store, study.spec.cluster)
    findings = _tell(study, made, options.strict)
    if options.json:
        told = {name: value for name, value in asdict(spent).items() if name != "task_seconds"}
        more: dict[str, Any] = {"cost": told, "findings": [finding.data() for finding in findings]}
        if options.explain:
            more["reasons"] = [asdict(reason) for reason in reasons]
        answer(_states(study, made, found, store) | more)
        return OK
    print(_title(study, made, store))
    _print_stages(made, found, spent)
    _print_cost(spent, made)
    return OK


def status(options: Namespace) -> int:
    """Show what is done, running and failed, and why."""
    study, made, store = study_in_store(options)
    found = states(made, store, Claims(store.root).alive())
    held = jobs_of(store)
    data = _states(study, made, found, store)
    for row in data["tasks"]:
        if row["state"] != "cached" and (one := held.get(row["key"])) is not None:
            row["job"] = {"id": one.job, "state": one.state, "reason": one.reason}
    md = md_runs(made, store, {key for key, state in found.items() if state == "cached"})
    if md.runs:
        data["md"] = md.data()
    if options.json:
        answer(data)
        return OK
    print(_title(study, made, store))
    waiting = Counter(
        row["stage"] for row in data["tasks"] if row["state"] != "running" and "job" in row
    )
    _print_stages(made, found, None, waiting)
    if line := md.line():
        print(line)
    for row in data["failed"]:
        log = f"\n  log: {row['log']}" if row["log"] else ""
        print(f"failed: {row['key']}: {row['reason']}{log}")
    return OK


def _tell(study: Study, made: Plan, strict: bool) -> list[Finding]:
    """Lint's findings; a plan is shown whatever they are, unless strict."""
    if strict:
        return checked(study, made, strict)
    findings = lint(study, made, Store(Path(study.spec.store)))
    for finding in findings:
        if finding.severity != "info":
            say(f"{finding.severity}: {line(finding)}")
    return findings


def _states(study: Study, made: Plan, found: dict[str, State], store: Store) -> dict[str, Any]:
    points = made.points()
    failed = (store.failure(key) for key, state in found.items() if state == "failed")
    return {
        "study": study.spec.name,
        "points": len(study.points),
        "tasks": [
            {
                "key": task.key,
                "stage": task.stage,
                "state": found[task.key],
                "needs": list(task.inputs()),
                "points": points[task.key],
                "about": dict(task.about),
            }
            for task in made
        ],
        "failed": told(failure for failure in failed if failure),
    }


def _title(study: Study, made: Plan, store: Store) -> str:
    points = f"{len(study.points)} points, " if len(study.points) > 1 else ""
    return f"{study.spec.name}: {points}{counted(len(made), 'task')}, store {store.root}"


def _print_stages(
    made: Plan, found: dict[str, State], spent: Cost | None, waiting: Counter[str] | None = None
) -> None:
    counts: Counter[tuple[str, str]] = Counter((t.stage, found[t.key]) for t in made)
    head = ["stage", *COLUMNS.values()]
    if waiting:
        head.append("of these in Slurm's queue")
    if spent is not None:
        head += ["time", "core-hours", "learned from"]
    rows = []
    for name in dict.fromkeys(task.stage for task in made):
        row = [name, *(str(counts[name, state] or "·") for state in COLUMNS)]
        if waiting:
            row.append(str(waiting[name] or "·"))
        if spent is not None:
            one = spent.stages.get(name)
            row += (
                ["·", "·", "·"]
                if one is None
                else [
                    duration(one.seconds),
                    digits(one.core_hours),
                    counted(one.learned, "result") if one.learned else "(stated)",
                ]
            )
        rows.append(row)
    print_table(head, rows)


def _print_cost(spent: Cost, made: Plan) -> None:
    if not spent.stages:
        print("nothing to do")
        return
    calls = counted(spent.label_calls, "label (DFT) call")
    print(f"to do: {digits(spent.core_hours)} core-hours, {calls}")
    path = [made.tasks[key].stage for key in spent.critical_path]
    print(f"critical path: {duration(spent.critical_seconds)} ({' → '.join(path)})")
    if spent.wall_seconds is not None:
        print(f"wall time: about {duration(spent.wall_seconds)} on {counted(spent.cores, 'core')}")


def _print_reasons(reasons: list[Reason], asked: str) -> None:
    """Each reason once, with how many tasks have it."""
    if not reasons:
        print(f"{asked}: every task is cached")
    grouped: dict[str, list[Reason]] = {}
    for reason in reasons:
        grouped.setdefault(reason.text, []).append(reason)
    for text, alike in grouped.items():
        more = f" and {len(alike) - 1} more" if len(alike) > 1 else ""
        near = f" ({alike[0].near})" if alike[0].near else ""
        print(f"{alike[0].key}{more}: {text}{near}")
