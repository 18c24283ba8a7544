"""Frames that a packaged model is asked to predict are read to the end of their text."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from ase.io import write
from labelled_pairs import several

from ilmlip.track.predictor import _frames


def text() -> str:
    out = io.StringIO()
    write(out, several(), format="extxyz")
    return out.getvalue()


def test_frames_after_a_blank_line(tmp_path: Path) -> None:
    spaced = text().replace("\n8\n", "\n\n8\n")
    path = tmp_path / "frames.xyz"
    path.write_text(spaced, encoding="utf-8")
    for given in (text(), spaced, str(path)):
        assert [len(atoms) for atoms in _frames(given)] == [8] * 6


def test_what_is_no_frame() -> None:
    with pytest.raises(ValueError, match="line 61 is 'the end', not a number of atoms"):
        list(_frames(text() + "the end\n"))
    with pytest.raises(ValueError, match="frame from line 51 on is cut short"):
        list(_frames(text()[: text().rindex("Li")]))
