"""`ilmlip doctor`: what is there, what needs it, and how to get it."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict

from ilmlip.commands import FAILED, OK
from ilmlip.commands.common import answer, print_table
from ilmlip.errors import SpecError


def doctor(options: Namespace) -> int:
    """Exit status 1 if something is missing that nothing works without."""
    if options.words:
        raise SpecError(
            "command line",
            "doctor looks at the machine; `ilmlip lint SPEC` says what a study lacks",
        )
    from ilmlip.lint.doctor import parts

    found = list(parts())
    broken = [one for one in found if one.required and one.remedy]
    if options.json:
        answer({"ok": not broken, "parts": [asdict(one) for one in found]})
        return FAILED if broken else OK
    rows = [[p.name, p.found or "not there", p.needed_by] for p in found]
    print_table(["what", "found", "needed by"], rows, left=3)
    for one in found:
        if one.remedy:
            print(f"{one.name}: {one.remedy}")
    return FAILED if broken else OK
