"""Which options a file chooses and which values it states, with those of the files that it builds on.

A defaults list names `config` (the shipped defaults), other files (beside the spec, or shipped
experiments) and options of config groups. Its order has no meaning, except that of two files the later
one wins: a file wins over those that it builds on, and what files state wins over every option.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ilmlip.errors import SpecError
from ilmlip.spec.shipped import NAME, did_you_mean, groups, option_file, shipped
from ilmlip.spec.yaml_file import read_yaml, shown

MAX_FILES = 20
"""Longest chain of files that build on each other."""


@dataclass(frozen=True)
class Layers:
    """What a file and those that it builds on choose and state."""

    choices: Mapping[str, Path | None] = field(default_factory=dict)
    """The file of the option chosen in each group; None where a file takes a choice back."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Values that options win over: those of the shipped config.yaml."""
    stated: Mapping[str, Any] = field(default_factory=dict)
    """Values that files state; they win over every option."""
    files: tuple[Path, ...] = ()
    """The files that state values, the outermost first."""


def layers(file: Path | None) -> Layers:
    """Read a spec's file, or the shipped config.yaml for None.

    Raises SpecError for a defaults list that names what does not exist, files that name each other,
    or anything outside the spec's folder.
    """
    return _read(file or _config(), (), {})


def _config() -> Path:
    return shipped("conf") / "config.yaml"


def _read(file: Path, seen: tuple[Path, ...], done: dict[Path, Layers]) -> Layers:
    """The layers of one file; `seen` are the files on the way to it, `done` those read before."""
    if file in done:
        return done[file]
    content = read_yaml(file)
    where = shown(file)
    if "hydra" in content:
        raise SpecError(
            f"{where}: hydra",
            "Hydra's own settings are not part of a spec; sweep with a section `sweep:`",
        )
    entries = content.get("defaults", [])
    if not isinstance(entries, list):
        raise SpecError(f"{where}: defaults", f"found {entries!r}; give a list")
    found = Layers()
    choices: dict[tuple[str, bool], Path | None] = {}
    for index, entry in enumerate(entries):
        place = f"{where}: defaults.{index}"
        if isinstance(entry, str):
            if entry != "_self_":
                other = _base(entry, file, (*seen, file), place)
                found = _over(found, _read(other, (*seen, file), done))
        elif isinstance(entry, dict) and len(entry) == 1:
            ((name, option),) = entry.items()
            group, overrides, chosen = _choice(name, option, file, place)
            if (group, overrides) in choices:
                raise SpecError(place, f"chooses an option of {group} a second time; keep one")
            choices[group, overrides] = chosen
        else:
            raise SpecError(place, f"found {entry!r}; give a name, or `group: option`")
    own = {key: value for key, value in content.items() if key != "defaults"}
    chosen_here = {g: path for (g, _), path in sorted(choices.items(), key=lambda c: c[0][1])}
    below = _below(file, own)
    stated = {key: value for key, value in own.items() if key not in below}
    files = () if file == _config() else (file,)
    done[file] = _over(found, Layers(chosen_here, below, stated, files))
    return done[file]


def _below(file: Path, own: dict[str, Any]) -> dict[str, Any]:
    """What a file holds and nobody stated: the shipped defaults; where a study was frozen."""
    if file == _config():
        return own
    return {k: own[k] for k in ("cluster", "tracking") if k in own and "frozen" in own}


def _base(entry: str, file: Path, seen: tuple[Path, ...], place: str) -> Path:
    """The file that an entry of a defaults list names."""
    if not NAME.fullmatch(entry):
        raise SpecError(place, f"found {entry!r}; give the name of a file beside the spec")
    if len(seen) > MAX_FILES:
        raise SpecError(place, f"more than {MAX_FILES} files build on each other")
    name = f"{entry}.yaml"
    candidates = [_config()] if entry == "config" else [file.parent / name]
    candidates.append(shipped("experiments") / name)
    for other in candidates:
        if other.is_file() and other != file:
            if other in seen:
                raise SpecError(place, f"{shown(other)} and this file name each other")
            return other
    known = sorted(p.stem for p in shipped("experiments").glob("*.yaml"))
    raise SpecError(
        place,
        f"no file {name} beside the spec, and no experiment of that name; "
        f"{did_you_mean(entry, known)}`config` has the default groups",
    )


def _choice(name: str, option: Any, file: Path, place: str) -> tuple[str, bool, Path | None]:
    """The group of an entry such as `override model: mine`, whether it overrides, and the file."""
    group = name.removeprefix("override ").removeprefix("optional ").lstrip("/")
    if group not in groups():
        raise SpecError(
            place,
            f"unknown config group {group!r}; {did_you_mean(group, groups())}"
            f"there are {', '.join(groups())}",
        )
    # a shipped file means shipped options, whatever lies beside it
    is_shipped = file == _config() or file.parent == shipped("experiments")
    chosen = None
    if option is not None:
        chosen = option_file(group, option, None if is_shipped else file.parent, place)
    return group, name.startswith("override "), chosen


def _over(inner: Layers, outer: Layers) -> Layers:
    """Two layers as one; the outer one wins."""
    stated = dict(inner.stated)
    if outer.files:
        stated.pop("frozen", None)  # the expected results are those of the inner file alone
        if "points" in stated:
            raise SpecError(
                shown(outer.files[0]) + ": defaults",
                f"{shown(inner.files[0])} lists the points of a frozen study; build on the spec that "
                "it was made from",
            )
        stated = _unswept(stated, outer)
    return Layers(
        {**inner.choices, **outer.choices},
        merged(inner.defaults, outer.defaults),
        merged(stated, outer.stated),
        (*outer.files, *(f for f in inner.files if f not in outer.files)),
    )


def _unswept(inner: dict[str, Any], outer: Layers) -> dict[str, Any]:
    """`inner` without the swept fields and groups that the outer file sets, as if they were typed."""
    stated = {k: v for k, v in outer.stated.items() if k != "sweep"}
    fixed = {".".join(path) for path, _ in leaves(stated)} | set(outer.choices)
    sweep = inner.get("sweep")
    if isinstance(sweep, dict):
        left: Any = {key: value for key, value in sweep.items() if key not in fixed}
    elif isinstance(sweep, list) and all(isinstance(point, dict) for point in sweep):
        points = [{k: v for k, v in point.items() if k not in fixed} for point in sweep]
        left = points if all(points) else []
    else:
        return inner
    return {**inner, "sweep": left} if left else {k: v for k, v in inner.items() if k != "sweep"}


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value that stands in a mapping or those below it, with its path; lists are one value."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif path:
        yield path, value


def merged(old: Any, new: Any) -> Any:
    """Two mappings merged at every depth; anything else replaced by the new value."""
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        return new
    return {**old, **{k: merged(old[k], v) if k in old else v for k, v in new.items()}}
