"""Sweeps: what they stand for, that each point is what Hydra itself would compose, and their limits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from counted import bounded
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ilmlip.errors import SpecError
from ilmlip.spec.load import load, load_study
from ilmlip.spec.shipped import options, shipped

QUICK = ["quickstart"]


def write(path: Path, sweep: object, **more: object) -> str:
    defaults = ["config", "_self_", {"scale": "laptop"}, {"override compositions": "fifths"}]
    path.write_text(
        yaml.safe_dump({"defaults": defaults, "name": "x", "sweep": sweep, **more}),
        encoding="utf-8",
    )
    return str(path)


def labels(*words: str, multirun: bool = True) -> list[str]:
    return [point.label() for point in load_study(words, multirun=multirun).points]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["model.r_max=4,5"], ["model.r_max=4", "model.r_max=5"]),
        (["model.r_max=range(4,7)"], ["model.r_max=4", "model.r_max=5", "model.r_max=6"]),
        (["model.r_max=range(4,5.5,0.5)"], ["model.r_max=4.0", "model.r_max=4.5", "model.r_max=5.0"]),
        (["model.l_max=choice(1,2)"], ["model.l_max=1", "model.l_max=2"]),
        (["model=nequip_laptop,nequip_smoke"], ["model=nequip_laptop", "model=nequip_smoke"]),
        (["model=glob(nequip_*,exclude=*classical)"], ["model=nequip_laptop", "model=nequip_smoke"]),
        (
            ["model.r_max=4,5", "model.loss={force:1},{force:2}"],
            [
                'model.r_max=4 model.loss={"force":1}', 'model.r_max=4 model.loss={"force":2}',
                'model.r_max=5 model.loss={"force":1}', 'model.r_max=5 model.loss={"force":2}',
            ],
        ),
    ],
)  # fmt: skip
def test_hydras_syntax(words: list[str], expected: list[str]) -> None:
    assert labels("quickstart", *words) == expected


def test_four_by_two_by_three() -> None:
    study = load_study(
        [*QUICK, "model.r_max=4,5,6,7", "model.l_max=1,2", "model.loss.stress=1,10,100"],
        multirun=True,
    )
    assert len(study.points) == 24
    assert study.points[-1].spec.model.r_max == 7
    assert study.points[-1].spec.model.loss.stress == 100
    assert study.swept() == ("model.r_max", "model.l_max", "model.loss.stress")
    assert all(point.spec.system is study.spec.system for point in study.points)


def test_a_sweep_in_the_file(tmp_path: Path) -> None:
    sweep = {"model.r_max": [4, 5], "model.l_max": "1,2", "model.seeds": [[1], [1, 2]]}
    file = write(tmp_path / "s.yaml", sweep)
    study = load_study([file])
    assert len(study.points) == 8
    assert {p.spec.model.seeds for p in study.points} == {(1,), (1, 2)}


def test_a_sweep_over_one_value_sets_it(tmp_path: Path) -> None:
    sweep = {"model.r_max": [4.5], "model": ["allegro_laptop"], "dataset.seed": "7"}
    (point,) = load_study([write(tmp_path / "s.yaml", sweep)]).points
    assert (point.spec.model.r_max, point.spec.model.architecture) == (4.5, "allegro")
    assert point.spec.dataset.seed == 7 and point.swept["model.r_max"] == 4.5


def test_the_command_line_wins_over_the_files_sweep(tmp_path: Path) -> None:
    file = write(tmp_path / "s.yaml", {"model.r_max": [4, 5], "model.l_max": "1,2"})
    assert labels(file, "model.r_max=6") == ["model.l_max=1", "model.l_max=2"]
    assert load_study([file, "model.r_max=6"]).spec.model.r_max == 6
    assert len(labels(file, "model.r_max=6,7,8")) == 6


def test_a_sweep_over_groups_and_their_fields(tmp_path: Path) -> None:
    found = load_study(
        [*QUICK, "model=nequip_laptop,allegro_laptop", "model.r_max=4,5", "scale=laptop,smoke"],
        multirun=True,
    )
    assert len(found.points) == 8
    seen = {
        (p.spec.model.architecture, p.spec.model.r_max, p.spec.dataset.frames) for p in found.points
    }
    assert seen == {(a, r, f) for a in ("nequip", "allegro") for r in (4, 5) for f in (50, 5)}


FIELDS = {
    "model.r_max": st.floats(2, 9, allow_nan=False).map(lambda x: round(x, 3)),
    "model.l_max": st.integers(0, 3),
    "model.n_layers": st.integers(1, 4),
    "model.loss": st.fixed_dictionaries({"force": st.integers(1, 9)}, optional={"energy": st.just(2)}),
    "model.loss.energy": st.floats(0.1, 100).map(lambda x: float(f"{x:.3g}")),
    "model.seeds": st.lists(st.integers(0, 99), min_size=1, max_size=3, unique=True),
    "model.gradient_clip": st.sampled_from([None, 1, 2.5]),
    "model.schedule": st.sampled_from(["cosine", "constant"]),
    "model.linear": st.booleans(),
    "model": st.sampled_from(["nequip_laptop", "allegro_laptop", "nequip_smoke"]),
    "dataset.frames": st.sampled_from([20, 30, 40]),
    "compositions.training": st.sampled_from([[[0.4]], [[0.4], [0.2, 0.6]]]),
    "scale": st.just("laptop"),
    "description": st.sampled_from(["plain", "with space", "a=b", "x,y", "${name}", "ünï", "1e3"]),
    "system.charge_scale": st.sampled_from([0.7, 0.8, 1]),
}  # fmt: skip


def text(value: object) -> str:
    """A value in Hydra's grammar."""
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    if isinstance(value, list):
        return "[" + ",".join(map(text, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{k}:{text(v)}" for k, v in value.items()) + "}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)


