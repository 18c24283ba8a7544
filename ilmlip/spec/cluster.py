"""Where jobs run and runs are logged: nothing of this enters a key."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from ilmlip.record import Record, field
from ilmlip.uri import remember

StageName = Literal[
    "forcefield", "crystal", "build", "equilibrate", "sample", "label", "series", "atom",
    "imported", "dataset", "dataset_report", "series_report", "train", "package",
    "compile_model", "fit_linear", "evaluate", "committee", "matrix", "ion_energies", "parity",
    "start", "md", "lammps_files", "md_report", "observe", "observe_report", "compressibility",
    "md_frames", "validate", "trust", "explore", "choose", "label_chosen", "active_report",
    "findings", "paper", "scan",
]  # fmt: skip
"""The stages that a spec compiles into."""


class StageLimits(Record):
    """What one task of a stage takes on this cluster, where it differs from the stage's own."""

    cores: int | None = field("Cores of one task", ge=1, default=None)
    memory_gb: float | None = field("Memory of one task", unit="GB", gt=0, default=None)
    ranks: int | None = field(
        "MPI ranks that the cores of one task are shared among (Slurm: tasks)", ge=1, default=None
    )
    minutes: int | None = field(
        "Slurm: time limit of a job; null: from the estimate", unit="min", ge=1, default=None
    )
    partition: str | None = field("Slurm: partition", default=None)
    account: str | None = field("Slurm: account", default=None)
    qos: str | None = field("Slurm: quality of service", default=None)
    constraint: str | None = field("Slurm: features that the node must have", default=None)
    gpus: int | None = field("Slurm: GPUs of one task", ge=0, default=None)


class Slurm(Record):
    """How a plan becomes Slurm's jobs."""

    partition: str = field("Partition; empty: the cluster's default", default="")
    account: str = field("Account; empty: the user's default", default="")
    qos: str = field("Quality of service; empty: the default", default="")
    constraint: str = field("Features that the nodes must have; empty: none", default="")
    gpus: int = field("GPUs of one training with cluster.device=cuda", ge=0, default=1)
    slack: float = field("Time limit over the estimated time of a job", gt=0, default=3.0)
    least_minutes: int = field("Shortest time limit of a job", unit="min", ge=1, default=10)
    longest_minutes: int = field(
        "Longest time limit of a job, and what a task gets in the end that outlives its limit",
        unit="min",
        ge=1,
        default=1440,
    )
    requeues: int = field(
        "How often a job whose task can go on (training, dynamics) is requeued at the longest limit",
        ge=0,
        default=50,
    )
    notice: int = field(
        "How long before its limit a job is told of it, to go on in a job of more time",
        unit="s",
        ge=1,
        default=90,
    )
    max_array: int = field(
        "Most jobs of one array (the cluster's MaxArraySize)", ge=1, default=1000
    )
    max_queued: int = field(
        "Most jobs in the queue at once (the cluster's MaxSubmitJobs); what is over it is submitted "
        "when those before have ended",
        ge=2,
        default=1000,
    )
    at_once: int = field("Most jobs of one array that run at once; 0: no limit", ge=0, default=0)


class Cluster(Record):
    """Where jobs run. Nothing of this enters a key."""

    executor: Literal["local", "debug", "slurm"] = field(
        "local: submitit's local processes; debug: in this process, one task after the other; "
        "slurm: the whole plan as Slurm's jobs"
    )
    cores: int = field("Cores to use at once; 0: all of this machine", ge=0, default=0)
    memory_gb: float = field(
        "Memory to use at once; 0: all of this machine", unit="GB", ge=0, default=0.0
    )
    pack_seconds: float = field(
        "Aimed wall time of a job that packs small tasks", unit="s", gt=0, default=15.0
    )
    device: Literal["cpu", "cuda"] = field(
        "What trainings run on: the processor, or an NVIDIA card; all else runs on the processor",
        default="cpu",
    )
    timeout_min: int = field("Time limit of one job", unit="min", ge=1, default=1440)
    stages: dict[StageName, StageLimits] = field("Cores, memory and more by stage", default={})
    slurm: Slurm = field("What jobs ask of Slurm (executor=slurm)", default=Slurm())


class Tracking(Record):
    """Where runs are logged. Nothing of this enters a key."""

    uri: str = field(
        "MLflow's tracking URI; empty: log nowhere. A password in it is kept in memory alone; the "
        "profile is the place for one (tracking)",
        default="sqlite:///mlflow.db",
    )

    @field_validator("uri")
    @classmethod
    def _without_secrets(cls, value: str) -> str:
        """A record is written to many places: the full URI is kept in memory, for `ilmlip.track`."""
        return remember(value)
