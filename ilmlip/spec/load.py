"""From a file or overrides to a frozen spec, or to a study of many.

A SPEC is a list of words as on the command line: first a file (a path, or the bare name of a
shipped experiment) or nothing, then overrides (`model.r_max=6`, `model=allegro_laptop`). A sweep
stands in the file (`sweep:`) or, with multirun, in the overrides (`model.r_max=4,5,6`).
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ilmlip.chemistry.ion import load_ion
from ilmlip.errors import SpecError
from ilmlip.hashing import file_digest
from ilmlip.record import Record
from ilmlip.spec import paths
from ilmlip.spec.compose import (
    MAX_POINTS,
    PLAIN_KEY,
    Composed,
    Setting,
    assign,
    compose,
    has_references,
    resolve,
    setting,
)
from ilmlip.spec.locate import Sources, explain
from ilmlip.spec.shipped import groups, package, shipped
from ilmlip.spec.study import Frozen, Overruled, Point, Study, shown_value
from ilmlip.spec.types import Spec
from ilmlip.spec.words import ONE_PLACE, split, typed_settings
from ilmlip.spec.yaml_file import check_data, shown
from ilmlip.uri import hidden

BESIDE = ("sweep", "points", "frozen", "defaults")
"""Sections of a file that are no part of a spec."""


def load(words: Sequence[str]) -> Spec:
    """The spec that the words name (a study's first). Raises SpecError, naming the place."""
    return load_study(words).spec


def load_study(words: Sequence[str], *, multirun: bool = False, allow: Sequence[str] = ()) -> Study:
    """The study that the words name. Raises SpecError, naming the place, if it is not a valid one.

    `allow` names paths and addresses outside the study's folder that its file may use.
    """
    study = _Loader(words, multirun, tuple(allow)).study()
    said = [hidden(word) for word in words]  # a study is written to many places
    return dataclasses.replace(study, words=(*(["-m"] if multirun else []), *said))


@dataclass
class _Group:
    """The composition of one choice of the swept groups, with what is made of its sections."""

    composed: Composed
    sources: Sources
    sections: dict[tuple[str, int], tuple[Any, Any]] = field(default_factory=dict)
    """By name and identity of the plain section: that section, and the validated one."""


class _Loader:
    """Loads one study."""

    def __init__(self, words: Sequence[str], multirun: bool, allow: tuple[str, ...]) -> None:
        self.file, texts = split(words)
        self.beside = self.file.parent if self.file else None
        self.allow = allow
        self.read: list[str] = []
        self.overruled: list[Overruled] = []
        self.digest = cache(file_digest)
        """Each file of labels is read once, however many points name it."""
        typed = typed_settings(texts, self.file, multirun)
        self.swept: set[str] = set()
        """Keys of what the points may differ in, one value in the file's sweep included."""
        self.together: set[str] = set()
        """Of these, the keys that a list of points sets: they go through their values together."""
        self.base = compose(self.file, [s for s in typed if len(s.values) <= 1])
        self.changed = bool(typed)
        self.settings = self._settings(typed)

    def _settings(self, typed: Sequence[Setting]) -> list[Setting]:
        """The file's sweep and the command line's words, as Hydra orders them: later values win."""
        found: dict[str, Setting] = {}
        where = shown(self.file) if self.file else "command line"
        sweep = self.base.data.pop("sweep", None) or {}
        if isinstance(sweep, list):
            found = self._points_listed(sweep)
        elif isinstance(sweep, dict):
            found = {key: self._axis(key, value) for key, value in sweep.items()}
        else:
            raise SpecError(
                f"{where}: sweep",
                f"found {sweep!r}; give a mapping of fields to values, or a list of points",
            )
        axes = set(found) - {one.key for one in typed}
        self.swept = axes | {one.key for one in typed if len(one.values) > 1}
        for number, one in enumerate(typed):
            found[f"~{number}" if one.deletes else one.key] = one
        listed = [s for s in found.values() if s.key in self.together and len(s.values) > 1]
        self.together = {s.key for s in listed}
        count = math.prod(
            len(s.values) for s in found.values() if not s.deletes and s not in listed[1:]
        )
        if count > MAX_POINTS:
            raise SpecError(
                f"{where}: sweep", f"has {count:,} points; at most {MAX_POINTS:,}. Sweep over less"
            )
        return list(found.values())

    def _points_listed(self, points: list[Any]) -> dict[str, Setting]:
        """A sweep that is a list of points: a setting for each field or group, a value a point."""
        place = Sources(self._files(self.base), {}).place(("sweep",))
        wrong = [i for i, p in enumerate(points) if not isinstance(p, dict) or not p]
        if not points or wrong:
            raise SpecError(place, "give each point as fields with values: {model.r_max: 4}")
        keys = list(points[0])
        found = {}
        for index, point in enumerate(points):
            if set(point) != set(keys):
                raise SpecError(
                    place, f"point {index} sets {', '.join(point)}, and the first {', '.join(keys)}"
                )
        for key in keys:
            self._refuse_key(key, place)
            values = tuple(point[key] for point in points)
            texts, is_group = tuple(map(shown_value, values)), key in groups()
            found[key] = Setting(key, texts, values, f"{place}: {key}", is_group)
        self.together = set(keys)
        return found

    def _refuse_key(self, key: str, place: str) -> None:
        """Refuse to sweep over what is no field, or what is one for all points."""
        if not PLAIN_KEY.fullmatch(key) or key.split(".", 1)[0] == "hydra":
            raise SpecError(place, f"{key!r} is no field; write a path such as model.r_max")
        if key.split(".", maxsplit=1)[0] in ONE_PLACE:
            raise SpecError(place, "can't be swept: a study is one plan, in one store")

    def _combinations(self) -> Iterator[tuple[int, ...]]:
        """Which value of each setting, for each point; points that the command line made alike once."""
        listed = [i for i, s in enumerate(self.settings) if s.key in self.together]
        sizes = [1 if i in listed[1:] else len(s.values) or 1 for i, s in enumerate(self.settings)]
        seen: set[tuple[str, ...]] = set()
        for one in itertools.product(*map(range, sizes)):
            chosen = tuple(one[listed[0]] if i in listed else at for i, at in enumerate(one))
            words = tuple(
                s.texts[i] if s.texts else "" for s, i in zip(self.settings, chosen, strict=True)
            )
            if not listed or words not in seen:
                seen.add(words)
                yield chosen

    def _axis(self, key: str, value: Any) -> Setting:
        """One entry of the section `sweep`: Hydra's syntax in a string, or a list of values."""
        place = Sources(self._files(self.base), {}).place(("sweep", key))
        self._refuse_key(key, place)
        if isinstance(value, str):
            made = setting(f"{key}={value}", place, self.beside)
        elif isinstance(value, list) and value:
            made = Setting(
                key, tuple(map(shown_value, value)), tuple(value), place, key in groups()
            )
        else:
            raise SpecError(place, f'found {value!r}; give values, [4, 5] or "4,5" or "range(4,8)"')
        if len(set(made.texts)) != len(made.texts):
            raise SpecError(place, f"names a value twice in {', '.join(made.texts)}")
        return made

    def _files(self, composed: Composed) -> tuple[tuple[Path, tuple[str, ...]], ...]:
        """Every file that the config came from, with the section that it fills; winners first."""
        choices = sorted(composed.choices.items(), key=lambda c: c[0] != "scale")
        return (
            *((file, ()) for file in composed.files),
            *((file, package(group, file)) for group, file in choices),
            (shipped("conf") / "config.yaml", ()),
        )

    # --- points

    def study(self) -> Study:
        data = self.base.data
        listed, frozen = data.pop("points", None), data.pop("frozen", None)
        by_group = {s.key for s in self.settings if s.is_group and s.key in self.swept}
        found = []
        if listed is not None:
            found = list(self._listed(listed))
        else:
            made: dict[tuple[str, ...], _Group] = {}
            for combination in self._combinations():
                chosen = list(zip(self.settings, combination, strict=True))
                chosen_options = tuple(s.texts[i] for s, i in chosen if s.key in by_group)
                if chosen_options not in made:
                    made[chosen_options] = self._group(chosen, bool(by_group))
                found.append(self._point(made[chosen_options], chosen))
        read, differing = tuple(dict.fromkeys(self.read)), tuple(dict.fromkeys(self.overruled))
        return Study(tuple(found), self._frozen(frozen), self.changed, read, differing)

    def _group(self, chosen: Sequence[tuple[Setting, int]], composes: bool) -> _Group:
        """Compose one choice of the groups, all other values at what the point gets later."""
        composed = self.base
        if composes:
            first = [_single(s, i) for s, i in chosen if s.is_group or s.key not in self.swept]
            composed = compose(self.file, first)
            for name in BESIDE:
                composed.data.pop(name, None)
        self.overruled += composed.overruled
        return _Group(composed, Sources(self._files(composed), {}))

    def _point(self, group: _Group, chosen: Sequence[tuple[Setting, int]]) -> Point:
        """Put a point's values into the composition, and validate what they change."""
        data = group.composed.data
        places: dict[str, str] = {}
        options: dict[str, str] = {}
        for one, index in chosen:
            if one.deletes:
                continue
            at = options if one.is_group else places
            at[one.key] = one.where if len(one.values) == 1 else _place(one, index)
            # what is fixed is in the composition already, unless a swept field is a part of it
            if not one.is_group and (one.key in self.swept or _overlaps(one.key, self.swept)):
                data = assign(data, one.key, one.values[index], places[one.key])
        sources = Sources(group.sources.files, places, options)
        values = {s.key: s.values[i] for s, i in chosen if s.key in self.swept}
        return Point(self._spec(data, sources, group), values)

    def _listed(self, listed: Any) -> Iterator[Point]:
        """The points of a frozen file: what was swept, and the fields that differ from the spec."""
        where = f"{shown(self.file) if self.file else 'command line'}: points"
        if not isinstance(listed, list) or not listed or len(listed) > MAX_POINTS:
            raise SpecError(where, f"give a list of at least one and at most {MAX_POINTS:,} points")
        if any(len(s.values) > 1 for s in self.settings):
            raise SpecError(where, "a frozen file has its points; sweep the spec it was made from")
        group = _Group(self.base, Sources(self._files(self.base), {}))
        self.overruled += self.base.overruled
        typed = {s.key: s for s in self.settings}
        for index, one in enumerate(listed):
            place = f"{where}.{index}"
            parts = {"swept", "changes"}
            if not isinstance(one, dict) or not set(one) <= parts:
                raise SpecError(place, "give a mapping with `swept` and `changes`")
            swept, changes = (one.get(n) or {} for n in ("swept", "changes"))
            if not isinstance(swept, dict) or not isinstance(changes, dict):
                raise SpecError(place, "`swept` and `changes` are mappings of fields to values")
            data = self.base.data
            for key, value in changes.items():
                if key.split(".", 1)[0] in ONE_PLACE or not PLAIN_KEY.fullmatch(key):
                    raise SpecError(f"{place}.changes.{key}", "can't differ from point to point")
                data = replace(data, key, value, f"{place}.changes.{key}")
            for one_typed in typed.values():
                if not one_typed.is_group and not one_typed.deletes:
                    data = assign(data, one_typed.key, one_typed.values[0], one_typed.where)
            places = {k: f"{place}.changes.{k}" for k in changes}
            places |= {k: s.where for k, s in typed.items()}
            kept = {k: v for k, v in swept.items() if k not in typed}
            yield Point(self._spec(data, Sources(group.sources.files, places), group), kept)

    # --- from plain data to types

    def _spec(self, data: dict[str, Any], sources: Sources, group: _Group) -> Spec:
        """Validate; a section that is the same object as in another point is validated once."""
        if has_references_in(data, group):
            data = resolve(data, shown(self.file) if self.file else "command line")
        parts: dict[str, Any] = {}
        for name, raw in data.items():
            if name in BESIDE:
                continue
            kept = group.sections.get((name, id(raw)))
            if kept is None:
                kept = (raw, self._section(name, raw, sources))
                group.sections[name, id(raw)] = kept
            parts[name] = kept[1]
        try:
            return Spec.model_validate(parts)
        except ValidationError as error:
            raise explain(error, Spec, sources) from None
        except SpecError as error:
            raise _located(error, sources) from None

    def _section(self, name: str, raw: Any, sources: Sources) -> Any:
        """One section, validated if it is a record; what is wrong with it is told by the whole."""
        if name == "system":
            raw = self._with_ions(raw, sources)
        if name == "dft" and has_labelled_files(raw):
            raw = paths.labelled_files(raw, sources, self.file, self.allow, self.digest)
            self.read += raw["files"]["paths"]
        if name == "analysis" and isinstance(raw, dict) and isinstance(raw.get("models"), dict):
            models = paths.outside_models(
                raw["models"], sources, self.file, self.allow, self.digest
            )
            raw = {**raw, "models": models}
            self.read += [m["package"] for m in models.values() if _names_a_package(m)]
        if name == "model" and isinstance(raw, dict) and _names_a_package(raw.get("fine_tune")):
            where = sources.place(("model", "fine_tune", "package"))
            given = paths.packaged(raw["fine_tune"], where, self.file, self.allow, self.digest)
            raw = {**raw, "fine_tune": given}
            self.read.append(given["package"])
        if name == "ensemble" and isinstance(raw, dict) and _names_a_file(raw.get("start")):
            where = sources.place(("ensemble", "start", "file"))
            start = paths.one_file(raw["start"], "file", where, self.file, self.allow, self.digest)
            raw = {**raw, "start": start}
            self.read.append(start["file"])
        paths.check(name, raw, sources, self.file, self.allow)
        info = Spec.model_fields.get(name)
        kind = info.annotation if info else None
        if not (isinstance(kind, type) and issubclass(kind, Record)):
            return raw
        try:
            return kind.model_validate(raw)
        except ValidationError:
            return raw
        except SpecError as error:
            raise _located(error, sources) from None

    def _with_ions(self, system: Any, sources: Sources) -> Any:
        """Replace each ion that is named (in conf/ion, or by a path beside the spec) by its data."""
        ions = system.get("ions") if isinstance(system, dict) else None
        if not isinstance(system, dict) or not isinstance(ions, dict):
            return system  # the validation says what is wrong
        found = dict(ions)
        for name, value in ions.items():
            if isinstance(value, str):
                where = sources.place(("system", "ions", name))
                file = paths.ion_file(value, where, self.file, sources, self.allow)
                self.read.append(str(file))
                found[name] = load_ion(file)
        return {**system, "ions": found}

    def _frozen(self, raw: Any) -> Frozen | None:
        if raw is None:
            return None
        where = f"{shown(self.file) if self.file else 'command line'}: frozen"
        check_data(raw, where)
        try:
            return Frozen.model_validate(raw)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join([where, *map(str, first["loc"])])
            raise SpecError(place, f"{first['msg']}; freeze the study again") from None


def has_labelled_files(dft: Any) -> bool:
    """Whether a section names labelled files; what is wrong with it is told by the validation."""
    files = dft.get("files") if isinstance(dft, dict) else None
    named = files.get("paths") if isinstance(files, dict) else None
    return isinstance(named, list) and all(isinstance(path, str) for path in named)


def _names_a_package(model: Any) -> bool:
    return isinstance(model, dict) and isinstance(model.get("package"), str)


def _names_a_file(start: Any) -> bool:
    return isinstance(start, dict) and isinstance(start.get("file"), str)


def _single(one: Setting, index: int) -> Setting:
    """One value of a setting."""
    if one.deletes:
        return one
    return Setting(one.key, (one.texts[index],), (one.values[index],), one.where, one.is_group)


def _place(one: Setting, index: int) -> str:
    """Where a swept value stands, and which it is."""
    return f"{one.where} ({one.key}={one.texts[index]})"


def _overlaps(key: str, others: set[str]) -> bool:
    """Whether one of the other fields is a part of this one, or this one of it."""
    return any(o.startswith(f"{key}.") or key.startswith(f"{o}.") for o in others)


def replace(data: dict[str, Any], key: str, value: Any, where: str) -> dict[str, Any]:
    """`data` with the value of a field replaced, whatever it was (assign merges mappings)."""
    cleared = assign(data, key, None, where)
    return assign(cleared, key, value, where)


def has_references_in(data: Mapping[str, Any], group: _Group) -> bool:
    """Whether a section holds a reference; what has been validated without resolving has none."""
    return any(
        (name, id(raw)) not in group.sections and has_references(raw) for name, raw in data.items()
    )


def _located(error: SpecError, sources: Sources) -> SpecError:
    """Add the file and line to an error that names a field."""
    return SpecError(sources.place(tuple(error.where.split("."))), error.message)
