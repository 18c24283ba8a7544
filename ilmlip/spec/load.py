"""From a file or Hydra overrides to a frozen spec. The only module that imports Hydra and OmegaConf.

A SPEC is a list of words as on the command line: first a file (a path, or the bare name of a
shipped experiment) or nothing, then overrides (`model.r_max=6`, `model=allegro_laptop`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ilmlip.chemistry.ion import load_ion
from ilmlip.errors import SpecError
from ilmlip.spec.locate import Sources, explain
from ilmlip.spec.types import Spec

YAML_SUFFIXES = (".yaml", ".yml")


def load(words: Sequence[str]) -> Spec:
    """The spec that the words name. Raises SpecError, naming the place, if it is not a valid one."""
    file, overrides = _split(words)
    data, sources = _compose(file, overrides)
    _expand_ions(data, sources)
    try:
        return Spec.model_validate(data)
    except ValidationError as error:
        raise explain(error, Spec, sources) from None
    except SpecError as error:
        raise SpecError(sources.place(tuple(error.where.split("."))), error.message) from None


def shipped(kind: str) -> Path:
    """The folder "conf" or "experiments": inside an installed ilmlip, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "shipped" / kind
    return installed if installed.is_dir() else package.parent / kind


@cache
def groups() -> tuple[str, ...]:
    """The config groups of conf/."""
    return tuple(sorted(p.name for p in shipped("conf").iterdir() if p.is_dir()))


def _split(words: Sequence[str]) -> tuple[Path | None, list[str]]:
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
    close = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise SpecError(name, f"no experiment of that name; {hint}there are {', '.join(known)}")


@dataclass(frozen=True)
class _Override:
    """One word of the command line: `text` as typed, `key` what it sets, `hydra` what Hydra gets."""

    text: str
    key: str
    hydra: str


def _override(text: str, chosen: set[str]) -> _Override:
    """Let a field that stands in no file be set as well: Hydra wants `++` for it.

    A config group that is not among those `chosen` by the file or by conf/config.yaml is added at
    the end (`scale`, which sets sizes over all else). Unknown keys are left to the validation,
    which names the place and the nearest valid key.
    """
    key = text.split("=", 1)[0]
    if key.lstrip("+~").split(".")[0] == "hydra":
        raise SpecError(f"command line: {text}", "Hydra's own settings are not part of a spec")
    plain = re.fullmatch(r"[A-Za-z_][\w.]*", key)
    sign = ""
    if plain:
        sign = "++" if key not in groups() else "" if key in chosen else "+"
    return _Override(text, key.lstrip("+~"), f"{sign}{text}")


def _chosen(file: Path) -> set[str]:
    """The config groups that a file's defaults list names, or that it gets from conf/config.yaml."""
    content = yaml.load(file.read_text(), Loader=_loader())
    found: set[str] = set()
    for item in content.get("defaults") or () if isinstance(content, dict) else ():
        if item == "config":
            found |= _chosen(shipped("conf") / "config.yaml")
        elif isinstance(item, dict):
            found |= {str(key).split()[-1].lstrip("/") for key in item}
    return found


