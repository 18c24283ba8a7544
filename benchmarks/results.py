"""`python -m benchmarks.results [--store STORE]`: docs/results.md from what the studies left there.

It computes nothing: each study of studies.yaml is found by its spec in the store, with its comparison
and findings, its matrix where it has no comparison, and how long its runs took. `--only STUDY …` writes
the sections of these alone and leaves the page's others as they are.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.report import processor
from ilmlip.grammar import duration
from ilmlip.plan.compile import plan_of, study_key
from ilmlip.report.dataset import markdown
from ilmlip.report.heatmap import three_digits
from ilmlip.report.matrix import Row, over_seeds, read_csv
from ilmlip.report.paper import HOLDS, read_lines, statements, tables
from ilmlip.spec.load import load_study
from ilmlip.store import Store

STUDIES = Path(__file__).with_name("studies.yaml")
PAGE = Path(__file__).parents[1] / "docs" / "results.md"
PAGES = {
    "observables_page": "Runs of the models",
    "validation_page": "In the models' own dynamics",
    "committee_page": "What a committee's spread knows",
    "compressibility_page": "Compressibility",
    "active_page": "Learning on the fly",
    "active_all_page": "Learning on the fly",
}
"""Pages whose tables are shown, and what they are about."""
HEAD = """# Results

Made by `python -m benchmarks.results` from a store; the sizes are those of a laptop, so that
trends can be compared with the paper's and absolute errors cannot. Ours (the paper's): medians over
seeds; **bold**: trained on. Each statement is decided by a stated test over seeds, whose threshold
stands in the study's option of `analysis`.

"""


@dataclass(frozen=True)
class Found:
    """What a study left in the store."""

    name: str
    command: str
    remarks: str
    """What a person says of the numbers, from studies.yaml."""
    description: str
    outputs: Mapping[str, Path]
    """Files that are there, by name."""
    matrices: Mapping[str, Path]
    """Matrix of each point, by what was swept."""
    pages: Mapping[str, Mapping[str, Path]]
    """Pages of PAGES that each point has, by what was swept."""
    missing: int
    """Tasks without a result."""
    tasks: int
    wall: float
    """Seconds of all its runs, by the clock."""
    work: float
    """Seconds of all its results, one after the other, those that other studies share included."""
    hosts: Sequence[str]

    def stated(self) -> list[dict[str, Any]]:
        """The study's findings, decided."""
        found: list[dict[str, Any]] = []
        for name in ("findings", "paper"):
            if name in self.outputs:
                found += json.loads(self.outputs[name].read_text(encoding="utf-8"))
        return [{"why": "thresholds: analysis.findings"} | one for one in found]


def look(name: str, entry: Mapping[str, Any], store: Store) -> Found:
    """What a study left in a store; `entry` is its own of studies.yaml."""
    command = [entry.get("experiment", name), *entry.get("words", ())]
    study = load_study(command)
    plan = plan_of(study)
    results = [store.result(key) for key in plan.tasks]
    there = [one for one in results if one is not None]
    outputs = {
        output: store.folder(key) / file
        for one in reversed(plan.outputs)
        for output, (key, file) in one.items()
        if store.result(key) is not None
    }
    return Found(
        name,
        " ".join(["ilmlip run", *command]),
        entry.get("remarks", ""),
        study.spec.description,
        outputs,
        {
            point.label(): store.folder(key) / file
            for point, one in zip(study.points, plan.outputs, strict=True)
            for key, file in [one["matrix"]]
            if store.result(key) is not None
        },
        {
            point.label(): {
                output: store.folder(key) / file
                for output, (key, file) in one.items()
                if output in PAGES and store.result(key) is not None
            }
            for point, one in zip(study.points, plan.outputs, strict=True)
        },
        len(results) - len(there),
        len(results),
        _wall(store.root, study_key(study.specs)),
        sum(one.seconds for one in there),
        sorted({one.host for one in there if one.host}),
    )


def _wall(root: Path, key: str) -> float:
    """Seconds of the study's runs that came to an end; those at the same time count once."""
    runs = []
    for file in sorted(root.glob("tracking/*/events.jsonl")):
        events = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        if events and events[0].get("study_key") == key and events[-1]["event"] == "end":
            runs.append((events[0]["time"], events[-1]["time"]))
    total, until = 0.0, 0.0
    for start, end in sorted(runs):
        total += max(end - max(start, until), 0.0)
        until = max(until, end)
    return total


def page(found: Sequence[Found]) -> str:
    """The whole document."""
    parts = [HEAD + _summary(found)]
    for one in found:
        parts.append("\n".join(section(one)))
    cores = len(os.sched_getaffinity(0))
    parts.append(f"Computed on {cores} cores of {processor()}, Linux.\n")
    return "\n".join(parts)


def _summary(found: Sequence[Found]) -> str:
    lines = ["| study | statements that hold | do not | not decided |", "|---|---:|---:|---:|"]
    for one in found:
        holds = [stated["holds"] for stated in one.stated()]
        counts = [holds.count(value) for value in (True, False, None)]
        shown = " | ".join(map(str, counts)) if one.outputs.get("matrix") else "not run | · | ·"
        lines.append(f"| [{one.name}](#{one.name}) | {shown} |")
    return "\n".join(lines) + "\n"


