"""The command line: plan, run, status. Answers go to stdout, progress and messages to stderr.

Exit status: 0 all done, 1 some task failed, 2 the spec or the command is wrong.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ilmlip import __version__
from ilmlip.errors import IlmlipError, SpecError, StoreError

OK, FAILED, WRONG = 0, 1, 2
INTERRUPTED = 130
SPEC_HELP = (
    "a YAML file or the name of a shipped experiment, then overrides such as model.r_max=6 or "
    "model=allegro_laptop; or overrides alone"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    # overrides may stand before or after options; what looks like an option and is none is wrong
    for word in rest:
        if word.startswith("-"):
            parser.error(f"unknown option {word}")
    words = [*options.spec, *rest]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        code: int = options.command(words, options.json)
        return code
    except SpecError as error:
        return _complain(str(error), WRONG)
    except StoreError as error:
        return _complain(str(error), FAILED)
    except IlmlipError as error:
        return _complain(str(error), FAILED)
    except KeyboardInterrupt:
        return _complain("interrupted; run again to go on from what is done", INTERRUPTED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ilmlip", description="Compile an experiment spec into jobs, and run what is missing."
    )
    parser.add_argument("--version", action="version", version=f"ilmlip {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, function, text in (
        ("plan", _plan, "show the tasks: cached, to run, failed before"),
        ("run", _run, "run every task that is not in the store yet"),
        ("status", _status, "show what is done, running and failed"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("spec", nargs="*", metavar="SPEC", help=SPEC_HELP)
        command.add_argument("--json", action="store_true", help="print one JSON object on stdout")
        command.set_defaults(command=function)
    return parser


def _complain(message: str, code: int) -> int:
    print(f"ilmlip: {message}", file=sys.stderr)
    return code


def _plan(words: list[str], as_json: bool) -> int:
    return _show_states(words, as_json)


def _status(words: list[str], as_json: bool) -> int:
    return _show_states(words, as_json, show_failures=True)


def _show_states(words: list[str], as_json: bool, show_failures: bool = False) -> int:
    """Load and compile, then print the state of every task; nothing is run or written."""
    from ilmlip.execute.claims import Claims
    from ilmlip.plan.compile import compile_study
    from ilmlip.plan.graph import states
    from ilmlip.spec.load import load
    from ilmlip.store import Store, told

    spec = load(words)
    plan = compile_study([spec])
    store = Store(Path(spec.store))
    found = states(plan, store, Claims(store.root).alive())
    failed = told(f for key, s in found.items() if s == "failed" and (f := store.failure(key)))
    if as_json:
        tasks = [
            {
                "key": task.key,
                "stage": task.stage,
                "state": found[task.key],
                "needs": list(task.inputs()),
                "points": sorted(plan.points[task.key]),
                "about": dict(task.about),
            }
            for task in plan
        ]
        answer = {"study": spec.name, "points": 1, "tasks": tasks, "failed": failed}
        print(json.dumps(answer))
        return OK
    print(f"{spec.name}: {len(plan)} tasks, store {store.root}")
    _print_stages([(task.stage, found[task.key]) for task in plan])
    if show_failures:
        _print_failures(failed)
    return OK


def _print_failures(failed: list[dict[str, str]]) -> None:
    for row in failed:
        log = f"\n  log: {row['log']}" if row["log"] else ""
        print(f"failed: {row['key']}: {row['reason']}{log}")


def _print_stages(rows: list[tuple[str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    columns = {
        "cached": "cached",
        "todo": "to run",
        "failed": "failed before",
        "running": "running",
    }
    counts = Counter(rows)
    table = Table("stage", *(title for title in columns.values()), box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for name in dict.fromkeys(stage for stage, _ in rows):
        table.add_row(name, *(str(counts[name, state] or "·") for state in columns))
    Console().print(table)


def _run(words: list[str], as_json: bool) -> int:
    from rich.console import Console

    from ilmlip.run import run_study
    from ilmlip.spec.load import load
    from ilmlip.store import told

    spec = load(words)
    ended = run_study(spec, Console(stderr=True))
    settled = Counter(ended.outcome.settled.values())
    for message in ended.messages:
        print(f"ilmlip: {message}", file=sys.stderr)
    failed = told(ended.outcome.failures.values())
    if as_json:
        answer: dict[str, Any] = {
            "study": spec.name,
            "done": settled["done"],
            "cached": settled["cached"],
            "failed": failed,
            "blocked": settled["blocked"],
            "outputs": ended.outputs,
        }
        print(json.dumps(answer))
    else:
        _print_outputs(ended.outputs)
        print(
            f"{spec.name}: {settled['done']} tasks done, {settled['cached']} were there already"
            + (f", {settled['failed']} failed" if settled["failed"] else "")
            + (f", {settled['blocked']} not run for want of those" if settled["blocked"] else "")
        )
        _print_failures(failed)
    return OK if ended.ok else FAILED


def _print_outputs(outputs: dict[str, str]) -> None:
    """The matrix and the findings as tables, and where the files are."""
    from rich.console import Console

    from ilmlip.report.terminal import render

    console = Console()
    for part in render(outputs):
        console.print(part)
    for name, path in outputs.items():
        print(f"{name}: {path}")


if __name__ == "__main__":
    sys.exit(main())
