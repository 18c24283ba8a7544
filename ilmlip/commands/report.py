"""`ilmlip report`: a study as one page."""

from __future__ import annotations

from argparse import Namespace
from datetime import datetime
from pathlib import Path

from ilmlip.commands import OK
from ilmlip.commands.common import answer, write_output
from ilmlip.commands.place import study_in_store


def report(options: Namespace) -> int:
    """Write the page of a study, as far as it has come."""
    study, plan, store = study_in_store(options)
    target = Path(options.output or f"{study.spec.name}.html")
    from ilmlip.share.report import report as page_of

    text = page_of(study, plan, store, datetime.now())
    write_output(target, text)
    if options.json:
        answer({"study": study.spec.name, "report": str(target), "bytes": len(text)})
    else:
        print(f"{target}: {len(text) / 1e6:.2g} MB; open it in a browser")
    return OK
