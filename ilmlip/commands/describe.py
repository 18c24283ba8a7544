"""`ilmlip describe`, `--cfg job` and `--info`: what may stand in a spec, and what one is made of."""

from __future__ import annotations

import sys
from argparse import Namespace
from importlib.metadata import version
from pathlib import Path

import yaml

from ilmlip import __version__
from ilmlip.commands import OK
from ilmlip.errors import SpecError
from ilmlip.spec.compose import compose, plugins
from ilmlip.spec.reference import all_fields, described, one_liner
from ilmlip.spec.shipped import did_you_mean, groups, header, options, shipped
from ilmlip.spec.words import fixed_settings, split
from ilmlip.uri import remember


def describe(namespace: Namespace) -> int:
    """Print a field, a section with its options, or everything."""
    for name in namespace.words or [""]:
        print(text_of(name))
    return OK


def text_of(name: str) -> str:
    """What there is to say of a field, a group, an option `group=option`, or (empty) of all."""
    fields = dict(all_fields())
    if name in fields:
        below = [path for path in fields if path.startswith(f"{name}.")]
        parts = [described(name, fields[name])]
        if name in groups():
            parts.append(group_text(name))
        if below:
            parts.append("\n".join(one_liner(path, fields[path]) for path in below))
        return "\n\n".join(parts)
    group, _, option = name.partition("=")
    if group in groups() and option in options(group):
        file = options(group)[option]
        return f"{name}\n{header(file)}\n\n{file.read_text(encoding='utf-8')}"
    if group in groups():
        return group_text(group)
    if name:
        valid = [*fields, *groups()]
        raise SpecError(
            f"describe {name}", f"no such field; {did_you_mean(name, valid)}try `ilmlip describe`"
        )
    return help_text()


def help_text() -> str:
    """Every group with its options, and every field."""
    lines = ["config groups (GROUP=OPTION):"]
    lines += [f"  {group}: {', '.join(options(group))}" for group in groups() if group != "ion"]
    lines += ["", "fields (FIELD=VALUE):"]
    lines += [f"  {one_liner(path, info)}" for path, info in all_fields() if "ions.N." not in path]
    return "\n".join(lines)


def group_text(group: str) -> str:
    """A group's options with what their headers say."""
    lines = [f"options of {group}:"]
    for option, file in options(group).items():
        first, *more = header(file).splitlines() or [""]
        lines.append(f"  {group}={option}: {first}")
        lines += [f"      {text}" for text in more]
    return "\n".join(lines)


def config(namespace: Namespace) -> int:
    """Print the composed config (--cfg job), before it becomes a spec."""
    file, words = split(namespace.words)
    made = compose(file, fixed_settings(words, file, namespace.multirun))
    tracking = made.data.get("tracking")
    if isinstance(tracking, dict) and isinstance(tracking.get("uri"), str):
        tracking["uri"] = remember(tracking["uri"])
    yaml.safe_dump(made.data, sys.stdout, sort_keys=False, allow_unicode=True)
    return OK


def info(namespace: Namespace) -> int:
    """Print versions, where configs are looked for, the plugins, and the chosen options."""
    file, words = split(namespace.words)
    made = compose(file, fixed_settings(words, file, namespace.multirun))
    print(
        f"ilmlip {__version__}, hydra-core {version('hydra-core')}, Python {sys.version.split()[0]}"
    )
    print("search path:")
    for place in (*([file.parent] if file else []), shipped("conf")):
        print(f"  {Path(place)}")
    print("plugins:")
    for name in plugins():
        print(f"  {name}")
    print("options:")
    for group in groups():
        if group != "ion":
            chosen = made.choices[group].stem if group in made.choices else "(none)"
            print(f"  {group}={chosen}    of {', '.join(options(group))}")
    return OK
