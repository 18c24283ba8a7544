"""Ten thousand mutated specs: each plans, or is refused in one located line, with little work."""

from __future__ import annotations

import contextlib
import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from counted import bounded
from selection import read_turn

from ilmlip.errors import SpecError
from ilmlip.lint.run import lint
from ilmlip.plan.compile import compile_study
from ilmlip.share.freeze import expected
from ilmlip.spec.load import load, load_study
from ilmlip.spec.study import study_data

PARTS = 10
ODD: list[Any] = [
    None, True, False, 0, -1, 1, 3, 1e308, -1e308, 10**40, float("nan"), float("inf"), "", " ",
    "0", "nan", "1e5", "ünïcødé", "\u202e", "\U0001f9c2", "a" * 5000, "4 Å",
    "300 K", "1 ps", "${model.r_max}",
    "${nothing.here}", "${", "}", "???", "null", [], {}, [[]], [{}], {"a": 1}, [1, "x", None], {"": 0},
    "range(0,9)", "glob(*)", "4,5", "../x", "/dev/zero", "http://x", b"bytes", "sqlite:///x.db",
    [0.4, 0.4], [[0.4], [0.4]], {"EMIM": -1}, {"Li": 10**12},
    "\x07", "-", "_self_", 5e-324, 1.5, "2026-11-23",
]  # fmt: skip
OWN: list[dict[str, Any]] = [
    {"defaults": ["config", "_self_", {"scale": "smoke"}, {"override compositions": "fifths"}]},
    {
        "defaults": ["config", "_self_", {"scale": "laptop"}, {"override model": "allegro_laptop"}],
        "compositions": {"fractions": [0.0, 0.5, 1.0], "training": [[0.5], [0.0, 1.0]]},
        "model": {"r_max": 5, "loss": {"force": 1, "energy": 2}, "seeds": [1, 2]},
        "sweep": {"model.l_max": [1, 2], "model.r_max": "4,5"},
    },
]