def _compose(file: Path | None, words: Sequence[str]) -> tuple[dict[str, Any], Sources]:
    """The composed config as plain data, and where each part of it came from."""
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    conf = shipped("conf")
    folder, name = (file.parent, file.stem) if file else (conf, "config")
    shown = _shown(file) if file else "command line"
    if file is not None:
        _check_yaml(file)
    chosen = _chosen(file or conf / "config.yaml")
    overrides = [_override(word, chosen) for word in words]
    search = "hydra.searchpath=['file://" + str(conf).replace("'", "\\'") + "']"
    try:
        with initialize_config_dir(str(folder), version_base="1.3", job_name="ilmlip"):
            composed = compose(
                name, [search, *(o.hydra for o in overrides)], return_hydra_config=True
            )
            choices = dict(composed.hydra.runtime.choices)
            composed = OmegaConf.masked_copy(composed, [str(k) for k in composed if k != "hydra"])
            _refuse_resolvers(OmegaConf.to_container(composed), shown)
            data = OmegaConf.to_container(composed, resolve=True)
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        raise SpecError(shown, _one_line(error)) from None
    files: list[tuple[Path, tuple[str, ...]]] = [(file, ())] if file else []
    for group, choice in choices.items():
        if isinstance(choice, str) and group in groups():
            own = folder / group / f"{choice}.yaml"
            files.append((own if own.is_file() else conf / group / f"{choice}.yaml", (group,)))
    files.append((conf / "config.yaml", ()))
    if not isinstance(data, dict):
        raise SpecError(shown, f"holds {type(data).__name__}; a spec is a mapping of sections")
    typed = {o.key: o.text for o in overrides}
    return {str(k): v for k, v in data.items()}, Sources(tuple(files), typed)


def _check_yaml(file: Path) -> None:
    """Say where a file that is no YAML goes wrong, before Hydra gets it."""
    try:
        content = yaml.load(file.read_text(), Loader=_loader())
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(
            _shown(file), f"cannot be read ({error}); give a readable YAML file"
        ) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SpecError(f"{_shown(file)}:{line}", f"is not YAML: {error.problem}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise SpecError(_shown(file), f"is not YAML: {_one_line(error)}") from None
    if not isinstance(content, dict):
        raise SpecError(
            _shown(file),
            f"holds {type(content).__name__}, not a mapping of sections (name, system, model, …)",
        )


def _loader() -> Any:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _refuse_resolvers(value: Any, shown: str, path: tuple[str, ...] = ()) -> None:
    """A spec is data: `${other.field}` is fine, `${resolver:…}` could read the environment."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _refuse_resolvers(inner, shown, (*path, str(key)))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _refuse_resolvers(inner, shown, (*path, str(index)))
    elif isinstance(value, str) and re.search(r"\$\{[^}]*:", value):
        raise SpecError(
            f"{shown}: {'.'.join(path)}",
            f"{value!r} calls a resolver; a spec is data, so write the value itself "
            "(a reference to another field, ${section.field}, is allowed)",
        )


def _expand_ions(data: dict[str, Any], sources: Sources) -> None:
    """Replace each ion that is named (in conf/ion, or by a path beside the spec) by its data."""
    system = data.get("system")
    ions = system.get("ions") if isinstance(system, dict) else None
    if not isinstance(ions, dict):
        return  # the validation says what is wrong
    for name, value in ions.items():
        if isinstance(value, str):
            ions[name] = load_ion(_ion_file(value, f"system.ions.{name}", sources))


def _ion_file(value: str, where: str, sources: Sources) -> Path:
    own = shipped("conf") / "ion"
    if not value.endswith(YAML_SUFFIXES):
        known = sorted(p.stem for p in own.glob("*.yaml"))
        if value in known:
            return own / f"{value}.yaml"
        close = difflib.get_close_matches(value, known, 1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise SpecError(
            sources.place(tuple(where.split("."))),
            f"unknown ion {value!r}; {hint}there are {', '.join(known)}, or give a .yaml file",
        )
    first = sources.files[0][0] if sources.files else Path()
    path = Path(value) if Path(value).is_absolute() else first.parent / value
    if not path.is_file():
        raise SpecError(
            sources.place(tuple(where.split("."))), f"no such file: {value} (looked at {path})"
        )
    return path


def _shown(file: Path) -> str:
    """A path as the user would write it from here."""
    try:
        return str(file.relative_to(Path.cwd()))
    except ValueError:
        return str(file)


def _one_line(error: BaseException) -> str:
    """The text of a Hydra, OmegaConf or YAML error without its line breaks and echoes."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    keep = [line for line in lines if not re.match(r"(full_key|object_type|See https?):?", line)]
    return "; ".join(keep) or type(error).__name__
