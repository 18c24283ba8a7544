"""Disks that are full or cannot be written: said in one message, and what is done stays done."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ilmlip.errors import StoreError

MARGIN = 1_000_000
"""Bytes free below which a disk counts as full: what was written then may be cut off."""
FULL = (errno.ENOSPC, errno.EDQUOT)
NO_ROOM = os.strerror(errno.ENOSPC)
REFUSED = (*FULL, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE, errno.ENOLCK)
"""What a disk answers that is no mistake of the program."""
GO_ON = "what is done is kept, and `ilmlip run` continues from there"


def is_full(root: Path) -> bool:
    """Whether next to nothing can be written below a folder."""
    return shutil.disk_usage(root).free < MARGIN


def stands_for_full(reason: str) -> bool:
    """Whether a failure's reason is that of a full disk, or of a quota that is used up."""
    return any(os.strerror(number) in reason for number in FULL)


def full(root: Path) -> StoreError:
    """The error of a full disk."""
    usage = shutil.disk_usage(root)
    return StoreError(
        f"store {root}: the disk is full ({usage.free / 1e6:.1f} MB of {usage.total / 1e6:.0f} MB "
        f"free, or a quota is used up); make room (`ilmlip du`, `ilmlip gc`) or name another folder "
        f"with store=PATH: {GO_ON}"
    )


@contextlib.contextmanager
def explained(root: Path) -> Iterator[None]:
    """Turn what a disk refuses into a StoreError that names the place and the remedy."""
    try:
        yield
    except OSError as error:
        if error.errno not in REFUSED:
            raise
        if error.errno in FULL or is_full(root):
            raise full(root) from error
        where = error.filename or root
        raise StoreError(
            f"store {root}: {where}: cannot be written ({error.strerror}); make it writable or name "
            f"another folder with store=PATH: {GO_ON}"
        ) from error
