"""Composing a config: Hydra composes the options, and its grammar is that of overrides.

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
from ilmlip.private import need
from ilmlip.spec.defaults import layers, merged
from ilmlip.spec.overruled import option_paths, overruled
from ilmlip.spec.own_system import without_unused
from ilmlip.spec.shipped import groups, option_file, options, shipped
from ilmlip.spec.study import Overruled
from ilmlip.spec.yaml_file import check_data, shown

PLAIN_KEY = re.compile(r"[A-Za-z_][\w.-]*")
ACTIVE = ("dataset", "active")
MAX_POINTS = 100_000
"""Points of the largest study: what is more is a slip, or an attack."""


@dataclass(frozen=True)
class Composed:
    """A composed config as plain data, references still in it, and what it was made of."""

    data: dict[str, Any]
    choices: Mapping[str, Path]
    """The file of each group's option."""
    files: tuple[Path, ...] = ()
    """The files that state values, the outermost first."""
    overruled: tuple[Overruled, ...] = ()
    """Options with fields that the files state differently."""


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
    deletes: bool = False
    """`~key`, or `~key=value`: takes the field, or the group's option, out."""


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
    if parsed.package is not None:
        raise SpecError(where, "names a package (@); write GROUP=OPTION or FIELD=VALUE")
    if not PLAIN_KEY.fullmatch(key):
        raise SpecError(where, f"{key!r} is no field; write a path such as model.r_max")
    if parsed.is_delete():
        if parsed.is_sweep_override():
            raise SpecError(where, "takes something out, and cannot be swept")
        given = () if parsed.value() is None or parsed.value() == "" else (parsed.value(),)
        return Setting(key, (), given, where, key in groups(), deletes=True)
    raw = _elements(parsed, where, beside)
    need(Override, "_convert_value", "_get_value_element_as_str")
    values = tuple(Override._convert_value(one) for one in raw)
    texts = tuple(Override._get_value_element_as_str(one) for one in raw)
    for one in values:
        check_data(one, where)
    return Setting(key, texts, values, where, key in groups())


