"""Types' defaults < options of the config groups < what files state < the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ilmlip.errors import SpecError
from ilmlip.plan.compile import compile_study
from ilmlip.spec.compose import compose
from ilmlip.spec.defaults import leaves
from ilmlip.spec.load import load, load_study
from ilmlip.spec.shipped import option_file, options, package, shipped
from ilmlip.spec.study import study_data
from ilmlip.spec.words import typed_settings
from ilmlip.spec.yaml_file import read_yaml

README = ["config", "_self_", {"scale": "laptop"}, {"override compositions": "fifths"},
          {"override model": "allegro_laptop"}]  # fmt: skip
"""The defaults list of the README's spec as it once was; `scale` stands after `_self_`."""


FROZEN = {"ilmlip": "0", "scheme": "0", "tools": {}, "study": "x", "keys": {}}


def write(path: Path, **content: Any) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return str(path)


# --- a file over options


@pytest.mark.parametrize("at", [None, *range(5)])
def test_what_a_file_states_wins_wherever_self_stands(tmp_path: Path, at: int | None) -> None:
    defaults: list[Any] = [entry for entry in README if entry != "_self_"]
    if at is not None:
        defaults.insert(at, "_self_")
    file = write(tmp_path / "s.yaml", defaults=defaults, name="x", dataset={"frames": 20})
    spec = load([file])
    assert spec.dataset.frames == 20 and spec.dataset.every == 2  # 50 in scale=laptop, 650 in paper
    plan = compile_study([spec], [{}])
    assert sum(task.stage == "label" for task in plan) == 6 * 20 + 2 * 20


def test_options_of_the_command_line_do_not_win_over_the_file(tmp_path: Path) -> None:
    file = write(tmp_path / "s.yaml", defaults=README, name="x", dataset={"frames": 4})
    assert load([file, "scale=smoke"]).dataset.frames == 4
    assert load([file, "scale=smoke"]).sampling.duration == 1000
    assert load([file, "scale=smoke", "dataset.frames=3"]).dataset.frames == 3
    assert load([file, "dataset=opls"]).dataset.frames == 4
    swept = load_study([file, "scale=laptop,smoke"], multirun=True).specs
    assert [s.dataset.frames for s in swept] == [4, 4]
    assert [s.sampling.duration for s in swept] == [60_000, 1000]


def test_scale_wins_over_other_options_wherever_it_stands(tmp_path: Path) -> None:
    file = write(
        tmp_path / "s.yaml", defaults=[{"scale": "smoke"}, "config", {"model": "allegro_laptop"}]
    )
    assert load([file]).model.max_steps == 10


def test_null_and_whole_lists_replace_an_option(tmp_path: Path) -> None:
    file = write(
        tmp_path / "s.yaml",
        defaults=["config", "_self_", {"override dataset": "opls_vs"}, {"override sampling": "npt"},
                  {"scale": "paper_npt"}],
        dataset={"derived": [{"kind": "frames"}]}, sampling={"temperatures": [310]},
    )  # fmt: skip
    data = compose(Path(file), []).data
    assert data["dataset"]["derived"] == [{"kind": "frames"}]
    assert data["sampling"]["temperatures"] == [310] and data["sampling"]["ensemble"] == "npt"
    file = write(
        tmp_path / "s.yaml", defaults=["config", {"dataset": "active"}], dataset={"active": None}
    )
    assert compose(Path(file), []).data["dataset"]["active"] is None


# --- files that build on files


def test_the_outer_file_wins_over_the_inner_and_both_over_options(tmp_path: Path) -> None:
    write(tmp_path / "inner.yaml", defaults=["config", {"scale": "laptop"}, {"compositions": "fifths"}],
          name="inner", dataset={"frames": 20, "seed": 7}, model={"r_max": 4.5})  # fmt: skip
    outer = {"name": "outer", "dataset": {"frames": 10}}
    file = write(
        tmp_path / "a.yaml", defaults=[{"model": "allegro_laptop"}, "_self_", "inner"], **outer
    )
    spec = load([file])
    assert (spec.name, spec.dataset.frames, spec.dataset.seed) == ("outer", 10, 7)
    assert (spec.model.architecture, spec.model.r_max) == ("allegro", 4.5)
    assert load([file, "scale=smoke", "dataset.frames=5"]).dataset.seed == 7
    assert load([file, "scale=smoke", "dataset.frames=5"]).dataset.frames == 5


