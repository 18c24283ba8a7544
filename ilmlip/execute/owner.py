"""Who holds a claim: a process that no clock, no reused pid and no namesake is mistaken for."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil

PROC = Path("/proc")
STATE, START = 0, 19
"""Places in /proc/PID/stat behind the name: its fields 3 (state) and 22 (start, ticks since boot)."""
DEAD = ("Z", "X")


@dataclass(frozen=True)
class Owner:
    """One process, and the Slurm job that it is part of."""

    host: str
    pid: int
    born: float
    """When it started, by the machine's ticks since boot: a wall clock that is set changes nothing."""
    machine: str = ""
    """Which boot of which machine, and which of its process numberings (containers have their own)."""
    job: str = ""
    """Cluster and id of its Slurm job; empty outside."""
    restart: int = 0
    """How often Slurm had requeued that job."""

    @classmethod
    def me(cls) -> Owner:
        """This process."""
        pid, number = os.getpid(), os.environ.get("SLURM_JOB_ID", "")
        born = _born(pid)
        return cls(
            socket.gethostname(),
            pid,
            0.0 if born is None else born,
            _machine(),
            f"{os.environ.get('SLURM_CLUSTER_NAME', '')}:{number}" if number else "",
            int(os.environ.get("SLURM_RESTART_COUNT") or 0),
        )

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Owner:
        """From plain data, of another version too. Raises ValueError if they are no owner's."""
        try:
            return cls(**{name: data[name] for name in cls.__dataclass_fields__ if name in data})
        except (KeyError, TypeError) as error:
            raise ValueError(f"no owner: {error}") from error

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    def lives(self) -> bool | None:
        """Whether the process lives; None if that cannot be seen from here.

        Slurm never runs two incarnations of one job at once: an earlier one than ours is over. One
        job may well have several processes that work, as `cluster=local` inside an allocation has.
        """
        if (self.host, self.machine) == (me().host, me().machine):
            return _born(self.pid) == self.born
        if self.job and self.job == me().job and self.restart != me().restart:
            return False
        return None


def me() -> Owner:
    """This process, looked up once (a fork is another)."""
    return _cached(os.getpid())


@cache
def _cached(_pid: int) -> Owner:
    return Owner.me()


def _born(pid: int) -> float | None:
    """When a process started; None if there is none, or only what its parent has not waited for."""
    if not (PROC / "self" / "stat").exists():
        try:
            process = psutil.Process(pid)
            return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
        except psutil.NoSuchProcess:
            return None
    try:
        fields = (PROC / str(pid) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[STATE] in DEAD else float(fields[START])


@cache
def _machine() -> str:
    try:
        boot = (PROC / "sys" / "kernel" / "random" / "boot_id").read_text(encoding="utf-8").strip()
        return f"{boot} {(PROC / 'self' / 'ns' / 'pid').readlink()}"
    except OSError:
        return ""
