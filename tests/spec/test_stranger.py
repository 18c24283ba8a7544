"""A spec from a stranger is data: what it may not do, each tried."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from counted import bounded

from ilmlip.errors import SpecError
from ilmlip.spec.load import load, load_study
from ilmlip.spec.yaml_file import MAX_BYTES, read_yaml

HEAD = "defaults: [config, _self_, {scale: laptop}, {override compositions: fifths}]\nname: x\n"


def refused(folder: Path, text: str, *words: str, allow: tuple[str, ...] = ()) -> str:
    file = folder / "spec.yaml"
    file.write_text(text, encoding="utf-8")
    with bounded(4), pytest.raises(SpecError) as error:
        load_study([str(file), *words], allow=allow)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("section", "part"),
    [
        ("model: {_target_: os.system, command: touch pwned}", "model._target_"),
        ("analysis: {findings: {_target_: os.system}}", "_target_"),
        ("system: {ions: {Li: {_args_: [1]}}}", "_args_"),
        ("description: ${oc.env:HOME}", "resolver"),
        ("description: ${oc.decode:${oc.env:HOME}}", "resolver"),
        ("description: ${${name}:HOME}", "resolver"),
        ("a: oc.env\ndescription: ${${a}:HOME}", "resolver"),
        ("description: ${hydra:runtime.cwd}", "resolver"),
        ("description: ${oc.create:x}", "resolver"),
        ("sweep: {description: ['${oc.env:HOME}']}", "resolver"),
        ("sweep: {description: 'a,${oc.env:HOME}'}", "resolver"),
        ("sweep: {hydra.run.dir: [1, 2]}", "is no field"),
        ("sweep: {model._target_: [a, b]}", "unknown key '_target_'"),
        ("hydra: {sweeper: {_target_: os.system}}", "hydra.sweeper._target_"),
        ("hydra: {run: {dir: /tmp}}", "Hydra's own settings"),
        ("store: /somewhere/else", "store=/somewhere/else"),
        ("store: ../up", "leads out"),
        ("tracking: {uri: 'http://stranger.example'}", "stranger.example"),
        ("tracking: {uri: 'sqlite:////tmp/x.db'}", "leads out"),
        ("tracking: {uri: 'file:///tmp'}", "--allow"),
        ("system: {ions: {Li: /etc/passwd.yaml}}", "leads out"),
        ("system: {ions: {Li: ../../li.yaml}}", "leads out"),
        ("description: !!python/object/apply:os.system ['touch pwned']", "YAML tag"),
        ("description: !!binary aGFsbG8=", "YAML tag"),
        ("description: !include other.yaml", "YAML tag"),
        ("description: !!python/object/apply:pathlib.Path [x]", "YAML tag"),
    ],
)
def test_refused_with_its_place(tmp_path: Path, section: str, part: str) -> None:
    text = refused(tmp_path, HEAD + section + "\n")
    assert part in text and "spec.yaml" in text
    assert not (tmp_path / "pwned").exists() and not Path("pwned").exists()


@pytest.mark.parametrize(
    "entry",
    [
        "../secret", "/etc/passwd", "file:///etc/passwd", "pkg://os", "{model: ../../x}",
        "{model: '${oc.env:X}'}", "{override /hydra/launcher: evil}", "{hydra/job_logging: none}",
        "{nothing: x}", "[config]", "5",
    ],
)  # fmt: skip
def test_defaults_read_nothing_from_elsewhere(tmp_path: Path, entry: str) -> None:
    assert "defaults.1" in refused(tmp_path, f"defaults:\n  - config\n  - {entry}\nname: x\n")


def test_defaults_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("defaults: [spec, _self_]\nname: y\n", encoding="utf-8")
    text = refused(tmp_path, "defaults: [other, _self_]\nname: x\n")
    assert "each other" in text


def test_a_group_beside_the_spec_may_not_leave_either(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "evil.yaml").write_text(
        "defaults: [/../../x]\n_target_: os.system\n", encoding="utf-8"
    )
    text = refused(tmp_path, "defaults: [config, {override model: evil}, _self_]\nname: x\n")
    assert "evil.yaml" in text


def test_the_environment_is_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever gets past our own check finds no resolver."""
    from ilmlip.spec import compose

    monkeypatch.setattr(compose, "check_data", lambda *_: None)
    monkeypatch.setenv("SECRET", "secret")
    with pytest.raises(SpecError) as error:
        compose.resolve({"a": "${oc.env:SECRET}"}, "x")
    assert "secret" not in str(error.value)
    assert os.environ["SECRET"] == "secret"


def test_what_the_command_line_allows(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    away = tmp_path / "away"
    away.mkdir()
    file.write_text(
        HEAD + f"store: {away}/store\ntracking: {{uri: 'http://mine:5000'}}\n", encoding="utf-8"
    )
    study = load_study([str(file)], allow=[str(away), "http://mine:5000"])
    assert study.spec.store == f"{away}/store"
    assert load([str(file), f"store={away}", "tracking.uri=http://mine:5000"]).store == str(away)


def test_a_link_out_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "store").symlink_to("/tmp")
    assert "leads out" in refused(tmp_path, HEAD + "store: store/x\n")


def test_size_depth_and_aliases_are_bounded(tmp_path: Path) -> None:
    assert "bytes" in refused(tmp_path, "a: " + "x" * MAX_BYTES)
    assert "nested" in refused(tmp_path, "a: " + "[" * 5000 + "]" * 5000)
    deep = "".join(f"{'  ' * i}a{i}:\n" for i in range(100))
    assert "nested" in refused(tmp_path, deep)
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
    )
    assert "values" in refused(tmp_path, laughs)
    assert "itself" in refused(tmp_path, "a: &a [*a]\n")


def test_a_sweep_is_counted_before_it_is_expanded(tmp_path: Path) -> None:
    keys = ("model.r_max", "model.max_steps", "model.batch_size")
    text = refused(tmp_path, HEAD + yaml.safe_dump({"sweep": dict.fromkeys(keys, "range(0,1000)")}))
    assert "1,000,000,000 points" in text


def test_plain_yaml_reads_as_omegaconf_reads_it(tmp_path: Path) -> None:
    from omegaconf import OmegaConf

    text = (
        "a: 1e5\nb: 1.0e-6\nc: 012\nd: 0x1f\ne: 1_000\nf: yes\ng: null\nh: ~\ni: 2020-01-01\n"
        "j: .5\nk: 1:30\nl: '1e5'\nm: [1, -2.5, .inf]\nn: {x: {y: z}}\no: on\np: 1.\nq: +3\n"
    )
    file = tmp_path / "x.yaml"
    file.write_text(text, encoding="utf-8")
    assert read_yaml(file) == OmegaConf.to_container(OmegaConf.load(file))
