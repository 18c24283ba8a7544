"""The room that jobs have on this machine, and which ready tasks go into one job."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import psutil

from ilmlip.plan.task import Task
from ilmlip.spec.cluster import Cluster
from ilmlip.stages import stage
from ilmlip.stages.base import Resources

BYTES_PER_GB = 1e9


@dataclass
class Slots:
    """Free cores and memory; a job takes its share at the start and gives it back at the end."""

    cores: int
    memory_gb: float

    @classmethod
    def of(cls, cluster: Cluster) -> Slots:
        """What the cluster profile allows; where it says 0, what this machine has."""
        cores = cluster.cores or len(os.sched_getaffinity(0))
        return cls(cores, cluster.memory_gb or psutil.virtual_memory().total / BYTES_PER_GB)

    def fits(self, need: Resources) -> bool:
        """Whether a job of this need can start now."""
        return need.cores <= self.cores and need.memory_gb <= self.memory_gb

    def take(self, need: Resources) -> None:
        """Start a job of this need."""
        self.cores -= need.cores
        self.memory_gb -= need.memory_gb

    def give(self, need: Resources) -> None:
        """End a job of this need."""
        self.cores += need.cores
        self.memory_gb += need.memory_gb


def needs(cluster: Cluster, name: str) -> Resources:
    """What one task of a stage takes: the cluster's say, else the stage's own."""
    own = stage(name).resources
    said = next((limits for key, limits in cluster.stages.items() if key == name), None)
    if said is None:
        return own
    return Resources(said.cores or own.cores, said.memory_gb or own.memory_gb, own.seconds)


@dataclass
class Estimates:
    """Wall time of a task by stage: the stage's guess until tasks of it have ended."""

    total: dict[str, float] = field(default_factory=dict)
    count: dict[str, int] = field(default_factory=dict)

    def learn(self, name: str, seconds: float) -> None:
        """Take one finished task into account."""
        self.total[name] = self.total.get(name, 0.0) + seconds
        self.count[name] = self.count.get(name, 0) + 1

    def seconds(self, name: str) -> float:
        """Expected wall time of one task."""
        if name in self.count:
            return self.total[name] / self.count[name]
        return stage(name).resources.seconds


def urgency(tasks: Mapping[str, Task], estimates: Estimates) -> dict[str, float]:
    """Seconds from the start of each task to the end of the longest chain that hangs on it."""
    found = dict.fromkeys(tasks, 0.0)
    for task in reversed(list(tasks.values())):
        found[task.key] += estimates.seconds(task.stage)
        for key in task.inputs():
            found[key] = max(found[key], found[task.key])
    return found


def choose(
    ready: Sequence[Task],
    free_jobs: int,
    seconds: float,
    aim: float,
) -> list[Task]:
    """The first tasks of one stage that make a job of about `aim` seconds.

    Tasks that share their first input come one after the other, so that a worker reads a
    trajectory or loads a model once. Never more than an even share for the jobs that can start.
    """
    share = math.ceil(len(ready) / max(free_jobs, 1))
    many = max(1, min(share, int(aim / max(seconds, 1e-3))))
    return list(ready[:many])
