"""`ilmlip track`: what waits in a store goes to MLflow, or all of it anew."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from ilmlip import track as tracking
from ilmlip.commands import FAILED, OK
from ilmlip.commands.common import answer, say
from ilmlip.commands.place import DEFAULT, must_exist
from ilmlip.errors import SpecError
from ilmlip.grammar import counted
from ilmlip.spec.cluster import Tracking
from ilmlip.spec.load import load_study
from ilmlip.store import Store
from ilmlip.uri import remember


def track(options: Namespace) -> int:
    """Log what waits, or with --rebuild everything; exit status 1 if something is left out."""
    root, uri = Path(DEFAULT), Tracking().uri
    if options.words:
        spec = load_study(options.words, multirun=options.multirun, allow=options.allow).spec
        root, uri = Path(spec.store), spec.tracking.uri
    uri = remember(options.uri) if options.uri else uri
    if not uri:
        raise SpecError("tracking.uri", "is empty: say where to with --uri URI")
    root = root.absolute()
    must_exist(Store(root), options.words)
    told = tracking.runs(root) if options.rebuild else waiting(root)
    if told:
        say(f"{uri}: {len(told)} of {counted(len(tracking.runs(root)), 'run')} to log")
    whole = not told or tracking.log(root, uri, rebuild=options.rebuild)
    left = waiting(root)
    logged = [folder.name for folder in told if folder not in left]
    if options.json:
        names = [folder.name for folder in left]
        answer({"store": str(root), "uri": uri, "logged": logged, "left": names, "whole": whole})
    else:
        rest = f"; {len(left)} wait in the store" if left else ""
        print(f"{uri}: {counted(len(logged), 'run')} logged{rest}")
    return OK if whole and not left else FAILED


def waiting(root: Path) -> list[Path]:
    """The folders of runs with events that are not in MLflow yet."""
    return [folder for folder in tracking.runs(root) if not tracking.is_complete(folder)]