def test_a_spec_builds_on_a_shipped_experiment(tmp_path: Path) -> None:
    file = write(
        tmp_path / "mine.yaml", defaults=["hyperparameters"], name="mine", model={"r_max": 5}
    )
    study = load_study([file])
    assert study.spec.name == "mine" and len(study.points) == 6  # r_max is no longer swept
    assert {s.model.r_max for s in study.specs} == {5} and study.spec.model.seeds == (1,)
    assert study.swept() == ("model.l_max", "model.loss.stress")
    file = write(tmp_path / "mine.yaml", defaults=["table_s15", {"override dataset": "rel2"}])
    assert len(load_study([file]).points) == 1
    file = write(tmp_path / "mine.yaml", defaults=["table_s12"], model={"loss": {"stress": 3}})
    assert {s.model.loss.stress for s in load_study([file]).specs} == {3}


def test_a_copy_of_an_experiment_under_its_name_builds_on_the_shipped_one(tmp_path: Path) -> None:
    file = write(tmp_path / "quickstart.yaml", defaults=["quickstart"], dataset={"frames": 9})
    assert load([file]).dataset.frames == 9 and load([file]).name == "quickstart"


def test_a_frozen_file_states_everything(tmp_path: Path) -> None:
    study = load_study(["quickstart", "model.r_max=4,5"], multirun=True)
    file = write(tmp_path / "frozen.yaml", **study_data(study))
    assert load_study([file, "scale=smoke", "model=allegro_laptop"]).specs == study.specs
    # but where it runs was nobody's statement about the study
    shared = write(tmp_path / "shared.yaml", **study_data(study), frozen=FROZEN)
    assert load([shared, "cluster=slurm"]).cluster.executor == "slurm"
    assert load([shared]).cluster.executor == "local"
    outer = write(tmp_path / "outer.yaml", defaults=["frozen"], dataset={"frames": 5})
    with pytest.raises(SpecError, match="points of a frozen study"):
        load([outer])


# --- names that lie beside a spec


def test_the_readmes_spec_may_be_called_config(tmp_path: Path) -> None:
    assert load([write(tmp_path / "config.yaml", defaults=README, name="mine")]).name == "mine"


@pytest.mark.parametrize("folder", ["", "model", "scale", "system", "compositions", "hydra"])
def test_foreign_files_beside_a_spec_change_nothing(tmp_path: Path, folder: str) -> None:
    there = tmp_path / folder
    there.mkdir(exist_ok=True)
    for name in ("config", "model", "scale", "laptop", "fifths", "hydra", "paper", "tenths"):
        (there / f"{name}.yaml").write_text(
            "defaults: [config]\nforeign: [1, 2\n", encoding="utf-8"
        )
    used = {"scale": "laptop", "compositions": "fifths"}.get(folder)
    if used:  # the spec names this option: which of the two is meant is for the user to say
        with pytest.raises(SpecError, match=f"{folder}/{used}.*name of its own"):
            load([write(tmp_path / "s.yaml", defaults=README, name="x")])
        (there / f"{used}.yaml").unlink()
    assert load([write(tmp_path / "s.yaml", defaults=README, name="x")]).sampling.duration == 60_000


def test_own_options_beside_a_spec(tmp_path: Path) -> None:
    write(tmp_path / "model" / "mine.yaml", defaults=["allegro_laptop"], r_max=3.5, max_steps=7)
    file = write(tmp_path / "s.yaml", defaults=[*README[:-1], {"override model": "mine"}], name="x")
    assert load([file]).model.r_max == 3.5 and load([file]).model.architecture == "allegro"
    assert load([file, "model=nequip_laptop"]).model.architecture == "nequip"
    assert load([file, "scale=smoke"]).model.max_steps == 10
    # a copy of a shipped option is that option
    copied = (shipped("conf") / "model" / "nequip_laptop.yaml").read_text(encoding="utf-8")
    (tmp_path / "model" / "nequip_laptop.yaml").write_text(copied, encoding="utf-8")
    assert load([file, "model=nequip_laptop"]).model.architecture == "nequip"


@pytest.mark.parametrize(
    ("own", "part"),
    [
        ({"a": "defaults: [a]\n"}, "name each other"),
        ({"a": "defaults: [b]\n", "b": "defaults: [a]\n"}, "name each other"),
        ({"a": "defaults: [{model: nequip_laptop}]\n"}, "may start from one other option"),
        ({"a": "defaults: 5\n"}, "give a list"),
        ({"a": "defaults: [nowhere]\n"}, "could not find 'model/nowhere'"),
        ({"a": "x: [1\n"}, "is not YAML"),
    ],
)
def test_own_options_that_are_wrong(tmp_path: Path, own: dict[str, str], part: str) -> None:
    (tmp_path / "model").mkdir()
    for name, text in own.items():
        (tmp_path / "model" / f"{name}.yaml").write_text(text, encoding="utf-8")
    plain = write(tmp_path / "p.yaml", defaults=README)
    chosen = write(tmp_path / "s.yaml", defaults=[*README[:-1], {"override model": "a"}])
    for words in ([plain, "model=a"], [chosen]):
        with pytest.raises(SpecError, match=part):
            load(words)


