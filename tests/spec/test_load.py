"""Specs from files and overrides; every mistake is one located message."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from together import beside

from ilmlip.errors import SpecError
from ilmlip.spec.load import load
from ilmlip.spec.shipped import groups, shipped

QUICK = ["quickstart"]


def message(*words: str) -> str:
    with pytest.raises(SpecError) as error:
        typed = words and ("=" in words[0] or words[0].startswith("~"))
        load([*QUICK, *words] if typed else list(words))
    text = str(error.value)
    assert "\n" not in text and "Traceback" not in text
    return text


def test_quickstart_states_what_the_readme_says() -> None:
    spec = load(QUICK)
    assert spec.name == "quickstart"
    assert spec.compositions.pairs == 5
    assert spec.compositions.fractions == (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    assert spec.compositions.training == ((0.4,), (0.4, 0.6))
    assert len(spec.model.seeds) == 3
    assert spec.sampling.temperature == 300 and spec.sampling.timestep == 1.0


def test_a_path_and_a_bare_name_are_the_same() -> None:
    assert load([str(shipped("experiments") / "quickstart.yaml")]) == load(QUICK)


def test_a_folder_of_a_fields_name_beside_the_spec(tmp_path: Path) -> None:
    """After a first run a folder store/ lies there; Hydra would take store=other for a group."""
    (tmp_path / "store").mkdir()
    file = write(tmp_path / "mine.yaml", {"defaults": ["config", "_self_"], "name": "x"})
    assert load([file, "store=other"]).store == "other"


def test_a_field_can_be_taken_out() -> None:
    assert load(QUICK).lint.silence
    assert not load([*QUICK, "~lint"]).lint.silence
    assert "lint.nothing" in message("~lint.nothing")


def test_overrides_and_groups() -> None:
    spec = load([*QUICK, "model.r_max=6", "cluster=debug", "model=allegro_laptop"])
    assert spec.model.r_max == 6
    assert spec.cluster.executor == "debug"
    assert spec.model.architecture == "allegro"


def test_a_field_that_stands_in_no_file_can_be_set() -> None:
    assert load([*QUICK, "dataset.quorum=0.5"]).dataset.quorum == 0.5


def test_overrides_alone_compose_the_defaults() -> None:
    spec = load(["name=mine", "compositions=fifths", "dataset.frames=30"])
    assert spec.name == "mine" and spec.compositions.pairs == 5


def test_scale_with_overrides_alone() -> None:
    assert load(["compositions=fifths", "scale=smoke"]).dataset.frames == 5
    assert load(["compositions=fifths", "scale=smoke", "dataset.frames=4"]).dataset.frames == 4


@pytest.mark.parametrize("group", [g for g in groups() if g not in ("ion",)])
def test_every_option_of_every_group_is_valid(group: str) -> None:
    for option in sorted((shipped("conf") / group).glob("*.yaml")):
        extra = beside(f"{group}={option.stem}")
        if option.stem == "tenths":
            extra.append("compositions.pairs=20")
        if group == "compositions":
            extra.append("analysis=none")
        if group == "dataset":
            extra += ["sampling.duration=8e7", "sampling.interval=2e4"]
        if group == "system":
            extra.append("analysis=none")
        load([*QUICK, f"{group}={option.stem}", *extra])


def test_the_defaults_compose() -> None:
    assert load([]).compositions.pairs == 20


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["model.rmax=3"], ["model.rmax=3", "unknown key 'rmax'", "did you mean 'r_max'", "l_max"]),
        (["model.r_max=-1"], ["model.r_max=-1", "found -1", "greater than 0", "Å"]),
        (["model.r_max=0"], ["greater than 0"]),
        (["model.r_max=1e308"], ["less than or equal to 1000", "Å"]),
        (["model.r_max=abc"], ["found 'abc'", "number"]),
        (["compositions.training=[[0.5]]"], ["0.5 of 5 ion pairs is 2.5 pairs", "0.0, 0.2, 0.4"]),
        (["compositions.fractions=[1.2]"], ["1.2", "less than or equal to 1"]),
        (["compositions.fractions=[-0.2]"], ["-0.2", "greater than or equal to 0"]),
        (["system.ions.EMIM=emin"], ["unknown ion 'emin'", "did you mean 'emim'", "pf6"]),
        (["system.ions.EMIM=no/such.yaml"], ["no such file", "no/such.yaml"]),
        (["system.salts.LiPF6.ions.Li=2"], ["system.salts.LiPF6", "do not cancel", "+1 e"]),
        (["system.salts.LiPF6.ions.Na=1"], ["unknown ion 'Na'", "EMIM, Li, PF6"]),
        (["model=nequp_laptop"], ["model/nequp_laptop", "nequip_laptop"]),
        (["dataset.frames=500"], ["dataset.frames", "at most 60 frames", "sampling.duration"]),
        (["sampling.interval=0.3"], ["sampling.interval", "whole number of steps"]),
        (["cluster.stages={labels: {cores: 2}}"], ["cluster.stages", "'label'"]),
        (["model.seeds=[1,1]"], ["model.seeds", "twice"]),
        (["compositions.salts=[LiPF6,LiPF6]"], ["compositions.salts", "twice"]),
        (["analysis.findings.one=[0.2]"], ["analysis.findings.one", "not a training set"]),
        (["name=${oc.env:HOME}"], ["calls a resolver", "data"]),
        (["++hydra.run.dir=/tmp"], ["not part of a spec"]),
        (["quikstart"], ["did you mean 'quickstart'"]),
        (["nowhere/file.yaml"], ["no such file"]),
        (["quickstart", "foo"], ["'foo' is no override"]),
    ],
)
def test_mistakes_name_place_found_valid(words: list[str], parts: list[str]) -> None:
    text = message(*words)
    for part in parts:
        assert part in text


def write(path: Path, data: object) -> str:
    path.write_text(data if isinstance(data, str) else yaml.safe_dump(data), encoding="utf-8")
    return str(path)


def test_a_mistake_in_a_file_names_its_line(tmp_path: Path) -> None:
    file = write(
        tmp_path / "mine.yaml",
        "defaults: [config, _self_, {scale: smoke}, {override compositions: fifths}]\n"
        "name: mine\nmodel:\n  l_max: 1\n  r_max: 0\n",
    )
    assert f"{file}:5: model.r_max: found 0" in message(file)


def test_a_mistake_in_a_group_names_the_groups_file(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    own = write(
        tmp_path / "model" / "broken.yaml",
        (shipped("conf") / "model" / "nequip_laptop.yaml").read_text(encoding="utf-8")
        + "cutoff: 5\n",
    )
    file = write(
        tmp_path / "mine.yaml", {"defaults": ["config", {"override model": "broken"}, "_self_"]}
    )
    text = message(file)
    assert own in text and "unknown key 'cutoff'" in text


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("name: [unclosed\n", ":2: is not YAML"),
        ("- a\n- list\n", "holds list, not a mapping"),
        ("just text", "holds str"),
        ("", "holds NoneType"),
        ("name: x\n", "is missing"),
        ("name: \x01\n", "is not YAML"),
    ],
)
def test_files_that_are_no_spec(tmp_path: Path, content: str, part: str) -> None:
    assert part in message(write(tmp_path / "bad.yaml", content))


def test_an_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_bytes(b"\xff\xfe\x00name")
    assert "cannot be read" in message(str(tmp_path / "bad.yaml"))


def test_a_single_file_without_defaults_is_a_spec(tmp_path: Path) -> None:
    """What has been resolved once needs nothing from elsewhere."""
    spec = load(QUICK)
    file = write(tmp_path / "whole.yaml", spec.model_dump(mode="json"))
    assert load([file]) == spec


def test_an_ion_by_a_file_beside_the_spec(tmp_path: Path) -> None:
    text = (shipped("conf") / "ion" / "li.yaml").read_text(encoding="utf-8")
    write(tmp_path / "mine.yaml", text.replace("2.126", "2.5"))
    file = write(
        tmp_path / "spec.yaml",
        {
            "defaults": ["config", "_self_"],
            "name": "x",
            "system": {"ions": {"Li": "mine.yaml"}},
        },
    )
    assert load([file]).system.ions["Li"].lj["Li"].sigma == 2.5


def test_a_charge_that_does_not_sum_is_located(tmp_path: Path) -> None:
    text = (shipped("conf") / "ion" / "pf6.yaml").read_text(encoding="utf-8")
    ion = write(tmp_path / "pf6.yaml", text.replace("1.34", "1.30"))
    message_ = message(f"system.ions.PF6={ion}")
    assert ion in message_ and "sum to -1.040000 e" in message_ and "-1 e" in message_
