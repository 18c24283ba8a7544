"""A trajectory is read in a time that grows with its length, and to its end."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import Any

import pytest
from ase.io import write
from labelled_pairs import pair

from ilmlip.engines import model_dynamics
from ilmlip.engines.model_dynamics import read_trajectory
from ilmlip.errors import StageError


def trajectory(path: Path, frames: int) -> Path:
    """Frames as a run leaves them: a gzip member each."""
    text = io.StringIO()
    write(text, pair(), format="extxyz")
    path.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0) * frames)
    return path


def test_bytes_handled_grow_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every frame once took a copy of all that follows."""
    handled = [0]
    real = zlib.decompressobj

    class Counting:
        def __init__(self, **how: Any) -> None:
            self.inner = real(**how)

        def decompress(self, data: bytes) -> bytes:
            handled[0] += len(data)
            return self.inner.decompress(data)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

    monkeypatch.setattr(model_dynamics.zlib, "decompressobj", Counting)
    monkeypatch.setattr(model_dynamics, "CHUNK", 4096)
    counts = []
    for frames in (100, 400):
        handled[0] = 0
        assert sum(1 for _ in read_trajectory(trajectory(tmp_path / "t.gz", frames))) == frames
        counts.append(handled[0])
    assert counts[1] < 5 * counts[0]  # quadratic: 16 times


@pytest.mark.parametrize("cut", [1, 200])
def test_a_cut_end_is_told_with_the_last_whole_frame(cut: int, tmp_path: Path) -> None:
    path = trajectory(tmp_path / "t.gz", 3)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(StageError, match=r"breaks off after frame 1 \(from 0\)"):
        list(read_trajectory(path))


def test_what_follows_the_last_frame_is_told(tmp_path: Path) -> None:
    path = trajectory(tmp_path / "t.gz", 3)
    path.write_bytes(path.read_bytes() + b"garbage")
    with pytest.raises(StageError, match=r"breaks off after frame 2 \(from 0\)"):
        list(read_trajectory(path))
