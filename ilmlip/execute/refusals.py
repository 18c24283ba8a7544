"""What Slurm says when it refuses a job, or never starts it, and which field of the spec to change."""

from __future__ import annotations

import contextlib
import re

from ilmlip.execute import slurm
from ilmlip.spec.cluster import Cluster, StageLimits

CAUSES = (
    (r"job array|MaxArraySize", ("max_array",)),
    (r"QOS policy", ("max_queued", "minutes", "qos")),
    (r"unable to accept|MaxSubmitJob", ("max_queued",)),
    (r"account(?!ing)", ("account", "partition")),
    (r"qos specification|InvalidQOS|QOSNotAllowed", ("qos",)),
    (r"time limit|TimeLimit|WallDuration", ("minutes",)),
    (r"feature|BadConstraints", ("constraint",)),
    (r"gres|TRES", ("gpus",)),
    (r"memory|MaxMem", ("memory_gb",)),
    (r"CPU count|More processors|MaxCpu", ("cores",)),
    (r"node configuration|NodeLimit|NodePerJob", ("cores", "memory_gb", "gpus", "constraint")),
    (r"partition", ("partition",)),
)
"""What a message or a reason is about: the first pattern that it holds."""
FOR_EVER = (
    "PartitionTimeLimit", "PartitionNodeLimit", "BadConstraints", "AccountNotAllowed",
    "InvalidAccount", "QOSNotAllowed", "InvalidQOS", "MaxWallDurationPerJobLimit",
    "MaxCpuPerJobLimit", "MaxMemPerJob", "MaxMemoryPerJob", "MaxGRESPerJob", "MaxNodePerJobLimit",
)  # fmt: skip
"""Ends of the reasons for which a job waits until somebody changes it."""


def never_begins(reason: str) -> bool:
    """Whether a job that waits for this reason will not begin by itself."""
    return reason.endswith(FOR_EVER)


def remedy(said: str, stage: str, cluster: Cluster | None = None) -> str:
    """What to change where Slurm says this of a job of a stage; empty if nobody knows.

    With the fields, their values in `cluster`, and what this cluster allows.
    """
    fields = next(
        (names for pattern, names in CAUSES if re.search(pattern, said, re.IGNORECASE)), ()
    )
    if not fields:
        return ""
    shown = [_field(name, stage, cluster) for name in fields]
    return f"change {' or '.join(shown)}{_allowed(fields[0])}"


def _field(name: str, stage: str, cluster: Cluster | None) -> str:
    """A field's place, with the value that counts for the stage."""
    own = None
    if cluster is not None:
        own = next((one for key, one in cluster.stages.items() if key == stage), None)
    if own is not None and getattr(own, name, None) is not None:
        return f"cluster.stages.{stage}.{name} (is {getattr(own, name)})"
    if name == "minutes":
        stated = "" if cluster is None else f" (is {cluster.slurm.longest_minutes})"
        return f"cluster.slurm.longest_minutes{stated} or cluster.stages.{stage}.minutes"
    on_all = "" if cluster is None else getattr(cluster.slurm, name, "")
    stated = "" if on_all in ("", None) else f" (is {on_all})"
    if cluster is not None and not hasattr(cluster.slurm, name):
        return f"cluster.stages.{stage}.{name}"
    if name in StageLimits.model_fields and cluster is not None:
        return f"cluster.slurm.{name}{stated} or cluster.stages.{stage}.{name}"
    return f"cluster.slurm.{name}{stated}"


def _allowed(field: str) -> str:
    """What the cluster allows for a field, as far as it says so."""
    with contextlib.suppress(slurm.SlurmError):
        if field in ("partition", "minutes"):
            found = slurm.partitions()
            listed = [f"{name} ({limit})" if field == "minutes" else name for name, limit in found]
            what = "time limits of its partitions" if field == "minutes" else "partitions"
            return f"; this cluster has the {what}: {', '.join(listed)}" if listed else ""
        if field in ("max_array", "max_queued"):
            name = {"max_array": "MaxArraySize", "max_queued": "MaxJobCount"}[field]
            value = slurm.configured(name)
            return f"; this cluster's {name} is {value}" if value else ""
    return ""
