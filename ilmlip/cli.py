"""The command line. Answers go to stdout, progress and messages to stderr.

Exit status: 0 all done, 1 some task failed, 2 the spec or the command is wrong.
"""

# PYTHON_ARGCOMPLETE_OK

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from ilmlip import __version__
from ilmlip.commands import FAILED, WRONG, streams
from ilmlip.errors import IlmlipError, SpecError
from ilmlip.uri import hidden

INTERRUPTED = 130
SPEC_HELP = (
    "a YAML file or the name of a shipped experiment, then overrides such as model.r_max=6 or "
    "model=allegro_laptop; or overrides alone"
)
ION_HELP = "an ion's data file, or the name of a shipped ion"
COMMANDS = {
    "plan": (
        "plan:plan",
        "show the tasks: cached, to run, failed before; and what they would take",
    ),
    "run": ("run:run", "run every task that is not in the store yet"),
    "status": ("plan:status", "show what is done, running and failed"),
    "cancel": ("queue:cancel", "take the jobs of a study out of Slurm's queue"),
    "logs": ("queue:logs", "show what a task has written: TASK, a key or its beginning [SPEC ...]"),
    "lint": ("share:lint", "show what is bound to fail, before it costs anything"),
    "describe": ("describe:describe", "print what a field, a group or an option is"),
    "freeze": ("share:freeze", "write a study as one file: everything resolved, results expected"),
    "verify": ("share:verify", "say which results of a frozen file stand in the store, and agree"),
    "diff": ("share:diff", "compare two specs, field by field and by stages: A [...] B [...]"),
    "report": ("report:report", "write a study as one HTML page: errors, curves, data, failures"),
    "ui": ("ui:ui", "open MLflow's page on the runs: SPEC, or the mlflow.db of this folder"),
    "track": (
        "track:track",
        "log to MLflow what waits; --rebuild: all anew; of SPEC, or of the folder `store` here",
    ),
    "check-ion": (
        "check_ion:check_ion",
        "say whether an ion's data file is complete and sane, and run the ion alone",
    ),
    "doctor": (
        "doctor:doctor",
        "say what this machine has, what needs it, and how to get the rest",
    ),
    "du": ("upkeep:du", "show what fills a store: that of SPEC, or the folder `store` here"),
    "fsck": (
        "upkeep:fsck",
        "compare results with their manifests: those of SPEC, or all of the folder `store` here",
    ),
    "gc": (
        "upkeep:gc",
        "show what none of the kept studies needs; --delete removes it: SPEC [...]",
    ),
    "export": ("share:export", "write a study as native inputs with scripts: SPEC [...] FOLDER"),
}
"""Each command: the module and function below ilmlip.commands that does it, and what it does."""
Option = tuple[tuple[str, ...], dict[str, Any]]


def _option(*flags: str, **about: Any) -> Option:
    return flags, about


