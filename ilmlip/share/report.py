"""What stands on the page of a study: gathered from its plan and its store, as far as it has come."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from ilmlip import __version__
from ilmlip.grammar import counted
from ilmlip.plan.compile import study_key
from ilmlip.plan.graph import Plan, State, states
from ilmlip.plan.task import Task
from ilmlip.report import curves
from ilmlip.report.heatmap import three_digits
from ilmlip.report.matrix import shown_name
from ilmlip.report.page import Code, Figure, Part, Section, Table, Text, outputs_parts, render
from ilmlip.report.sweep import summary
from ilmlip.share.freeze import dump
from ilmlip.spec.study import Study, study_data
from ilmlip.stages import stage
from ilmlip.store import Result, Store

MOST_POINTS = 8
"""Points of a sweep whose figures are shown."""
TAIL = 25
"""Lines at the end of a failure's log that are shown."""
MARKS = {True: "good", False: "bad", None: "open"}
SAID = {True: "Holds: ", False: "Does not hold: ", None: "Not decided: "}


def report(study: Study, plan: Plan, store: Store, now: datetime) -> str:
    """The page, as HTML. Runs nothing."""
    found = states(plan, store)
    results = {
        key: result
        for key, state in found.items()
        if state == "cached" and (result := store.result(key)) is not None
    }
    outputs = [
        {
            n: store.folder(k) / f
            for n, (k, f) in named.items()
            if k in results and f in results[k].files  # a figure that would be empty is not written
        }
        for named in plan.outputs
    ]
    spec = study.spec
    sections = [
        _section("findings", "Findings", lambda: _findings(study, outputs)),
        _section("errors", "Errors", lambda: _errors(study, outputs)),
        _section("training", "Training", lambda: _training(plan, results)),
        _section("datasets", "Data sets", lambda: _datasets(plan, results)),
        _section("failures", "What failed", lambda: _failures(found, store)),
        _section("plan", "Plan", lambda: _plan(plan, found, results)),
        _section("spec", "Spec", lambda: _spec(study)),
        _section("machine", "Machine and versions", lambda: _machine(results)),
    ]
    made = f"Made by ilmlip {__version__}, {now:%Y-%m-%d %H:%M}, study {study_key(study.specs)}."
    return render(spec.name, spec.description, sections, made)


def _section(name: str, title: str, made: Callable[[], list[Part]]) -> Section:
    """A section of the page; what a damaged or unusual result makes impossible is said in its place."""
    try:
        return Section(name, title, made())
    except Exception as error:
        text = f"This section could not be made: {type(error).__name__}: {error}."
        return Section(name, title, [Text(text, "bad")])


def _findings(study: Study, outputs: Sequence[Mapping[str, Path]]) -> list[Part]:
    parts: list[Part] = []
    for point, named in zip(study.points, outputs, strict=True):
        for path in (p for p in named.values() if p.name in ("findings.json", "paper.json")):
            for one in json.loads(path.read_text(encoding="utf-8")):
                where = f"{point.label()}: " if len(study.points) > 1 else ""
                text = f"{SAID[one['holds']]}{where}{one['statement']}."
                parts.append(Text(text, MARKS[one["holds"]]))
    return parts


def _errors(study: Study, outputs: Sequence[Mapping[str, Path]]) -> list[Part]:
    if len(study.points) == 1:
        return outputs_parts(dict(outputs[0]))
    table = _points(study, outputs)
    parts: list[Part] = [table] if table.rows else []
    for point, named in list(zip(study.points, outputs, strict=True))[:MOST_POINTS]:
        if "figure" in named:
            parts.append(Figure(point.label(), named["figure"].read_bytes()))
    joint = {n: p for n, p in outputs[0].items() if n.startswith("active_all")}
    parts += outputs_parts(joint)
    if len(study.points) > MOST_POINTS:
        parts.append(Text(f"Figures of the first {MOST_POINTS} of {len(study.points)} points."))
    return parts


def _points(study: Study, outputs: Sequence[Mapping[str, Path]]) -> Table:
    """A line for each point and model: what was swept, and its errors over the compositions."""
    keys = study.swept()
    rows: list[list[str]] = []
    for point, named in zip(study.points, outputs, strict=True):
        if "matrix" not in named:
            continue
        force = {m: mean for m, mean, _ in summary(named["matrix"], "force_mae")}
        stress = {m: mean for m, mean, _ in summary(named["matrix"], "stress_mae")}
        for model, mean, most in summary(named["matrix"], "energy_mae"):
            swept = [str(point.swept.get(key, "")) for key in keys]
            others = [three_digits(x[model]) if model in x else "–" for x in (force, stress)]
            rows.append(
                [*swept, shown_name(model), three_digits(mean), three_digits(most), *others]
            )
    head = [*keys, "trained on", "energy MAE, meV/atom", "at worst", "force MAE, meV/Å"]
    return Table([*head, "stress MAE, meV/Å³"], rows)


