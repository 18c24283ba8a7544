"""What comes with ilmlip: the config groups with their options, and the experiments."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import cache
from pathlib import Path


def shipped(kind: str) -> Path:
    """The folder "conf" or "experiments": inside an installed ilmlip, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "shipped" / kind
    return installed if installed.is_dir() else package.parent / kind


@cache
def groups() -> tuple[str, ...]:
    """The config groups of conf/."""
    return tuple(sorted(p.name for p in shipped("conf").iterdir() if p.is_dir()))


def options(group: str, beside: Path | None = None) -> dict[str, Path]:
    """Each option of a group and its file; those in the folder beside a spec come first."""
    found: dict[str, Path] = {}
    for folder in (beside, shipped("conf")):
        if folder is not None:
            for file in sorted((folder / group).glob("*.yaml")):
                found.setdefault(file.stem, file)
    return dict(sorted(found.items()))


def header(file: Path) -> str:
    """The comment at the top of a file: what an option is for."""
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            lines.append(line.removeprefix("#").strip())
    return "\n".join(lines)


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """`did you mean 'r_max'? ` or nothing."""
    close = difflib.get_close_matches(name, list(valid), 1)
    return f"did you mean {close[0]!r}? " if close else ""
