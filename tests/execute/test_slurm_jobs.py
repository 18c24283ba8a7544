"""How jobs wait, and what they ask of Slurm, without one; the queue's answers read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ilmlip.execute import slurm
from ilmlip.execute.slurm_jobs import (
    CLOSING,
    _plain_environment,
    dependency,
    instead,
    own_id,
    sbatch,
)
from ilmlip.execute.submission import Element, Record, Run, queued, runs
from ilmlip.spec.cluster import Cluster


def test_waits_as_slurm_reads_them() -> None:
    assert dependency(["afterok:12_0", "afterany:14", "afterok:12_3"]) == (
        "afterok:12_0:12_3,afterany:14"
    )
    assert dependency([]) == ""


def test_a_job_that_goes_on_elsewhere_is_waited_for_there() -> None:
    waits = ("afterok:12_0", "afterok:12_1", "afterany:9")
    assert instead(waits, "12_1", "20") == ("afterok:12_0", "afterok:20", "afterany:9")
    assert instead(("afterok:12",), "12_1", "20") == ("afterany:12", "afterok:20")
    assert instead(("afterany:12",), "12_1", "20") == ("afterany:12", "afterany:20")
    assert instead(waits, "13_0", "20") == waits
    assert instead(("afterok:13",), "13", "20") == ("afterok:20",)


def test_the_own_id_of_a_job_and_of_one_of_an_array() -> None:
    assert own_id({"SLURM_JOB_ID": "15"}) == "15"
    array = {"SLURM_JOB_ID": "17", "SLURM_ARRAY_JOB_ID": "15", "SLURM_ARRAY_TASK_ID": "2"}
    assert own_id(array) == "15_2"


def test_what_a_stage_asks_for_over_what_all_ask_for() -> None:
    cluster = Cluster(
        executor="slurm",
        device="cuda",
        slurm={"partition": "long", "account": "chem", "constraint": "avx512", "gpus": 2},
        stages={
            "label": {"cores": 32, "ranks": 8, "memory_gb": 64, "partition": "wide", "account": ""},
            "md": {"gpus": 1},
        },
    )
    label = sbatch(cluster, "label")
    assert label["partition"] == "wide" and "account" not in label
    assert (label["cpus_per_task"], label["additional_parameters"]["ntasks"]) == (4, 8)
    assert label["mem"] == "65536MB" and "gpus_per_node" not in label
    train = sbatch(cluster, "train")
    assert (train["partition"], train["account"], train["constraint"]) == ("long", "chem", "avx512")
    assert train["gpus_per_node"] == 2
    assert sbatch(cluster, "md")["gpus_per_node"] == 1
    assert sbatch(cluster, CLOSING)["additional_parameters"]["ntasks"] == 1


def test_the_modules_of_this_cluster_come_from_its_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text("slurm: {setup: [module load qe]}\n", encoding="utf-8")
    monkeypatch.setenv("ILMLIP_PROFILE", str(profile))
    assert sbatch(Cluster(executor="slurm"), "label")["setup"] == ["module load qe"]


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_an_answer_of_the_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job whose dependency will never come true is no job that anyone can wait for."""
    uid = os.getuid()
    lines = f"12_0|{uid}|RUNNING|None|\\n12_1|{uid}|PENDING|Resources|\\n"
    lines += f"14|{uid}|COMPLETING|None|\\n13|{uid}|PENDING|DependencyNeverSatisfied|\\n"
    program(tmp_path, "squeue", f"printf '{lines}'")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = slurm.queue()
    assert set(found) == {"12_0", "12_1"}
    assert found["12_0"].runs and not found["12_1"].runs
    assert found["12_1"].reason == "Resources"


def test_a_slurm_that_gives_no_answer_says_nothing_of_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "squeue", "echo 'Unable to contact slurm controller' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(slurm.SlurmError, match="squeue failed: Unable to contact"):
        slurm.queue()


def test_without_slurm_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "cluster=local" in slurm.lacks()
    with pytest.raises(slurm.SlurmError, match="login node"):
        slurm.queue()


def test_runs_that_began_in_one_second_are_in_their_order(tmp_path: Path) -> None:
    for name, started in (("20260101-000000-ffff", 5.25), ("20260101-000000-0000", 5.5)):
        Run(tmp_path / "jobs" / name, "study", "k", "", started).write()
    assert [run.started for run in runs(tmp_path)] == [5.25, 5.5]