def _training(plan: Plan, results: Mapping[str, Result]) -> list[Part]:
    made = [t for t in plan if t.stage == "train" and t.key in results]
    if not made:
        return []
    lines: dict[str, list[list[dict[str, float]]]] = {}
    rows = []
    for task in made:
        result, name = results[task.key], _model_name(task, made)
        curve = result.path / "curve.csv"
        if curve.is_file():
            lines.setdefault(name, []).append(curves.read(curve))
        values = result.values
        rows.append(
            [
                name,
                str(task.about.get("seed", "")),
                str(values.get("steps", "")),
                str(values.get("frames", {}).get("train", "")),
                *(three_digits(values[n]) for n in ("val_energy_mae", "val_force_mae")),
                f"{result.seconds:.0f}",
            ]
        )
    head = ["trained on", "seed", "steps", "frames", "val. energy MAE, meV/atom"]
    return [
        Figure("Curves of every training", curves.draw(lines)),
        Table([*head, "val. force MAE, meV/Å", "time, s"], rows),
    ]


def _model_name(task: Task, among: Sequence[Task]) -> str:
    """The training set, and what else the trainings of the study differ in."""
    same = ("training", "seed", "dataset", "kind")
    differ = [
        name
        for name in task.about
        if name not in same and len({str(t.about.get(name)) for t in among}) > 1
    ]
    return " ".join([str(task.about["training"]), *(f"{n}={task.about[n]}" for n in differ)])


def _datasets(plan: Plan, results: Mapping[str, Result]) -> list[Part]:
    rows = []
    for task in plan:
        if task.stage != "dataset" or task.key not in results:
            continue
        result = results[task.key]
        frames = ", ".join(f"{n} {part}" for part, n in result.values["frames"].items())
        rows.append(
            [
                str(task.about.get("compositions", "")),
                str(task.about.get("role", "")),
                frames,
                " ".join(result.values["elements"]),
                str(len(result.values["missing"]) or "none"),
                result.digest[:12],
            ]
        )
    head = ["compositions", "for", "frames", "elements", "labels missing", "digest"]
    return [Table(head, rows)] if rows else []


def _failures(found: Mapping[str, State], store: Store) -> list[Part]:
    parts: list[Part] = []
    for key, state in found.items():
        failure = store.failure(key) if state == "failed" else None
        if failure is None:
            continue
        parts.append(Text(f"{failure.key}: {failure.reason}", "bad"))
        log = Path(failure.log) if failure.log else None
        if log is not None and log.is_file():
            lines = log.read_text(errors="replace", encoding="utf-8").splitlines()[-TAIL:]
            head = [f"$ {failure.command}"] if failure.command else []
            parts.append(Code(f"The end of {log.name}", "\n".join([*head, *lines])))
    return parts


def _plan(plan: Plan, found: Mapping[str, State], results: Mapping[str, Result]) -> list[Part]:
    counts: Counter[tuple[str, str]] = Counter((t.stage, found[t.key]) for t in plan)
    rows = []
    for name in dict.fromkeys(task.stage for task in plan):
        own = [results[t.key] for t in plan if t.stage == name and t.key in results]
        labels = stage(name).labels
        calls = sum(labels(t.params) for t in plan if t.stage == name) if labels else 0
        cells = [str(counts[name, s] or "·") for s in ("cached", "todo", "running", "failed")]
        took = sum(r.seconds for r in own)
        rows.append([name, *cells, str(calls or "·"), f"{took:,.0f}"])
    whole = sum(r.seconds for r in results.values())
    return [
        Table(["stage", "done", "to do", "running", "failed", "labels", "time taken, s"], rows),
        Text(
            f"{counted(len(plan), 'task')}, {len(results)} of them done in {whole / 3600:.2g} hours "
            "in all, one after the other."
        ),
    ]


def _spec(study: Study) -> list[Part]:
    parts: list[Part] = []
    if swept := study.swept():
        said = {k: list(dict.fromkeys(str(p.swept.get(k)) for p in study.points)) for k in swept}
        rows = [[key, ", ".join(values)] for key, values in said.items()]
        parts.append(Table(["swept", "values"], rows))
    return [
        *parts,
        Code("The whole spec, resolved; a file that ilmlip runs", dump(study_data(study))),
    ]


def _machine(results: Mapping[str, Result]) -> list[Part]:
    if not results:
        return []
    tools: dict[str, set[str]] = {}
    for result in results.values():
        for name, version in result.tools.items():
            tools.setdefault(name, set()).add(str(version))
    rows = [[name, ", ".join(sorted(found))] for name, found in sorted(tools.items())]
    first = datetime.fromtimestamp(min(r.started for r in results.values()))
    last = datetime.fromtimestamp(max(r.started + r.seconds for r in results.values()))
    hosts = len({r.host for r in results.values()})
    text = f"Results from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}, on {hosts} machine"
    return [Text(text + ("s." if hosts > 1 else ".")), Table(["engine", "version"], rows)]
