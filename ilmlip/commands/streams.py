"""The standard streams: in any locale, closed, full, or with nobody who reads."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO, cast

ANSWER, LAST = 1, 2
"""The file descriptors of stdout and stderr."""


def prepare() -> None:
    """Make the three streams usable, whatever ilmlip was started with.

    A closed one becomes /dev/null, since the next file that is opened would take its place and get
    what is printed. Child processes use UTF-8, and a terminal shows `?` for what it lacks.
    """
    os.environ.setdefault("PYTHONUTF8", "1")
    while (number := os.open(os.devnull, os.O_RDWR)) <= LAST:
        os.set_inheritable(number, True)
    os.close(number)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() not in (
            "utf-8",
            "utf8",
        ):
            stream.reconfigure(errors="replace")


@contextlib.contextmanager
def watched() -> Iterator[Answer]:
    """Within it stdout remembers whether it took the answer, and stderr drops what it cannot write:
    a full disk under a log ends no study.
    """
    answer = Answer(sys.stdout)
    with (
        contextlib.redirect_stdout(cast(TextIO, answer)),
        contextlib.redirect_stderr(cast(TextIO, _Messages(sys.stderr))),
    ):
        yield answer


class _Stream:
    """A stream in place of another one."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Messages(_Stream):
    """Drops what cannot be written."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


class Answer(_Stream):
    """Remembers the first error: argparse and others go on after it."""

    error: OSError | None = None

    def write(self, text: str) -> int:
        """Write, as a stream does."""
        try:
            return int(self._stream.write(text))
        except OSError as error:
            self.error = self.error or error
            raise

    def flush(self) -> None:
        """Flush, as a stream does."""
        try:
            self._stream.flush()
        except OSError as error:
            self.error = self.error or error
            raise

    def lost(self) -> str:
        """Why the answer could not be written, for people; empty if it was, or if nobody reads on."""
        with contextlib.suppress(OSError):
            self.flush()
        if self.error is None:
            return ""
        # nothing more goes there, so that the interpreter does not complain at its end
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), ANSWER)
        if isinstance(self.error, BrokenPipeError):
            return ""
        reason = self.error.strerror
        return f"stdout cannot be written ({reason}); what was computed is in the store"