def _elements(parsed: Any, where: str, beside: Path | None) -> list[Any]:
    """The parsed values of an override: one, or those of a sweep."""
    from hydra.core.override_parser.types import Glob, Sweep

    if not parsed.is_sweep_override():
        need(parsed, "_value")
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

    Options win over the types' defaults, what files state over options, and typed fields over that;
    an option that is typed takes the place of the file's, and wins over nothing that the file states.
    Raises SpecError, naming the place.
    """
    found = layers(file)
    beside = file.parent if file else None
    choices = {group: path for group, path in found.choices.items() if path is not None}
    for one in settings:
        if one.is_group and one.deletes:
            _unchoose(choices, one)
        elif one.is_group:
            choices[one.key] = option_file(one.key, one.values[0], beside, one.where)
    under = _without_active(merged(found.defaults, _options(choices, beside)), choices)
    data: dict[str, Any] = _set(merged(under, found.stated), settings)
    if isinstance(data.get("ensemble"), dict) and data["ensemble"].get("kind") == "none":
        # no dynamics: neither an option's settings of it count nor, if none was typed, the file's
        off = any(one.key == "ensemble" and one.is_group for one in settings)
        stated = found.stated.get("ensemble")
        kept = {**(stated if isinstance(stated, dict) and not off else {}), "kind": "none"}
        data = _set({**merged(under, found.stated), "ensemble": kept}, settings)
    data = without_unused(data, found.stated)
    typed = {one.key for one in settings if one.where.startswith("command line")}
    seen = [
        overruled(group, file, under, found.stated, group in typed)
        for group, file in choices.items()
        if group == "scale" or group in typed
    ]
    return Composed(data, choices, found.files, tuple(one for one in seen if one is not None))


def _without_active(data: dict[str, Any], choices: Mapping[str, Path]) -> dict[str, Any]:
    """`data` without a scale option's sizes of active learning, where no option has it.

    A scale option that states the rounds has it itself.
    """
    section = data.get("dataset")
    marks = {"scale": (*ACTIVE, "rounds")}
    if not isinstance(section, dict) or any(
        place[: len(mark)] == mark
        for group, path in choices.items()
        for mark in (marks.get(group, ACTIVE),)
        for place in option_paths(group, path)
    ):
        return data
    return {**data, "dataset": {k: v for k, v in section.items() if k != "active"}}


def _set(data: dict[str, Any], settings: Sequence[Setting]) -> dict[str, Any]:
    """`data` with the typed fields; not by Hydra, which takes `store=x` for a group of that name."""
    for one in settings:
        if not one.is_group and one.deletes:
            data = _without(data, one)
        elif not one.is_group:
            data = assign(data, one.key, one.values[0], one.where)
    return data


def _unchoose(choices: dict[str, Path], one: Setting) -> None:
    """Take back the choice of a group (`~scale`, `~scale=laptop`)."""
    chosen = choices.pop(one.key, None)
    if chosen is None or (one.values and one.values[0] != chosen.stem):
        found = f"{one.key}={chosen.stem} is" if chosen else f"no option of {one.key} is"
        raise SpecError(one.where, f"{found} chosen; there is nothing else to take out")


def _options(choices: Mapping[str, Path], beside: Path | None) -> dict[str, Any]:
    """The values of the chosen options, composed by Hydra; `scale` comes last, over all others."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    if not choices:
        return {}
    ordered = sorted(choices, key=lambda group: group == "scale")
    words = [f"+{group}={_quoted(choices[group].stem)}" for group in ordered]
    conf = shipped("conf")
    own = [path for path in choices.values() if not path.is_relative_to(conf)]
    where = ", ".join(map(shown, own)) or str(conf)
    if own and beside is not None:
        words.insert(0, f"hydra.searchpath=[{_quoted(f'file://{beside}')}]")
    try:
        with (
            initialize_config_dir(str(conf), version_base="1.3", job_name="ilmlip"),
            _no_resolvers(),
        ):
            whole: Any = OmegaConf.to_container(hydra_compose(None, words))
    except (
        HydraException, OmegaConfBaseException, yaml.YAMLError, RecursionError, ValueError, TypeError
    ) as error:  # fmt: skip
        raise SpecError(where, one_line(error)) from None
    check_data(whole, where)
    return dict(whole)


def _quoted(text: str) -> str:
    """A string in Hydra's grammar."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@contextlib.contextmanager
def _no_resolvers() -> Iterator[None]:
    """Take away every resolver (oc.env and the like) while a spec is composed or resolved."""
    from omegaconf.basecontainer import BaseContainer

    need(BaseContainer, "_resolvers")
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
        node[last] = merged(old, value)
    else:
        node[last] = value
    return top


def _index(node: Any, step: str, where: str) -> Any:
    if not isinstance(node, list):
        return step
    if not re.fullmatch(r"-?\d{1,9}", step) or not -len(node) <= int(step) < len(node):
        raise SpecError(where, f"{step!r} is no place in a list of {len(node)}")
    return int(step)


def _without(data: dict[str, Any], one: Setting) -> dict[str, Any]:
    """`data` without a field or section (`~lint`, `~model.seeds`)."""
    *above, last = one.key.split(".")
    top = dict(data)
    node: Any = top
    for step in above:
        if not isinstance(node.get(step), dict):
            node = {}
            break
        node[step] = dict(node[step])
        node = node[step]
    if last not in node:
        raise SpecError(one.where, f"{one.key} is not set; there is nothing to take out")
    if one.values and node[last] != one.values[0]:
        raise SpecError(
            one.where, f"{one.key} is {node[last]!r}; there is nothing else to take out"
        )
    del node[last]
    return top


def plugins() -> list[str]:
    """Hydra's plugins that are installed, by class name."""
    from hydra.core.plugins import Plugins

    return sorted(f"{p.__module__}.{p.__name__}" for p in Plugins.instance().discover())


def one_line(error: BaseException) -> str:
    """The text of a Hydra, OmegaConf or YAML error without its line breaks and echoes."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    keep = [line for line in lines if not re.match(r"(full_key|object_type|See https?):?", line)]
    return "; ".join(keep) or type(error).__name__
