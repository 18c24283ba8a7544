"""Hydra's part: composing a config from the groups, and its grammar of overrides.

The only modules that import Hydra and OmegaConf are this one and the launcher. Whatever a spec
holds, nothing of it reaches `hydra.utils.instantiate`, and no resolver is there while it is read.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ilmlip.errors import SpecError
from ilmlip.spec.shipped import did_you_mean, groups, options, shipped
from ilmlip.spec.yaml_file import check_data, read_yaml, shown

NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,79}")
PLAIN_KEY = re.compile(r"[A-Za-z_][\w.-]*")
MAX_POINTS = 100_000
"""Points of the largest study: what is more is a slip, or an attack."""


@dataclass(frozen=True)
class Composed:
    """A composed config as plain data, references still in it, and the option of each group."""

    data: dict[str, Any]
    choices: Mapping[str, str]


@dataclass(frozen=True)
class Setting:
    """One override: what it sets (`key`), to which values (one, or several of a sweep)."""

    key: str
    texts: tuple[str, ...]
    """The values as they may stand on a command line."""
    values: tuple[Any, ...]
    where: str
    """What the user wrote, and where."""
    is_group: bool = False
    native: str = ""
    """What Hydra gets if it is no plain `key=value` (`~key`, `key@package=…`)."""


def setting(text: str, where: str, beside: Path | None) -> Setting:
    """Parse one word such as `model.r_max=4,5,6`, `model=glob(nequip*)` or `~key`."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import Override
    from hydra.errors import HydraException

    try:
        parsed = OverridesParser.create().parse_override(text)
    except (HydraException, RecursionError) as error:
        raise SpecError(where, f"cannot be read: {one_line(error)}") from None
    except ValueError as error:  # a number of thousands of digits
        raise SpecError(where, f"cannot be read: {error}") from None
    key = parsed.key_or_group
    if not key:
        raise SpecError(where, "names nothing to set; write KEY=VALUE")
    if key.split(".")[0].split("/")[0] == "hydra":
        raise SpecError(where, "Hydra's own settings are not part of a spec")
    if parsed.is_delete() or parsed.package is not None or not PLAIN_KEY.fullmatch(key):
        if parsed.is_sweep_override():
            raise SpecError(where, f"{key!r} cannot be swept; name a field or a config group")
        return Setting(key, (), (), where, key in groups(), native=text)
    raw = _elements(parsed, where, beside)
    values = tuple(Override._convert_value(one) for one in raw)
    texts = tuple(Override._get_value_element_as_str(one) for one in raw)
    for one in values:
        check_data(one, where)
    return Setting(key, texts, values, where, key in groups())


def _elements(parsed: Any, where: str, beside: Path | None) -> list[Any]:
    """The parsed values of an override: one, or those of a sweep."""
    from hydra.core.override_parser.types import Glob, Sweep

    if not parsed.is_sweep_override():
        return [parsed._value]
    key, value = parsed.key_or_group, parsed.value()
    if isinstance(value, Glob):
        if key not in groups():
            raise SpecError(where, f"glob chooses options of a config group; {key!r} is none")
        valid = list(options(key, beside))
        found = list(value.filter(valid))
        if not found:
            raise SpecError(where, f"matches nothing; there are {', '.join(valid)}")
        return found
    if not parsed.is_discrete_sweep():
        raise SpecError(where, "is an interval; only a sweeper such as hydra/sweeper=optuna has it")
    _refuse_huge(value, where)
    found = list(parsed.sweep_iterator())
    if any(isinstance(one, Sweep) for one in found):
        raise SpecError(where, "has a sweep inside a sweep")
    return found