def section(found: Found) -> Iterator[str]:
    """One study: its command, its time, our numbers beside the paper's, and what holds."""
    yield f"## {found.name}\n\n{found.description}.\n\n```text\n{found.command}\n```\n"
    if "matrix" not in found.outputs:
        yield f"Not run: {found.missing} of its {found.tasks} tasks have no result in this store.\n"
        return
    clock = f"{duration(found.wall)} by the clock, " if found.wall else ""
    yield (
        f"{found.tasks} tasks, {clock}{duration(found.work)} of work on "
        f"{', '.join(found.hosts) or 'an unnamed machine'}"
        + (f"; {found.missing} of them have no result" if found.missing else "")
        + ". What other studies had computed already is in the work and not in the clock.\n"
    )
    if found.remarks:
        yield found.remarks
    if "paper_table" in found.outputs:
        yield from tables(read_lines(found.outputs["paper_table"]), "###")
    elif len(found.matrices) > 1:
        yield from points(found.matrices)
    together = any("active_all_page" in pages for pages in found.pages.values())
    for label, pages in found.pages.items():
        yield from dynamics(label, pages, together)
    if stated := found.stated():
        yield "### What is stated\n"
        yield statements(stated)
        wrong = [one["name"] for one in stated if one["holds"] is not True]
        if wrong:
            yield f"Not shown by our numbers: {', '.join(wrong)}.\n"


def dynamics(label: str, pages: Mapping[str, Path], together: bool) -> Iterator[str]:
    """The tables of a point's pages about runs of its models; `together`: one has all points."""
    if "active_all_page" in pages:
        pages = {"active_all_page": pages["active_all_page"]}
    elif "active_page" in pages and together:
        return
    for output, path in pages.items():
        text = path.read_text(encoding="utf-8")
        where = "" if output == "active_all_page" or not label else f": {label}"
        yield f"### {PAGES[output]}{where}\n"
        yield from (f"{line}\n" for line in text.splitlines() if line.startswith("**The error"))
        for table in all_tables(text):
            yield table + "\n"


def all_tables(text: str) -> list[str]:
    """The tables of a page."""
    found: list[list[str]] = []
    before = ""
    for line in text.splitlines():
        if line.startswith("|"):
            if not before.startswith("|"):
                found.append([])
            found[-1].append(line)
        before = line
    return ["\n".join(lines) for lines in found]


def spliced(text: str, made: Sequence[Found]) -> str:
    """The document with the sections and summary lines of some studies in the place of theirs."""
    for one in made:
        own = "\n".join(section(one))
        head, line = f"## {one.name}\n", _summary([one]).splitlines()[-1]
        start = text.find(f"\n{head}") + 1
        if start:
            end = text.find("\n## ", start) + 1 or text.rfind("Computed on ")
            text = text[:start] + own + "\n" + text[end:]
            rows = text.splitlines()
            at = next(i for i, row in enumerate(rows) if row.startswith(f"| [{one.name}]"))
            rows[at] = line
            text = "\n".join(rows) + "\n"
            continue
        rows = text.splitlines()
        at = max(i for i, row in enumerate(rows) if row.startswith("| [")) + 1
        text = "\n".join([*rows[:at], line, *rows[at:]]) + "\n"
        end = text.rfind("Computed on ")
        text = text[:end] + own + "\n" + text[end:]
    return text


def points(matrices: Mapping[str, Path]) -> Iterator[str]:
    """A sweep's energy errors: for each training set the points against the test compositions."""
    rows = {name: read_csv(path) for name, path in matrices.items()}
    models = dict.fromkeys(
        row.model for one in rows.values() for row in one if row.seed is not None
    )
    for model in models:
        errors = {
            name: [
                row for row in over_seeds(one) if (row.quantity, row.model) == ("energy_mae", model)
            ]
            for name, one in rows.items()
        }
        tested = [row.composition for row in next(iter(errors.values()))]
        lines = [[name, *map(_with_error, one)] for name, one in errors.items()]
        yield f"### Trained on {model}: energy_mae, meV/atom, at each composition\n"
        yield markdown(["", *tested], lines) + "\n"


def _with_error(row: Row) -> str:
    error = f" ± {three_digits(row.stderr)}" if row.stderr is not None else ""
    return three_digits(row.value) + error


def main() -> None:
    """Write docs/results.md, and say in a line for each study what there is."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.results", description=__doc__)
    parser.add_argument("--store", type=Path, default=Path("store"), help="default: store")
    parser.add_argument("--page", type=Path, default=PAGE, help="default: docs/results.md")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="STUDY",
        help="write these sections alone, into the page there is",
    )
    options = parser.parse_args()
    studies = yaml.safe_load(STUDIES.read_text(encoding="utf-8"))
    if options.only:
        studies = {name: studies[name] for name in options.only}
    found = [look(name, one, Store(options.store)) for name, one in studies.items()]
    for one in found:
        holds = ", ".join(HOLDS[stated["holds"]] for stated in one.stated())
        print(f"{one.name}: {holds or f'{one.missing} of {one.tasks} tasks without a result'}")
    options.page.write_text(
        spliced(options.page.read_text(encoding="utf-8"), found) if options.only else page(found),
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