def bases() -> list[dict[str, Any]]:
    """Whole specs (which need no Hydra), one with points, and files with a defaults list."""
    quick = load_study(["quickstart"])
    swept = load_study(["quickstart", "scale=smoke", "model.r_max=4,5"], multirun=True)
    nvt = load_study(
        ["compositions=fifths", "scale=laptop", "ensemble=npt", "model=allegro_laptop"]
    )
    return [study_data(s) for s in (quick, swept, nvt)]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value below."""
    found = [path] if path else []
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        found += places(inner, (*path, key))
    return found


def mutated(base: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """A copy with one to three changes of types, keys, units, nesting, text or numbers."""
    data = copy.deepcopy(base)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        top = rng.choice(list(data)) if data else None
        if top is None:
            return data
        # ions are most of a spec: look elsewhere most of the time
        own = {k: v for k, v in data.items() if k != "system"} if rng.random() < 0.8 else data
        path = rng.choice(places(own) or [(top,)])
        parent: Any = data
        for step in path[:-1]:
            parent = parent[step]
        mutate(parent, path[-1], rng)
    return data


def mutate(parent: Any, key: Any, rng: random.Random) -> None:
    old = parent[key]
    act = rng.choice(["odd", "odd", "odd", "delete", "rename", "nest", "scale", "copy", "type"])
    if act == "delete":
        del parent[key]
    elif act == "rename" and isinstance(parent, dict):
        name = str(key)
        at = rng.randrange(len(name) + 1)
        new = name[:at] + rng.choice(["", "x", "_", ".", "é", " ", "\n"]) + name[at + 1 :]
        parent[new] = parent.pop(key)
    elif act == "nest":
        parent[key] = rng.choice([[old], {"x": old}, {str(key): old}, [old, old]])
    elif act == "scale" and isinstance(old, (int, float)) and not isinstance(old, bool):
        parent[key] = rng.choice([-old, old * 1e3, old * 1e-3, old + 0.1, old * 10**9, int(old)])
    elif act == "copy" and isinstance(old, list) and old:
        old.append(copy.deepcopy(rng.choice(old)))
    elif act == "type":
        parent[key] = str(old) if not isinstance(old, str) else rng.choice([[old], 5, old.upper()])
    else:
        parent[key] = rng.choice(ODD)


def write(file: Path, data: dict[str, Any], rng: random.Random) -> None:
    """As JSON most of the time (which is YAML, and quick to write), and sometimes with bytes broken."""
    if any(isinstance(x, bytes) for x in walk(data)) or rng.random() < 0.1:
        text = yaml.dump(data, Dumper=yaml.CSafeDumper, allow_unicode=True)
    else:
        text = json.dumps(data)
    if rng.random() < 0.05:
        at = rng.randrange(len(text) + 1)
        text = (
            text[:at]
            + rng.choice(["{", "}", ":", "\t", "'", '"', "\x00", "- ", "&a ", "*a", "!!x "])
            + text[at:]
        )
    file.write_text(text, encoding="utf-8")


def walk(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [x for inner in value.values() for x in walk(inner)]
    if isinstance(value, list):
        return [x for inner in value for x in walk(inner)]
    return [value]


@pytest.mark.slow
@pytest.mark.parametrize(
    "part", [pytest.param(part, marks=pytest.mark.fifth(part)) for part in range(PARTS)]
)
def test_ten_thousand_mutated_specs(part: int, tmp_path: Path) -> None:
    try_many(tmp_path, part, whole=960, composed=40)


def test_some_mutated_specs(tmp_path: Path) -> None:
    """Others in each turn of CI."""
    try_many(tmp_path, 100 + read_turn().number, whole=190, composed=10)


def try_many(folder: Path, seed: int, whole: int, composed: int) -> None:
    """Mutate whole specs, and those that Hydra composes; every one must end well."""
    rng = random.Random(seed)
    found = {"planned": 0, "refused": 0}
    file = folder / "spec.yaml"
    for bases_, count in ((bases(), whole), (OWN, composed)):
        for _ in range(count):
            write(file, mutated(rng.choice(bases_), rng), rng)
            found[outcome(file, counted=rng.random() < 0.25)] += 1
    # a mutation that never or always hurts would test nothing
    assert found["planned"] > 0.02 * (whole + composed), found
    assert found["refused"] > 0.3 * (whole + composed), found


def outcome(file: Path, counted: bool) -> str:
    """How it ended; counting the work of all of them takes twice the time."""
    try:
        with bounded() if counted else contextlib.nullcontext():
            study = load_study([str(file)])
            plan = compile_study(study.specs)
            lint(study, plan)
            expected(study, plan)
    except SpecError as error:
        text = str(error)
        assert text.isprintable() and len(text) < 3100, text
        assert error.where and error.message, text
        result = "refused"
    except Exception as error:  # what would be a traceback for a user
        raise AssertionError(
            f"{type(error).__name__} on\n{file.read_text(encoding='utf-8')[:3000]}"
        ) from error
    else:
        result = "planned"
    return result


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["quickstart", "modle=nequip_laptop"], "did you mean 'model'"),
        (["quickstart", "model=nequip_latop"], "did you mean 'nequip_laptop'"),
        (["quickstart", "dataset.frame=5"], "did you mean 'frames'"),
        (["quikstart"], "did you mean 'quickstart'"),
        (["quickstart", "system.ions.Li=lii"], "did you mean 'li'"),
        (["quickstart", "lint.silence={energy-spam: x}"], "did you mean 'energy-span'"),
    ],
)
def test_did_you_mean(words: list[str], part: str) -> None:
    with pytest.raises(SpecError, match=part):
        study = load_study(words)
        lint(study, compile_study(study.specs))


def test_the_bases_are_valid(tmp_path: Path) -> None:
    for data in bases():
        (tmp_path / "x.yaml").write_text(json.dumps(data), encoding="utf-8")
        assert load([str(tmp_path / "x.yaml")]).name


WORDS = [
    "~", "=", "==", "=5", "~=", "+", "+=1", "+x=1", "++a.b=", "model@pkg=nequip_laptop", "a=[",
    "a={", "a=}", "model.r_max=", "model.r_max", "model.seeds.0=3", "model.seeds.9=3",
    "model.seeds.-1=2", "model.seeds.x=2", "model.seeds=[1,2", "~model", "~model.r_max",
    "~model.r_max=4", "~nothing", "model=", "model=null", "model=[nequip_laptop]", "model={a: 1}",
    "scale=laptop,smoke", "model.r_max=4,5", "model.r_max=range(1)", "model.r_max=range(1,2,3,4)",
    "model.r_max=choice()", "model.r_max=sort(5,4)", "model.r_max=tag(a,choice(4,5))",
    "model.r_max=shuffle(4,5)", "model.r_max=interval(1,2)", "model.r_max=glob(*)",
    "model=glob(*)", "model.r_max=int(4)", "model.r_max='4'", "model.r_max=\"4\"",
    "model.r_max=1e400", "model.r_max=-nan", "model.r_max=inf", "model.max_steps=" + "9" * 5000,
    "model.max_steps=1e30", "name=a/b", "name=../x", "name=''", "store=", "store=''",
    "store=null", "store=\0", "tracking.uri=null", "cluster=", "cluster=debug,local",
    "sweep.model.r_max=[4,5]", "sweep=5", "sweep=null", "sweep={model.r_max: [4]}", "points=5",
    "points=[{}]", "frozen=5", "frozen={}", "defaults=[]", "hydra=5", "hydra.run.dir=x",
    "hydra/launcher=basic", "lint=null", "lint.silence.energy-span=x", "analysis=null",
    "system=null", "system.ions=null", "system.ions.Li=null", "system.salts={}",
    "compositions.salts=[]", "compositions.fractions=[]", "compositions.training=[[]]",
    "compositions.pairs=0", "compositions.pairs=99999999999999999999", "ünï=1", "a.b.c.d.e.f=1",
    ".=1", "..=1", "a..b=1", "model..r_max=4", "model.=4", "model.loss=5", "model.loss.force.x=5",
    "model.native={a: {b: 1}}", "_self_=1",
]  # fmt: skip


@pytest.mark.parametrize("multirun", [False, True])
@pytest.mark.parametrize("word", WORDS)
def test_odd_words(word: str, multirun: bool) -> None:
    """Whatever is typed: a study, or one line that says where it went wrong."""
    try:
        with bounded():
            study = load_study(["quickstart", word], multirun=multirun)
            lint(study, compile_study(study.specs))
    except SpecError as error:
        assert str(error).isprintable() and error.where