def has_sweep(text: str) -> bool:
    """Whether a word names several values or an interval; False for what cannot be parsed."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        return bool(OverridesParser.create().parse_override(text).is_sweep_override())
    except (HydraException, ValueError, RecursionError):
        return False


def _refuse_huge(value: Any, where: str) -> None:
    """Count a range before it is expanded."""
    from hydra.core.override_parser.types import RangeSweep

    if not isinstance(value, RangeSweep):
        return
    start, stop, step = (float(x or 0) for x in (value.start, value.stop, value.step))
    if not step:
        raise SpecError(where, "a range of step 0 never ends")
    if (stop - start) / step > MAX_POINTS:
        raise SpecError(
            where, f"is a range of {(stop - start) / step:.3g} values; at most {MAX_POINTS:,}"
        )


def compose(file: Path | None, settings: Sequence[Setting]) -> Composed:
    """Compose a file (or conf/config.yaml) with overrides of one value each.

    A file without a defaults list needs no Hydra. Raises SpecError if Hydra refuses.
    """
    content = read_yaml(file) if file is not None else {"defaults": ["config"]}
    if "hydra" in content:
        raise SpecError(
            f"{shown(file) if file else 'config'}: hydra",
            "Hydra's own settings are not part of a spec; sweep with a section `sweep:`",
        )
    own = all(not s.is_group and not s.native for s in settings)
    if file is not None and content.get("defaults", ["_self_"]) == ["_self_"] and own:
        content.pop("defaults", None)
        made = Composed(content, {})
    else:
        where = shown(file) if file else "config.yaml"
        chosen = _defaults(content, file, where, (file,) if file else ())
        made = _compose(file, [s for s in settings if s.is_group or s.native], chosen)
    # values are set here, not by Hydra: it takes `store=x` for a group where a folder store/ lies
    data = made.data
    for one in settings:
        if not one.is_group and not one.native:
            data = assign(data, one.key, one.values[0], one.where)
    return Composed(data, made.choices)


def _compose(file: Path | None, settings: Sequence[Setting], chosen: set[str]) -> Composed:
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    conf = shipped("conf")
    folder, name = (file.parent, file.stem) if file else (conf, "config")
    where = shown(file) if file else "command line"
    words = [_word(one, chosen, file.parent if file else None) for one in settings]
    search = "hydra.searchpath=['file://" + str(conf).replace("'", "\\'") + "']"
    try:
        with (
            initialize_config_dir(str(folder), version_base="1.3", job_name="ilmlip"),
            _no_resolvers(),
        ):
            made = hydra_compose(name, [search, *words], return_hydra_config=True)
            whole: Any = OmegaConf.to_container(
                OmegaConf.masked_copy(made, [str(k) for k in made if k != "hydra"])
            )
            choices: Any = OmegaConf.to_container(made.hydra.runtime.choices)
    except (
        HydraException, OmegaConfBaseException, yaml.YAMLError, RecursionError, ValueError, TypeError
    ) as error:  # fmt: skip
        raise SpecError(where, one_line(error)) from None
    check_data(whole, where)
    return Composed(whole, {str(g): c for g, c in choices.items() if isinstance(c, str)})


def _word(one: Setting, chosen: set[str], beside: Path | None) -> str:
    """What Hydra gets of a choice of a group.

    A group that is not among the chosen ones is added at the end (`scale`, which sets sizes over
    all else).
    """
    if one.native:
        return one.native
    text = f"{one.key}={one.texts[0]}"
    option = one.values[0]
    valid = options(one.key, beside)
    if not isinstance(option, str) or option not in valid:
        raise SpecError(
            one.where,
            f"could not find '{one.key}/{option}'; {did_you_mean(str(option), valid)}"
            f"there are {', '.join(valid)}",
        )
    return text if one.key in chosen else f"+{text}"


def _defaults(
    content: Mapping[str, Any], file: Path | None, where: str, seen: tuple[Path, ...]
) -> set[str]:
    """The groups that a defaults list names; refuses what would read a file from elsewhere.

    What it names beside the spec is read by the same rules; `seen` are the files on the way to it.
    """
    entries = content.get("defaults", [])
    if not isinstance(entries, list):
        raise SpecError(f"{where}: defaults", f"found {entries!r}; give a list")
    found: set[str] = set()
    for index, entry in enumerate(entries):
        place = f"{where}: defaults.{index}"
        if isinstance(entry, str):
            found |= _base(entry, file, place, seen)
        elif isinstance(entry, dict) and len(entry) == 1:
            (group, option), *_ = entry.items()
            name = group.removeprefix("override ").removeprefix("optional ").lstrip("/")
            if name not in groups():
                raise SpecError(
                    place,
                    f"unknown config group {name!r}; {did_you_mean(name, groups())}"
                    f"there are {', '.join(groups())}",
                )
            found.add(name)
            _option(name, option, file, place)
        else:
            raise SpecError(place, f"found {entry!r}; give a name, or `group: option`")
    if entries and "_self_" not in entries and len(content) > 1:
        raise SpecError(
            f"{where}: defaults",
            "lacks `_self_`, the place of the file's own values among the defaults; put it after "
            "`config`",
        )
    return found


def _base(entry: str, file: Path | None, place: str, seen: tuple[Path, ...]) -> set[str]:
    """The groups that another file beside the spec (or conf/config.yaml) names."""
    if entry == "_self_":
        return set()
    if not NAME.fullmatch(entry):
        raise SpecError(place, f"found {entry!r}; give the name of a file beside the spec")
    for folder in (file.parent if file else None, shipped("conf")):
        other = folder / f"{entry}.yaml" if folder else None
        if other is not None and other.is_file() and other != file:
            if other in seen:
                raise SpecError(place, f"{shown(other)} and this file name each other")
            return _defaults(read_yaml(other), other, shown(other), (*seen, other))
    raise SpecError(place, f"no file {entry}.yaml beside the spec; `config` has the default groups")


def _option(group: str, option: Any, file: Path | None, place: str) -> None:
    """Check an option's file if it lies beside the spec."""
    if option is None:
        return
    if not isinstance(option, str) or not NAME.fullmatch(option):
        raise SpecError(place, f"found {option!r}; give the name of one option of {group}")
    beside = file.parent if file else None
    valid = options(group, beside)
    if option not in valid:
        raise SpecError(
            place,
            f"could not find '{group}/{option}'; {did_you_mean(option, valid)}"
            f"there are {', '.join(valid)}",
        )
    if beside is not None and valid[option].is_relative_to(beside):
        own = read_yaml(valid[option])
        for entry in own.get("defaults") or []:
            if entry != "_self_" and (entry == option or entry not in valid):
                raise SpecError(
                    f"{shown(valid[option])}: defaults",
                    f"found {entry!r}; an option may start from another option of {group}",
                )


