"""The commands that look: describe, help, --cfg, --info, completion."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from command import ilmlip

from ilmlip.cli import COMMANDS, main
from ilmlip.spec.reference import all_fields, one_liner
from ilmlip.spec.shipped import groups, options


def test_describe_prints_type_unit_and_description(tmp_path: Path) -> None:
    out = ilmlip("describe", "model.r_max", cwd=tmp_path).out
    for part in ("model.r_max", "Cutoff radius", "number (> 0, ≤ 1000)", "Å", "must be given"):
        assert part in out


def test_describe_a_section_an_option_and_everything(tmp_path: Path) -> None:
    section = ilmlip("describe", "model", cwd=tmp_path).out
    assert "model=nequip_laptop: NequIP at laptop size" in section and "model.loss.force" in section
    option = ilmlip("describe", "scale=smoke", cwd=tmp_path).out
    assert "The smallest run" in option and "max_steps: 10" in option
    everything = ilmlip("describe", cwd=tmp_path).out
    assert "dataset.frames" in everything and "cluster: debug, local" in everything


def test_describe_what_is_not_there(tmp_path: Path) -> None:
    answer = ilmlip("describe", "model.rmax", cwd=tmp_path)
    assert answer.code == 2 and "did you mean 'model.r_max'" in answer.err


def test_the_help_of_run_prints_every_field(tmp_path: Path) -> None:
    out = ilmlip("run", "--help", cwd=tmp_path).out
    for path, info in all_fields():
        if "ions.N." not in path:
            assert one_liner(path, info) in out, path


def test_every_field_has_a_type_and_a_description() -> None:
    for path, info in all_fields():
        line = one_liner(path, info)
        assert info.description, path
        assert "typing" not in line and "ilmlip." not in line and "<class" not in line


def test_every_option_has_a_header() -> None:
    from ilmlip.spec.shipped import header

    for group in groups():
        for option, file in options(group).items():
            assert header(file), f"{group}/{option}"


def test_cfg_job_prints_what_hydra_composed(tmp_path: Path) -> None:
    answer = ilmlip("run", "quickstart", "model.r_max=6", "--cfg", "job", cwd=tmp_path)
    data = yaml.safe_load(answer.out)
    assert data["model"]["r_max"] == 6 and data["system"]["ions"]["Li"] == "li"
    assert not (tmp_path / "store").exists()


def test_info(tmp_path: Path) -> None:
    out = ilmlip("plan", "quickstart", "model=allegro_laptop", "--info", cwd=tmp_path).out
    assert "hydra-core 1.3" in out and "model=allegro_laptop" in out and "experiments" in out
    assert "IlmlipLauncher" in out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_no_traceback(command: str, tmp_path: Path) -> None:
    shown = ilmlip(command, "--help", cwd=tmp_path)
    assert shown.code == 0 and f"ilmlip {command}" in shown.out
    wrong = ilmlip(command, "no_such_thing", "x=1", cwd=tmp_path)
    assert wrong.code == 2 and "Traceback" not in wrong.err
    unknown = ilmlip(command, "--nonsense", cwd=tmp_path)
    assert unknown.code == 2 and "unknown option --nonsense" in unknown.err


def completions(line: str, folder: Path) -> set[str]:
    """What a shell is offered, by the protocol that argcomplete's shell code speaks."""
    answers = folder / "answers"
    answers.write_text("", encoding="utf-8")
    environment = {
        **os.environ,
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answers),
        "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
        "_ARGCOMPLETE_COMP_WORDBREAKS": " \t\n",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
    }
    subprocess.run(
        [sys.executable, "-m", "ilmlip.cli"], env=environment, cwd=folder, check=False,
        capture_output=True,
    )  # fmt: skip
    return {word.strip() for word in answers.read_text(encoding="utf-8").split("\n")}


def test_shell_completion(tmp_path: Path) -> None:
    assert {"plan", "run", "lint", "freeze"} <= completions("ilmlip ", tmp_path)
    assert "quickstart" in completions("ilmlip plan qui", tmp_path)
    assert {"model.r_max=", "model.loss.force="} <= completions(
        "ilmlip run quickstart model.", tmp_path
    )
    assert {"model=nequip_laptop", "model=allegro_laptop"} <= completions(
        "ilmlip run quickstart model=", tmp_path
    )


def test_the_answer_may_be_cut_off(tmp_path: Path) -> None:
    """`ilmlip plan … | head -1` is no error of ours."""
    done = subprocess.run(
        f"{sys.executable} -m ilmlip.cli plan quickstart --json | head -c 10",
        shell=True, capture_output=True, text=True, cwd=tmp_path, check=False,
     encoding="utf-8")  # fmt: skip
    assert "Traceback" not in done.stderr and done.stdout


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", ["run --help", "describe model", "plan quickstart --json"])
def test_a_full_stdout_is_one_message(words: str, unbuffered: str, tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ilmlip.cli", *words.split()],
            stdout=full, stderr=subprocess.PIPE, cwd=tmp_path, check=False, encoding="utf-8",
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )  # fmt: skip
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("ilmlip: stdout cannot be written (No space left on device)")


def test_closed_streams_and_a_full_stderr(tmp_path: Path) -> None:
    """With stdout closed the next file would be opened in its place, and filled with the answer."""
    program = f"{sys.executable} -m ilmlip.cli"
    for shell, code in (
        (f"{program} freeze quickstart -o f.yaml >&- 2>&- <&-", 0),
        (f"{program} plan nothing 2>/dev/full", 2),
    ):
        done = subprocess.run(shell, shell=True, cwd=tmp_path, check=False, capture_output=True)
        assert (done.returncode, done.stdout) == (code, b"")
    assert (tmp_path / "f.yaml").read_text(encoding="utf-8").startswith("# A frozen study")


def test_a_deleted_folder_is_one_message(tmp_path: Path) -> None:
    shell = f"mkdir gone; cd gone; rmdir ../gone; {sys.executable} -m ilmlip.cli status quickstart"
    done = subprocess.run(
        shell, shell=True, cwd=tmp_path, check=False, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "the current folder has been deleted; change to one that exists" in done.stderr


@pytest.mark.parametrize("words", ["status quickstart", "plan quickstart", "du quickstart"])
def test_what_the_system_refuses_is_one_message(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*words.split(), f"store={'a' * 300}"]) == 1
    assert "cannot be read or written (File name too long)" in capsys.readouterr().err


def test_outputs_that_cannot_be_written_name_the_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["freeze", "quickstart", "-o", "/sys/kernel/frozen.yaml"]) == 2
    assert "command line: -o /sys/kernel/frozen.yaml: cannot be wr" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    ["plan quickstart", "lint quickstart ~lint", "describe model.r_max", "plan figure_1 --json"],
)
def test_a_locale_without_unicode_changes_nothing(words: str, tmp_path: Path) -> None:
    """Shipped files hold Å and −; what the terminal lacks is shown as `?`, JSON is escaped."""
    answers = [
        subprocess.run(
            [sys.executable, "-m", "ilmlip.cli", *words.split()],
            cwd=tmp_path,
            capture_output=True,
            check=False,
            env=os.environ | {"PYTHONUTF8": utf8, "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"},
        )
        for utf8 in ("0", "1")
    ]
    plain, whole = (answer.stdout.decode() for answer in answers)
    assert [answer.returncode for answer in answers] == [0, 0]
    assert plain == "".join(c if c.isascii() else "?" for c in whole)
