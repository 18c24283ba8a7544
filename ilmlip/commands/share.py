"""`ilmlip lint`, `freeze`, `verify`, `diff` and `export`: a study looked at, and handed over."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from ilmlip.commands import FAILED, OK, WRONG
from ilmlip.commands.common import answer, line, print_table, stops, study_of, write_output
from ilmlip.commands.place import must_exist
from ilmlip.errors import SpecError
from ilmlip.grammar import counted
from ilmlip.lint.run import lint as lint_study
from ilmlip.share.diff import diff as diff_studies
from ilmlip.share.freeze import freeze as freeze_study
from ilmlip.share.verify import verify as verify_study
from ilmlip.store import write_text


def lint(options: Namespace) -> int:
    """Show what is bound to fail; exit status 2 where it stops a run."""
    study, plan, store = study_of(options)
    findings = lint_study(study, plan, store)
    stopped = any(stops(finding, options.strict) for finding in findings)
    if options.json:
        answer({"study": study.spec.name, "findings": [finding.data() for finding in findings]})
    else:
        for finding in findings:
            print(f"{finding.severity}: {line(finding)}")
        count = counted(len(findings), "finding") if findings else "no findings"
        print(f"{study.spec.name}: {count}")
    return WRONG if stopped else OK


def freeze(options: Namespace) -> int:
    """Write a study as one file."""
    study, plan, store = study_of(options)
    folder = Path(options.output).parent if options.output else None
    text = freeze_study(study, plan, store, folder)
    if options.output is None:
        print(text, end="")
        return OK
    target = Path(options.output)
    write_output(target, text)
    holds = f"{counted(len(study.points), 'point')}, {counted(len(plan), 'key')}"
    print(f"{target}: {holds}, {len(text) / 1000:.0f} kB")
    return OK


def verify(options: Namespace) -> int:
    """Say which results of a frozen file stand in the store, and whether they agree."""
    study, plan, store = study_of(options)
    if study.frozen is not None:  # else verify says what it wants
        must_exist(store, options.words)
    verdict = verify_study(study.frozen, plan, store)
    if options.json:
        answer({"study": study.spec.name, **verdict.data()})
        return OK if verdict.ok else FAILED
    counts = verdict.counts()
    print(f"{study.spec.name}: {counted(len(plan), 'result')} expected, store {store.root}")
    for name, text in (
        ("same", "there, with the digest of the file"),
        ("other", "there, with another digest: computed anew or elsewhere"),
        ("new", "there; the file has no digest of them"),
        ("missing", "missing"),
        ("damaged", "DAMAGED"),
    ):
        if counts[name]:
            print(f"{counts[name]:6d} {text}")
    for row in verdict.damaged:
        print(f"damaged: {row['key']}: {row['reason']}")
    wrong = [one for one in verdict.figures if one["agrees"] is not True]
    agree = len(verdict.figures) - len(wrong)
    if verdict.figures:
        print(f"{agree} of {counted(len(verdict.figures), 'figure', 'agrees')} to 2 %")
    for one in wrong[:20]:
        found = "nothing" if one["found"] is None else f"{one['found']:.6g}"
        print(
            f"  point {one['point']}, {one['model']} at {one['composition']}, {one['quantity']}: "
            f"expected {one['expected']:.6g}, found {found}"
        )
    return OK if verdict.ok else FAILED


def diff(options: Namespace) -> int:
    """Compare two specs field by field, and say which stages differ."""
    first, second = _two(options.words)
    a, plan_a, _ = study_of(options, first)
    b, plan_b, _ = study_of(options, second)
    found = diff_studies(a, b, plan_a, plan_b)
    if options.json:
        answer({"same": found.same, "fields": found.fields, "stages": found.stages})
        return OK
    for one in found.fields:
        print(f"{one['field']}: {_short(one['a'])} → {_short(one['b'])}")
    rows = [
        [one["stage"], str(one["both"]), str(one["only_a"] or "·"), str(one["only_b"] or "·")]
        for one in found.stages
    ]
    print_table(["stage", "in both", "only in A", "only in B"], rows)
    print("the same results" if found.same else "not the same results")
    return OK


def _two(words: list[str]) -> tuple[list[str], list[str]]:
    """Two SPECs, each a name followed by its overrides."""
    starts = [i for i, word in enumerate(words) if "=" not in word and not word.startswith("~")]
    if len(starts) != 2 or starts[0] != 0:
        raise SpecError("command line", "give two specs, each followed by its overrides, if any")
    return words[: starts[1]], words[starts[1] :]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 70 else text[:69] + "…"


def export(options: Namespace) -> int:
    """Write a whole study as native inputs with scripts."""
    from ilmlip.export.study import write_export

    names = [word for word in options.words if "=" not in word and not word.startswith("~")]
    if not names:
        raise SpecError("command line", "give SPEC and the folder to write")
    target = names[-1]
    words = [word for word in options.words if word is not target]
    study, plan, store = study_of(options, words)
    folder = Path(target)
    notes = write_export(plan, study.specs, folder, store)
    write_text(folder / "study.yaml", freeze_study(study, plan, store))
    for note in notes:
        print(note)
    print(f"{folder}: read README.md there")
    return OK