@contextlib.contextmanager
def _no_resolvers() -> Iterator[None]:
    """Take away every resolver (oc.env and the like) while a spec is composed or resolved."""
    from omegaconf.basecontainer import BaseContainer

    kept = dict(BaseContainer._resolvers)
    BaseContainer._resolvers.clear()
    try:
        yield
    finally:
        BaseContainer._resolvers.update(kept)


def resolve(data: dict[str, Any], where: str) -> dict[str, Any]:
    """Put in the values that `${section.field}` refers to."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        with _no_resolvers():
            found = OmegaConf.to_container(OmegaConf.create(data), resolve=True)
    except (OmegaConfBaseException, RecursionError) as error:
        raise SpecError(where, one_line(error)) from None
    return {str(k): v for k, v in found.items()} if isinstance(found, dict) else {}


def has_references(value: Any) -> bool:
    """Whether a string with `${` stands anywhere in plain data."""
    if isinstance(value, str):
        return "${" in value
    if isinstance(value, dict):
        return any(map(has_references, value.values()))
    return isinstance(value, list) and any(map(has_references, value))


def assign(data: dict[str, Any], key: str, value: Any, where: str) -> dict[str, Any]:
    """`data` with one value set as OmegaConf.update does it; what is not on the way is shared.

    Mappings are merged, lists replaced, and what is missing on the way is made.
    """
    steps = key.split(".")
    top: dict[str, Any] = dict(data)
    node: Any = top
    for step in steps[:-1]:
        index = _index(node, step, where)
        child = node[index] if isinstance(node, list) else node.get(index)
        child = dict(child) if isinstance(child, dict) else child
        child = list(child) if isinstance(child, list) else child
        node[index] = child if isinstance(child, (dict, list)) else {}
        node = node[index]
    last = _index(node, steps[-1], where)
    old = node[last] if isinstance(node, list) else node.get(last)
    if isinstance(old, (dict, list)) and isinstance(value, (dict, list)):
        if type(old) is not type(value):
            raise SpecError(
                where, f"sets {key}, a {type(old).__name__}, to a {type(value).__name__}"
            )
        node[last] = _merged(old, value)
    else:
        node[last] = value
    return top


def _index(node: Any, step: str, where: str) -> Any:
    if not isinstance(node, list):
        return step
    if not re.fullmatch(r"-?\d{1,9}", step) or not -len(node) <= int(step) < len(node):
        raise SpecError(where, f"{step!r} is no place in a list of {len(node)}")
    return int(step)


def _merged(old: Any, new: Any) -> Any:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return {**old, **{k: _merged(old[k], v) if k in old else v for k, v in new.items()}}


def plugins() -> list[str]:
    """Hydra's plugins that are installed, by class name."""
    from hydra.core.plugins import Plugins

    return sorted(f"{p.__module__}.{p.__name__}" for p in Plugins.instance().discover())


def one_line(error: BaseException) -> str:
    """The text of a Hydra, OmegaConf or YAML error without its line breaks and echoes."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    keep = [line for line in lines if not re.match(r"(full_key|object_type|See https?):?", line)]
    return "; ".join(keep) or type(error).__name__
