"""File systems mounted for a test: needs root; skipped elsewhere, but not where all engines are."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


def call(*words: str | Path) -> str:
    """Run a command of the system; skip the test where it cannot be."""
    try:
        done = subprocess.run(
            [*map(str, words)], capture_output=True, text=True, check=True, encoding="utf-8"
        )
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or error
        if os.environ.get("ILMLIP_REQUIRE_ENGINES"):
            raise AssertionError(f"{words}: {said}") from error
        pytest.skip(f"cannot {' '.join(map(str, words))}: {said}")
    return done.stdout.strip()


@contextlib.contextmanager
def mounted(place: Path, *words: str | Path) -> Iterator[Path]:
    """`mount WORDS PLACE` until the end."""
    place.mkdir(exist_ok=True)
    call("mount", *words, place)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False)


@contextlib.contextmanager
def exfat(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system without hard links."""
    image = folder / "exfat.img"
    with image.open("wb") as stream:
        stream.truncate(megabytes * 1_000_000)
    call("mkfs.exfat", image)
    device = call("losetup", "--find", "--show", image)
    place = folder / "exfat"
    place.mkdir()
    try:
        call("mount.exfat-fuse", device, place)
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False)
        subprocess.run(["losetup", "--detach", device], check=False)
