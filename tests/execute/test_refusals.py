"""What Slurm refuses is told with the field to change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ilmlip.execute.refusals import never_begins, remedy
from ilmlip.spec.cluster import Cluster

CLUSTER = Cluster(
    executor="slurm",
    slurm={"partition": "long", "max_array": 5000, "account": "chem"},
    stages={"label": {"partition": "wide", "memory_gb": 900, "minutes": 9000}},
)
SAID = [
    ("Batch job submission failed: Invalid job array specification", "train",
     "cluster.slurm.max_array (is 5000); this cluster's MaxArraySize is 1001"),
    ("Batch job submission failed: Invalid partition name specified", "train",
     "cluster.slurm.partition (is long) or cluster.stages.train.partition; "
     "this cluster has the partitions: main, gpu"),
    ("invalid partition specified: wide", "label", "cluster.stages.label.partition (is wide)"),
    ("Batch job submission failed: Invalid account or account/partition combination specified",
     "train", "cluster.slurm.account (is chem)"),
    ("Batch job submission failed: Invalid qos specification", "train", "cluster.slurm.qos or"),
    ("Batch job submission failed: Requested time limit is invalid (missing or exceeds some limit)",
     "train", "cluster.slurm.longest_minutes (is 1440) or cluster.stages.train.minutes; this "
     "cluster has the time limits of its partitions: main (2-00:00:00), gpu (1:00:00)"),
    ("Requested time limit is invalid", "label", "cluster.stages.label.minutes (is 9000)"),
    ("Batch job submission failed: Invalid feature specification", "md", "cluster.slurm.constraint"),
    ("Memory specification can not be satisfied; Batch job submission failed: Requested node "
     "configuration is not available", "label", "cluster.stages.label.memory_gb (is 900.0)"),
    ("Batch job submission failed: Requested node configuration is not available", "md",
     "cluster.stages.md.cores or cluster.stages.md.memory_gb"),
    ("Invalid generic resource (gres) specification", "train", "cluster.slurm.gpus (is 1)"),
    ("Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's "
     "size and/or time limits)", "train", "cluster.slurm.max_queued (is 1000)"),
    ("QOSMaxWallDurationPerJobLimit", "train", "cluster.slurm.longest_minutes"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster of two partitions."""
    text = {
        "sinfo": "printf 'main|2-00:00:00\\ngpu|1:00:00\\n'",
        "scontrol": "printf 'ClusterName = x\\nMaxArraySize            = 1001\\n'",
    }
    for name, line in text.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))


@pytest.mark.parametrize(("said", "stage", "what"), SAID)
def test_the_field_is_named(said: str, stage: str, what: str) -> None:
    assert f"change {what}" in remedy(said, stage, CLUSTER)


def test_what_nobody_knows_has_no_remedy() -> None:
    assert remedy("Unable to contact slurm controller (connect failure)", "train", CLUSTER) == ""


def test_jobs_that_only_have_to_wait() -> None:
    assert never_begins("PartitionTimeLimit") and never_begins("QOSMaxWallDurationPerJobLimit")
    for reason in ("Resources", "Priority", "Dependency", "QOSMaxJobsPerUserLimit", "None"):
        assert not never_begins(reason)
