"""What several commands share: loading a study with its plan, lint's findings, plain tables."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ilmlip.errors import SpecError
from ilmlip.lint.finding import Finding
from ilmlip.lint.run import lint
from ilmlip.plan.compile import plan_of
from ilmlip.plan.graph import Plan
from ilmlip.share.freeze import expected
from ilmlip.spec.load import load_study
from ilmlip.spec.study import Study
from ilmlip.store import Store, write_text
from ilmlip.uri import hidden


def study_of(options: Namespace, words: Sequence[str] | None = None) -> tuple[Study, Plan, Store]:
    """The study that a command line names, its plan and its store."""
    named = options.words if words is None else words
    study = load_study(named, multirun=options.multirun, allow=options.allow)
    plan = plan_of(study)
    expected(study, plan)
    return study, plan, Store(Path(study.spec.store))


def checked(study: Study, plan: Plan, strict: bool) -> list[Finding]:
    """Lint's findings, told on stderr. Raises SpecError where they stop a run."""
    findings = lint(study, plan, Store(Path(study.spec.store)))
    stopping = [f for f in findings if stops(f, strict)]
    for finding in findings:
        if finding not in stopping and finding.severity != "info":
            say(f"warning: {line(finding)}")
    if stopping:
        first, *others = stopping
        more = f" (and {len(others)} more: ilmlip lint)" if others else ""
        raise SpecError(
            first.where, f"{first.message} [{first.code}]{more}. Silence it with a reason in "
            f"lint.silence.{first.code} if that is right here",
        )  # fmt: skip
    return findings


def stops(finding: Finding, strict: bool) -> bool:
    """Whether a finding stops a run."""
    return finding.severity == "error" or (strict and finding.severity == "warning")


def line(finding: Finding) -> str:
    """A finding for people."""
    return f"{finding.where}: {finding.message} [{finding.code}]"


def say(text: str) -> None:
    """A message on stderr."""
    print(f"ilmlip: {hidden(text)}", file=sys.stderr)


def write_output(target: Path, text: str) -> None:
    """Write the file that -o names. Raises SpecError if it cannot be written."""
    where = f"command line: -o {target}"
    if not target.parent.is_dir():
        raise SpecError(where, f"there is no folder {target.parent}")
    try:
        write_text(target, text)
    except OSError as error:
        raise SpecError(where, f"cannot be written ({error.strerror}); name another file") from None


def answer(data: dict[str, Any]) -> None:
    """One JSON object on stdout."""
    print(json.dumps(data, allow_nan=False))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> None:
    """A plain table: the first `left` columns to the left, the others to the right."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in lines) for i in range(len(head))]
    for row in lines:
        cells = [
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
