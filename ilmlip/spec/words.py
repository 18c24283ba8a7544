"""The words of a command line: the file that they name, and the overrides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ilmlip.errors import SpecError
from ilmlip.spec.compose import Setting, setting
from ilmlip.spec.shipped import did_you_mean, shipped

YAML_SUFFIXES = (".yaml", ".yml")
ONE_PLACE = ("name", "store", "cluster", "tracking")
"""What cannot be swept: a study is one plan in one store."""


def split(words: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Separate the file from the overrides, and find the file."""
    if not words or "=" in words[0] or words[0].startswith("~"):
        return None, list(words)
    for word in words[1:]:
        if "=" not in word and not word.startswith("~"):
            raise SpecError(
                "command line", f"{word!r} is no override; write KEY=VALUE after one SPEC"
            )
    return _find(words[0]), list(words[1:])


def _find(name: str) -> Path:
    path = Path(name)
    if path.suffix in YAML_SUFFIXES:
        if path.is_file():
            return path.absolute()
        raise SpecError(
            name, "no such file; give the path of a YAML file or the name of an experiment"
        )
    own = shipped("experiments")
    known = sorted(p.stem for p in own.glob("*.yaml"))
    if name in known:
        return own / f"{name}.yaml"
    raise SpecError(
        name, f"no experiment of that name; {did_you_mean(name, known)}there are {', '.join(known)}"
    )


def typed_settings(texts: Sequence[str], file: Path | None, multirun: bool) -> list[Setting]:
    """The overrides of a command line; of one key the last counts, as in Hydra's own sweeps."""
    found: dict[str, Setting] = {}
    for text in texts:
        one = _typed(text, file.parent if file else None, multirun)
        found[text if one.deletes else one.key] = one
    return list(found.values())


def fixed_settings(texts: Sequence[str], file: Path | None, multirun: bool) -> list[Setting]:
    """The overrides of a command line that are no sweep."""
    return [one for one in typed_settings(texts, file, multirun) if len(one.values) <= 1]


def _typed(text: str, beside: Path | None, multirun: bool) -> Setting:
    where = f"command line: {text}"
    made = setting(text, where, beside)
    if len(made.values) > 1:
        if not multirun:
            raise SpecError(where, "names several values; add -m to sweep over them")
        if made.key.split(".", 1)[0] in ONE_PLACE:
            raise SpecError(where, "can't be swept: a study is one plan, in one store")
    return made
