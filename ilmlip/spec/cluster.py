"""Where jobs run and runs are logged: nothing of this enters a key."""

from __future__ import annotations

from typing import Literal

from ilmlip.record import Record, field

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


class Cluster(Record):
    """Where jobs run. Nothing of this enters a key."""

    executor: Literal["local", "debug"] = field(
        "local: submitit's local processes; debug: in this process, one task after the other"
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
    stages: dict[StageName, StageLimits] = field("Cores and memory by stage", default={})


class Tracking(Record):
    """Where runs are logged. Nothing of this enters a key."""

    uri: str = field("MLflow's tracking URI; empty: log nowhere", default="sqlite:///mlflow.db")