def test_a_group_is_chosen_once_in_a_list(tmp_path: Path) -> None:
    file = write(tmp_path / "s.yaml", defaults=["config", {"scale": "laptop"}, {"scale": "smoke"}])
    with pytest.raises(SpecError, match="scale a second time"):
        load([file])


# --- where a mistake is


def test_a_mistake_is_where_it_was_stated_whatever_was_typed(tmp_path: Path) -> None:
    file = write(tmp_path / "s.yaml", defaults=["config"], model={"r_max": 0})
    for words in ([file], [file, "model=allegro_laptop"], [file, "scale=smoke"]):
        with pytest.raises(SpecError) as error:
            load(words)
        assert error.value.where == f"{file}:4: model.r_max"
    write(tmp_path / "scale" / "own.yaml", model={"r_max": 0})
    (tmp_path / "scale" / "own.yaml").write_text(
        "# @package _global_\nmodel:\n  r_max: 0\n", "utf-8"
    )
    plain = write(tmp_path / "p.yaml", defaults=["config", {"scale": "own"}])
    with pytest.raises(SpecError) as error:
        load([plain])
    assert error.value.where == f"{tmp_path}/scale/own.yaml:3: model.r_max"
    with pytest.raises(SpecError) as error:
        load(["active", "dataset=opls"])  # the sweep is over a part of dataset.active
    assert "sweep.dataset.active.choose" in error.value.where
    assert "dataset.active.rounds" in error.value.where and "is missing" in error.value.message


# --- no dynamics


def test_no_dynamics_whatever_scale_and_file_say_of_it(tmp_path: Path) -> None:
    for words in (["table_s15"], ["table_s15", "scale=laptop_datasets"], ["figure_2"]):
        for spec in load_study([*words, "ensemble=none"]).specs:
            assert not spec.ensemble.runs()
            assert spec.ensemble.temperature is None and spec.ensemble.supercell == (1, 1, 1)
    file = write(
        tmp_path / "s.yaml", defaults=[*README, {"ensemble": "nvt"}], ensemble={"temperature": 350}
    )
    assert load([file]).ensemble.temperature == 350
    assert load([file, "ensemble=none"]).ensemble.temperature is None
    file = write(tmp_path / "s.yaml", defaults=README, ensemble={"temperature": 350})
    with pytest.raises(
        SpecError, match=r"s.yaml:\d+: ensemble.temperature: .*no dynamics.*ensemble=nvt"
    ):
        load([file])


def test_scale_sets_sizes_of_active_learning_only_where_there_is_any() -> None:
    assert load(["model_scans"]).dataset.active is not None
    assert load(["model_scans", "dataset=opls"]).dataset.active is None


# --- any spec at all

FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "name": st.just("stated"),
    "dataset.frames": st.integers(1, 9),
    "dataset.every": st.integers(1, 9),
    "dataset.derived": st.sampled_from([[], [{"kind": "frames"}], None]),
    "dataset.active": st.sampled_from([None, {"rounds": 9}]),
    "sampling.equilibration.time_scale": st.sampled_from([0.25, 0.75]),
    "sampling.duration": st.integers(1, 9),
    "sampling.temperatures": st.sampled_from([[], [301.5]]),
    "compositions.pairs": st.integers(100, 109),
    "compositions.training": st.just([[0.25]]),
    "model.max_steps": st.integers(3, 8),
    "model.seeds": st.sampled_from([[], [41, 42]]),
    "model.loss": st.sampled_from([{"energy": 41}, {"force": 42, "stress": 43}]),
    "model.batch_size": st.just(77),
    "model": st.sampled_from([None, {"r_max": 1.25}]),
    "ensemble.duration": st.integers(1, 9),
    "ensemble.supercell": st.just([3, 1, 1]),
    "ensemble.kind": st.just("nve"),
    "cluster.cores": st.integers(50, 59),
    "lint.silence": st.just({"l-max-md": "stated"}),
}
GROUPS = ("scale", "dataset", "model", "ensemble", "sampling", "compositions", "cluster")


def nested(fields: dict[str, Any]) -> dict[str, Any]:
    """Dotted fields as the mapping that a file holds."""
    content: dict[str, Any] = {}
    for key, value in fields.items():
        *above, last = key.split(".")
        node = content
        for step in above:
            node = node.setdefault(step, {})
        node[last] = value
    return content


@st.composite
def some_fields(draw: st.DrawFn) -> dict[str, Any]:
    """Up to six fields with values, none of which is a part of another."""
    keys = draw(st.lists(st.sampled_from(list(FIELDS)), max_size=6, unique=True))
    kept = [k for k in keys if not any(k.startswith(f"{o}.") for o in keys)]
    return {key: draw(FIELDS[key]) for key in kept}


