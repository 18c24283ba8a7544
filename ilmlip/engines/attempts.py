"""What attempts at a task left that were broken off: each work folder holds the one before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

EARLIER = "earlier"
"""In a work folder: the work folder of the attempt before."""


def attempts(earlier: Path | None) -> Iterator[Path]:
    """The work folder of the last attempt, that of the one before it, and so on.

    An attempt that is broken off as it begins has not yet taken over what the one before it left.
    """
    while earlier is not None and earlier.is_dir():
        yield earlier
        earlier = earlier / EARLIER
