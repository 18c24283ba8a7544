"""Errors that a user sees: each names the place, what was found, what is valid and the remedy."""

from ilmlip.uri import hidden


class IlmlipError(Exception):
    """Base of every error that ends in one message instead of a traceback."""


class SpecError(IlmlipError):
    """The spec is wrong; exit status 2.

    `where` is the place (a dotted field, or a file with its line); the message says what was
    found there, what is valid, and what to do.
    """

    def __init__(self, where: str, message: str) -> None:
        self.where = _one_line(where)
        self.message = _one_line(message)
        super().__init__(f"{self.where}: {self.message}")


LONGEST = 1500
"""Characters of a place or a message; what a stranger's file holds may be longer."""


def _one_line(text: str) -> str:
    """The text without secrets, with what cannot be printed escaped, on one line, cut if it is long."""
    text = hidden(text)
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


class StageError(IlmlipError):
    """A stage could not do its work; the task is kept as failed with this as its reason.

    `command` is the outside command that failed (empty if none); `log` names the file in the
    work folder that says more.
    """

    def __init__(self, reason: str, *, command: str = "", log: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.command = command
        self.log = log


class StoreError(IlmlipError):
    """The store, or a result in it, cannot be used; the message names the path and the remedy."""


class DamagedError(StoreError):
    """A result is not what it was when it was made; it can be set aside and made again."""