@st.composite
def sweeps(draw: st.DrawFn) -> list[str]:
    """Random words: some fixed, some swept, in any order."""
    keys = draw(st.lists(st.sampled_from(list(FIELDS)), min_size=1, max_size=3, unique=True))
    words = []
    for key in keys:
        values = draw(st.lists(FIELDS[key], min_size=1, max_size=3, unique_by=repr))
        plain = key in ("model", "scale")
        words.append(f"{key}=" + ",".join(str(v) if plain else text(v) for v in values))
    return words


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
@given(words=sweeps())
def test_each_point_is_what_hydra_composes(words: list[str]) -> None:
    """Our expansion against Hydra's own sweeper for the points and its own compose for each."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    points = load_study(["compositions=fifths", *words], multirun=True).points
    parsed = OverridesParser.create().parse_overrides(["compositions=fifths", *words])
    (batch,) = BasicSweeper.split_arguments(parsed, None)
    assert len(points) == len(batch)
    for point, job in zip(points, batch, strict=True):
        assert point.spec == load(hydras_own(job))


def hydras_own(job: list[str]) -> list[str]:
    """What Hydra composes of a job's words, as a single file without a defaults list."""
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    marked = [
        word if word.split("=")[0] in ("model", "compositions") else
        f"+{word}" if word.startswith("scale=") else f"++{word}"
        for word in job
    ]  # fmt: skip
    with initialize_config_dir(str(shipped("conf")), version_base="1.3"):
        data = OmegaConf.to_container(compose("config", marked), resolve=True)
    file = Path(hydras_own.folder) / "one.yaml"  # type: ignore[attr-defined]
    file.write_text(json.dumps(data), encoding="utf-8")
    return [str(file)]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path) -> None:
    hydras_own.folder = tmp_path  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["model.r_max=range(0,1000000000)"], "1e+09 values"),
        (["model.r_max=range(1,2000)", "model.learning_rate=range(0.001,0.5,0.001)"], "points"),
        (["model.r_max=4,-5"], "model.r_max=-5"),
        (["model.r_max=4,5", "model.r_mx=1,2"], "did you mean 'r_max'"),
        (["name=a,b"], "can't be swept"),
        (["cluster.cores=1,2"], "can't be swept"),
        (["model=nequip_laptop,nequip_latop"], "did you mean 'nequip_laptop'"),
        (["model=glob(nothing*)"], "matches nothing"),
        (["model.r_max=glob(*)"], "config group"),
        (["model.r_max=interval(4,7)"], "hydra/sweeper=optuna"),
        (["model.r_max=range(1,5,0)"], "never ends"),
        (["model.r_max=4,${oc.env:HOME}"], "resolver"),
        (["model.loss=1,{force:2}"], "model.loss"),
        (["hydra.sweeper.params.x=1,2"], "Hydra's own settings"),
    ],
)
def test_what_is_no_sweep(words: list[str], part: str) -> None:
    with pytest.raises(SpecError) as error:
        load_study([*QUICK, *words], multirun=True)
    assert part in str(error.value)


