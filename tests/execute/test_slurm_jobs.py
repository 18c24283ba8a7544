"""How jobs wait, and what they ask of Slurm, without one; the queue's answers read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ilmlip.execute import slurm
from ilmlip.execute.slurm_jobs import CLOSING, dependency, instead, own_id, sbatch
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
    lines = "12_0|RUNNING|None\\n12_1|PENDING|Resources\\n14|COMPLETING|None\\n"
    lines += "13|PENDING|DependencyNeverSatisfied\\n"
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