def test_a_run_is_found_again_from_its_records(tmp_path: Path) -> None:
    run = Run(tmp_path / "jobs" / "20260101-000000-abcd", "study", "k", "sqlite:///x", 5.0)
    run.write()
    elements = (
        Element("12_0", ("label-k1-a", "label-k1-b"), "00001-label.jsonl", 10),
        Element("12_1", ("label-k1-c",), "00002-label.jsonl", 10),
    )
    run.add(Record("12", "label", elements, ("afterok:11",)))
    (run.folder / "00001-label.jsonl").write_text(
        '{"end": "label-k1-a", "state": "done"}\n', encoding="utf-8"
    )
    assert run.records()[0].waits == ("afterok:11",)
    waiting = {"12_0": slurm.Waiting("RUNNING", "None"), "99": slurm.Waiting("RUNNING", "None")}
    found = queued(tmp_path, waiting)
    assert set(found.tasks) == {"label-k1-b"}
    assert found.jobs == {run.name: ["12_0"]}
    run.close("done")
    assert queued(tmp_path, waiting).tasks == {}


LYING = {
    "USER": "nobody",
    "LOGNAME": "nobody",
    "SQUEUE_STATES": "COMPLETED",
    "SQUEUE_USERS": "nobody",
    "SQUEUE_FORMAT": "%j",
    "SLURM_CLUSTERS": "elsewhere",
    "SLURM_TIME_FORMAT": "relative",
    "SBATCH_TIMELIMIT": "1",
    "SCONTROL_ALL": "1",
}
"""What may be in a user's environment and must not change what the queue holds."""


def test_slurm_is_asked_without_the_users_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the process's own numeric id, hidden partitions as well; SLURM_CONF stays."""
    program(tmp_path, "squeue", f'env > {tmp_path}/environment; echo "$@" > {tmp_path}/words')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for name, value in {**LYING, "SLURM_CONF": "/etc/mine.conf"}.items():
        monkeypatch.setenv(name, value)
    slurm.queue()
    given = (tmp_path / "environment").read_text(encoding="utf-8").splitlines()
    options = [line for line in given if line.startswith(("SQUEUE_", "SBATCH_", "SLURM_", "SCON"))]
    assert options == ["SLURM_CONF=/etc/mine.conf"]
    words = (tmp_path / "words").read_text(encoding="utf-8").split()
    assert words[words.index("--user") + 1] == str(os.getuid()) and "--all" in words


def test_a_user_without_a_name_has_jobs_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """squeue refuses a numeric id that has no name, with exit status 0: all jobs are asked for."""
    mine = f"7|{os.getuid()}|PENDING|Priority|\\n"
    other = f"8|{os.getuid() + 1}|PENDING|Priority|\\n"
    program(
        tmp_path,
        "squeue",
        'case "$*" in *--user*) echo "squeue: error: Invalid user: 4242" >&2;; '
        f"*) printf '{mine}{other}';; esac",
    )
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert list(slurm.queue()) == ["7"]


def test_an_error_with_exit_status_zero_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "squeue", "echo 'squeue: error: something is wrong' >&2")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(slurm.SlurmError, match="something is wrong"):
        slurm.queue()


def test_jobs_of_a_store_that_another_user_submitted_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are found by their ids; a job of that id which is none of ilmlip's is not meant."""
    other = os.getuid() + 1
    lines = f"12_0|{other}|RUNNING|None|ilmlip 2026-ab\\n13|{other}|RUNNING|None|theirs\\n"
    program(tmp_path, "squeue", f"case \"$*\" in *--jobs*) printf '{lines}';; esac")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = slurm.queue(["12", "13"])
    assert list(found) == ["12_0"] and not found["12_0"].mine
    assert slurm.queue() == {}


def test_what_is_submitted_gets_none_of_the_users_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the spec leaves open (account …) the user may choose as usual."""
    for name, value in {**LYING, "SBATCH_ACCOUNT": "mine", "SBATCH_PARTITION": "fast"}.items():
        monkeypatch.setenv(name, value)
    with _plain_environment({"partition"}):
        left = {name for name in os.environ if slurm.is_option(name)}
        assert left == {"SBATCH_ACCOUNT"}
    assert os.environ["SBATCH_PARTITION"] == "fast" and os.environ["SQUEUE_USERS"] == "nobody"