STRICT = _option("--strict", action="store_true", help="stop at lint's warnings as well")
CFG = _option("--cfg", choices=["job"], help="print the composed config and end")
INFO = _option("--info", action="store_true", help="print search path, plugins, options and end")
OPTIONS: dict[str, tuple[Option, ...]] = {
    "plan": (
        STRICT,
        CFG,
        INFO,
        _option(
            "--explain", metavar="KEY|STAGE", help="say why a task, or a stage's tasks, must run"
        ),
    ),
    "run": (
        STRICT,
        CFG,
        INFO,
        _option("--detach", action="store_true", help="on Slurm: submit the jobs and end"),
        _option("--yes", action="store_true", help="run it however large it is"),
    ),
    "lint": (STRICT,),
    "logs": (
        _option("-n", "--lines", type=int, default=40, metavar="N", help="last lines; default: 40"),
    ),
    "fsck": (
        _option("--remove", action="store_true", help="take damaged results out, to be made again"),
    ),
    "gc": (_option("--delete", action="store_true", help="remove what is shown"),),
    "freeze": (_option("-o", "--output", metavar="FILE", help="where to write; default: stdout"),),
    "track": (
        _option("--rebuild", action="store_true", help="log all runs of the store anew"),
        _option("--uri", metavar="URI", help="where to; default: tracking.uri"),
    ),
    "ui": (_option("--port", type=int, default=5000, metavar="N", help="default: 5000"),),
    "report": (
        _option("-o", "--output", metavar="FILE", help="where to write; default: STUDY.html"),
    ),
}
"""What some commands take beside the options of all."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    streams.prepare()
    with streams.watched() as answer:
        try:
            code = _main(arguments)
        except SystemExit:  # argparse: help was printed, or the words are wrong
            if not (lost := answer.lost()):
                raise
            return _complain(lost, FAILED)
        except (IlmlipError, OSError, KeyboardInterrupt) as error:
            lost = answer.lost()
            if answer.error is not None and isinstance(error, OSError):
                return _complain(lost, FAILED) if lost else FAILED
            return _complain(*_told(error))
        lost = answer.lost()
        if lost:
            _complain(lost, FAILED)
        return code if answer.error is None else FAILED


def _told(error: BaseException) -> tuple[str, int]:
    """What ended a command, for people, and the exit status."""
    if isinstance(error, SpecError):
        return str(error), WRONG
    if isinstance(error, KeyboardInterrupt):
        return (
            f"interrupted; {str(error) or 'run again to continue from what is done'}",
            INTERRUPTED,
        )
    if isinstance(error, OSError):
        named = (str(n) for n in (error.filename, error.filename2) if n is not None)
        names, reason = " and ".join(named) or "a file", error.strerror or type(error).__name__
        return f"{names}: cannot be read or written ({reason}); check place and permissions", FAILED
    return str(error), FAILED


def _main(arguments: Sequence[str] | None) -> int:
    parser = _parser()
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser)
    options, rest = parser.parse_known_args(arguments)
    # overrides may stand before or after options; what looks like an option and is none is wrong
    for word in rest:
        if word.startswith("-"):
            parser.error(f"unknown option {word}")
    options.words = [*options.spec, *rest]
    try:
        Path.cwd()
    except FileNotFoundError:
        raise SpecError(
            "command line", "the current folder has been deleted; change to one that exists"
        ) from None
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    return _call(options)


def _call(options: argparse.Namespace) -> int:
    target = COMMANDS[options.command][0]
    if options.cfg:
        target = "describe:config"
    elif options.info:
        target = "describe:info"
    elif options.command == "run" and any(
        w.startswith(("hydra/sweeper=", "hydra.sweeper.")) for w in options.words
    ):
        target = "optimise:optimise"
    elif options.command == "run" and not options.words:
        return _nothing_named(options)
    module, _, function = target.partition(":")
    code: int = getattr(import_module(f"ilmlip.commands.{module}"), function)(options)
    return code


def _nothing_named(options: argparse.Namespace) -> int:
    """A bare `ilmlip run` would be the largest study there is: it shows what to type instead."""
    from ilmlip.commands.size import TO_TRY

    print(argparse.ArgumentParser.format_help(options.parser), file=sys.stderr)
    return _complain(f"run: {TO_TRY}", WRONG)


class _Parser(argparse.ArgumentParser):
    """`--help` of the commands that take a spec ends with all groups and fields."""

    def format_help(self) -> str:
        text = super().format_help()
        if self.prog.split()[-1] in ("run", "plan"):
            from ilmlip.commands.describe import help_text

            text += f"\n{help_text()}\n"
        return text


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="ilmlip", description="Compile an experiment spec into jobs, and run what is missing."
    )
    parser.add_argument("--version", action="version", version=f"ilmlip {__version__}")
    commands = parser.add_subparsers(
        title="commands", required=True, metavar="COMMAND", dest="command"
    )
    for name, (_, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        metavar, about = ("FILE", ION_HELP) if name == "check-ion" else ("SPEC", SPEC_HELP)
        words = command.add_argument("spec", nargs="*", metavar=metavar, help=about)
        words.completer = _ions if name == "check-ion" else _complete  # type: ignore[attr-defined]
        _add_options(command, name)
    return parser


def _add_options(command: argparse.ArgumentParser, name: str) -> None:
    add = command.add_argument
    command.set_defaults(parser=command)
    command.set_defaults(cfg=None, info=None, multirun=False, allow=[], strict=False, explain=None)
    if name == "describe":
        return
    add("--json", action="store_true", help="print one JSON object on stdout")
    if name == "check-ion":
        add("--charge-scale", type=float, default=1.0, metavar="S", help="factor on all charges")
        add("--write", metavar="OUT", help="write the ion, with coordinates, to a new file")
        return
    add("-m", "--multirun", action="store_true", help="overrides may hold several values: a sweep")
    add(
        "--allow",
        action="append",
        metavar="PATH",
        help="a path or address outside the study's folder that the spec may use",
    )
    for flags, about in OPTIONS.get(name, ()):
        add(*flags, **about)


def _complete(prefix: str, **_given: object) -> Iterator[str]:
    """Words that a SPEC may go on with: experiments, GROUP=OPTION, FIELD=."""
    from ilmlip.spec.reference import all_fields
    from ilmlip.spec.shipped import groups, options, shipped

    yield from (file.stem for file in shipped("experiments").glob("*.yaml"))
    chosen, equals, _rest = prefix.partition("=")
    if equals and chosen in groups():
        yield from (f"{chosen}={option}" for option in options(chosen))
        return
    yield from (f"{group}=" for group in groups() if group != "ion")
    yield from (f"{path}=" for path, _ in all_fields() if ".N" not in path and "[]" not in path)


def _ions(prefix: str, **_given: object) -> Iterator[str]:
    """Shipped ions, and data files here."""
    from ilmlip.spec.shipped import options

    yield from options("ion")
    yield from (str(file) for file in Path().glob(f"{prefix}*.yaml"))


def _complain(message: str, code: int) -> int:
    print(f"ilmlip: {hidden(message)}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