def test_without_m_a_sweep_is_a_mistake() -> None:
    with pytest.raises(SpecError, match="add -m"):
        load_study([*QUICK, "model.r_max=4,5"])


def test_a_files_sweep_that_is_wrong_names_its_line(tmp_path: Path) -> None:
    file = write(tmp_path / "s.yaml", {"model.r_max": [4, -5]})
    with pytest.raises(SpecError) as error:
        load_study([file])
    assert f"{file}:" in str(error.value) and "sweep.model.r_max (model.r_max=-5)" in str(
        error.value
    )


POINTS = [{"model.r_max": 4, "model.l_max": 2}, {"model.r_max": 5, "model.l_max": 1}]


def test_a_list_of_points_is_no_product(tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", POINTS)
    assert labels(file) == ["model.l_max=2 model.r_max=4", "model.l_max=1 model.r_max=5"]
    specs = load_study([file]).specs
    assert [(s.model.r_max, s.model.l_max) for s in specs] == [(4, 2), (5, 1)]
    assert labels(file, "model.r_max=6") == ["model.l_max=2", "model.l_max=1"]
    more = labels(file, "model.batch_size=1,2")
    assert len(more) == 4 and more[0] == "model.l_max=2 model.r_max=4 model.batch_size=1"


def test_options_of_a_group_in_a_list_of_points(tmp_path: Path) -> None:
    points = [
        {"model": "nequip_laptop", "model.r_max": 5},
        {"model": "allegro_laptop", "model.r_max": 6},
        {"model": "allegro_laptop", "model.r_max": 7},
    ]
    file = write(tmp_path / "a.yaml", points)
    found = [(s.model.architecture, s.model.r_max) for s in load_study([file]).specs]
    assert found == [("nequip", 5), ("allegro", 6), ("allegro", 7)]
    assert labels(file, "model.r_max=6") == ["model=nequip_laptop", "model=allegro_laptop"]


def test_listed_points_that_become_one(tmp_path: Path) -> None:
    points = [{"model.r_max": 4, "model.l_max": 2}, {"model.r_max": 5, "model.l_max": 2}]
    assert labels(write(tmp_path / "a.yaml", points), "model.r_max=6") == ["model.l_max=2"]


@pytest.mark.parametrize(
    ("points", "part"),
    [
        ([4], "give each point"),
        ([POINTS[0], {"model.r_max": 4}], "point 1 sets model.r_max, and the first"),
        ([{"model": "nequip_laptop"}, {"model": "nequi"}], "could not find 'model/nequi'"),
        ([{"store": "x"}], "can't be swept"),
        ([{"hydra.x": 1}], "is no field"),
    ],
)
def test_a_list_that_is_wrong(tmp_path: Path, points: object, part: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_study([write(tmp_path / "a.yaml", points)])
    assert part in str(caught.value) and "a.yaml" in str(caught.value)


def test_a_huge_sweep_is_refused_at_once(tmp_path: Path) -> None:
    sweep = dict.fromkeys(("model.r_max", "model.max_steps", "model.batch_size"), "range(0,1000)")
    with bounded(4), pytest.raises(SpecError, match="1,000,000,000 points"):
        load_study([write(tmp_path / "s.yaml", sweep)])


def test_options_beside_a_spec_come_first(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    own = shipped("conf") / "model" / "nequip_laptop.yaml"
    (tmp_path / "model" / "mine.yaml").write_text(
        own.read_text(encoding="utf-8").replace("r_max: 4.0", "r_max: 3.0"), encoding="utf-8"
    )
    file = write(tmp_path / "s.yaml", {"model": "mine,nequip_laptop"})
    assert [p.spec.model.r_max for p in load_study([file]).points] == [3, 4]
    assert "mine" in options("model", tmp_path)