@st.composite
def files(draw: st.DrawFn, base: str) -> dict[str, Any]:
    """A file: what it states, and its defaults list in any order, with `_self_` anywhere or nowhere."""
    chosen = draw(st.lists(st.sampled_from(GROUPS), max_size=4, unique=True))
    entries: list[Any] = [base]
    for group in chosen:
        word = draw(st.sampled_from(["", "override "]))
        entries.append({word + group: draw(st.sampled_from(list(options(group))))})
    if draw(st.booleans()):
        entries.append("_self_")
    return {"defaults": draw(st.permutations(entries)), **nested(draw(some_fields()))}


def at(data: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        data = data[step]
    return data


def stated_by(content: dict[str, Any]) -> dict[tuple[str, ...], Any]:
    return dict(leaves({k: v for k, v in content.items() if k != "defaults"}))


def overlaps(one: tuple[str, ...], others: Any) -> bool:
    """Whether a path is another's, a part of it or around it."""
    return any(one[: len(o)] == o[: len(one)] for o in others)


@settings(
    max_examples=25, deadline=None, suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)  # fmt: skip
@given(
    inner=files("config"), outer=files("inner"), typed=some_fields(),
    option=st.sampled_from(["scale=smoke", "scale=paper_npt", "dataset=opls", "model=allegro_722"]),
)  # fmt: skip
def test_every_stated_value_is_in_the_result(
    inner: dict[str, Any], outer: dict[str, Any], typed: dict[str, Any], option: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    """Of any spec, whatever its options, their order and what it builds on."""
    folder = tmp_path_factory.mktemp("any")
    write(folder / "inner.yaml", **inner)
    file = folder / "outer.yaml"
    write(file, **outer)
    words = [option, *(f"{key}={word(value)}" for key, value in typed.items() if key != "model")]
    first, last = typed_settings(words[:1], file, False), typed_settings(words, file, False)
    plain, whole = compose(file, first), compose(file, last)
    typed_paths = [tuple(key.split(".")) for key in typed if key != "model"]
    for path in typed_paths:
        for below, value in leaves(typed[".".join(path)]):
            assert at(whole.data, (*path, *below)) == value
    outer_paths, inner_paths = stated_by(outer), stated_by(inner)
    for path, value in outer_paths.items():
        assert at(plain.data, path) == value
        assert overlaps(path, typed_paths) or at(whole.data, path) == value
    for path, value in inner_paths.items():
        if not overlaps(path, outer_paths):
            assert at(plain.data, path) == value
            assert overlaps(path, typed_paths) or at(whole.data, path) == value
    # all else is what the options say, the chosen one of the command line included
    group, name = option.split("=")
    own = option_file(group, name, None, "")
    for path, value in leaves(read_yaml(own)):
        place = (*package(group, own), *path)
        if not overlaps(place, [*outer_paths, *inner_paths, ("defaults",)]) and group == "scale":
            assert at(plain.data, place) == value


def word(value: Any) -> str:
    """A value in the grammar of the command line."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{word(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(word, value)) + "]"
    return "null" if value is None else str(value)


# --- what ships


def test_shipped_experiments_leave_to_scale_what_scale_sets() -> None:
    """So that scale=smoke and scale=laptop shrink them; what they state all the same is on purpose."""
    on_purpose = {
        "hyperparameters": {"model.seeds"},  # one seed of each of 24 models
        "labels_smoke": {"model.seeds", "compositions.pairs"},  # no model, one pair, at any scale
    }
    scaled = set()
    for file in options("scale").values():
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        content.pop("defaults", None)
        scaled |= {".".join(path) for path, _ in leaves(content)}
    for file in sorted(shipped("experiments").glob("*.yaml")):
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        stated = {".".join(path) for path in stated_by(content)}
        may_differ = {"model.linear"}  # false in one scale, and in most experiments
        assert stated & scaled - may_differ == on_purpose.get(file.stem, set()), file.stem


@pytest.mark.parametrize("name", sorted(p.stem for p in shipped("experiments").glob("*.yaml")))
def test_hydra_alone_composes_a_shipped_experiment_to_the_same(name: str) -> None:
    """Their lists are in Hydra's order, too: `_self_` after `scale`, what overrides last."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from omegaconf import OmegaConf

    file = shipped("experiments") / f"{name}.yaml"
    with initialize_config_dir(str(file.parent), version_base="1.3"):
        search = f"hydra.searchpath=['file://{shipped('conf')}']"
        made = OmegaConf.to_container(hydra_compose(name, [search]))
    assert compose(file, []).data == made
