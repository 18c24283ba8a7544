"""`ilmlip ui`: MLflow's page on a study's runs."""

from __future__ import annotations

from argparse import Namespace

from ilmlip.commands import OK
from ilmlip.commands.common import say
from ilmlip.errors import SpecError
from ilmlip.spec.cluster import Tracking
from ilmlip.spec.load import load_study


def ui(options: Namespace) -> int:
    """Serve the page until Ctrl-C; without a SPEC, of the database that runs here log to."""
    uri = Tracking().uri
    if options.words:
        study = load_study(options.words, multirun=options.multirun, allow=options.allow)
        uri = study.spec.tracking.uri
    if not uri:
        raise SpecError("tracking.uri", "is empty: nothing was logged; choose tracking=sqlite")
    if uri.startswith(("http://", "https://")):
        print(f"{uri}: a server; open it in a browser")
        return OK
    from ilmlip.track.ui import serve

    say("starting MLflow's server, some ten seconds; Ctrl-C ends it")
    return serve(uri, options.port, lambda address: print(f"{address}", flush=True))
