"""What comes with ilmlip: the config groups with their options, and the experiments."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from ilmlip.errors import SpecError
from ilmlip.spec.yaml_file import read_yaml, shown

NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,79}")
"""Name of an option, or of a file that a defaults list names."""
MAX_CHAIN = 10
"""Most options beside a spec that start from each other."""
PACKAGE = re.compile(r"#\s*@package\s+([\w.]+)")


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
    """Each option of a group and its file, those in the folder beside a spec included."""
    found: dict[str, Path] = {}
    for folder in (beside, shipped("conf")):
        if folder is not None:
            for file in sorted((folder / group).glob("*.yaml")):
                found.setdefault(file.stem, file)
    return dict(sorted(found.items()))


def option_file(
    group: str, option: Any, beside: Path | None, place: str, seen: tuple[Path, ...] = ()
) -> Path:
    """The file of an option, shipped or in the folder beside a spec.

    Raises SpecError for an unknown option, one that is both shipped and beside the spec with another
    content, and one beside the spec whose own defaults list names anything but options of its group.
    """
    valid = options(group, beside)
    if not isinstance(option, str) or option not in valid:
        raise SpecError(
            place,
            f"could not find '{group}/{option}'; {did_you_mean(str(option), valid)}"
            f"there are {', '.join(valid)}",
        )
    file = valid[option]
    own = options(group).get(option)
    if file == own:
        return file
    if own is not None:
        if file.read_bytes() == own.read_bytes():
            return own
        raise SpecError(
            place,
            f"'{group}/{option}' is a shipped option, and {shown(file)} has the same name and another "
            "content; give that file a name of its own",
        )
    if file in seen:
        raise SpecError(place, f"{shown(file)} and this file name each other")
    if len(seen) > MAX_CHAIN:
        raise SpecError(place, f"more than {MAX_CHAIN} options start from each other")
    _check_defaults(group, file, beside, (*seen, file))
    return file


def _check_defaults(group: str, file: Path, beside: Path | None, seen: tuple[Path, ...]) -> None:
    """Check the defaults list of an option beside a spec: it may name one option of its group."""
    entries = read_yaml(file).get("defaults", [])
    place = f"{shown(file)}: defaults"
    if not isinstance(entries, list):
        raise SpecError(place, f"found {entries!r}; give a list of options of {group}")
    named = [entry for entry in entries if entry != "_self_"]
    for entry in named:
        if not isinstance(entry, str) or not NAME.fullmatch(entry) or len(named) > 1:
            raise SpecError(
                place, f"found {entry!r}; an option may start from one other option of {group}"
            )
        option_file(group, entry, beside, place, seen)


def _text(file: Path) -> str:
    """The text of an option; a shipped one is read once by a process."""
    own = file.is_relative_to(shipped("conf"))
    return _shipped_text(file) if own else file.read_text(encoding="utf-8")


@cache
def _shipped_text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def package(group: str, file: Path) -> tuple[str, ...]:
    """Where the values of an option go: () for `# @package _global_`, else a section's path."""
    for line in _text(file).splitlines():
        if not line.startswith("#"):
            break
        stated = PACKAGE.match(line)
        if stated and stated[1] != "_group_":
            return () if stated[1] == "_global_" else tuple(stated[1].split("."))
    return (group,)


def header(file: Path) -> str:
    """The comment at the top of a file: what an option is for."""
    lines = []
    for line in _text(file).splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            lines.append(line.removeprefix("#").strip())
    return "\n".join(lines)


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """`did you mean 'r_max'? ` or nothing."""
    close = difflib.get_close_matches(name, list(valid), 1)
    return f"did you mean {close[0]!r}? " if close else ""
