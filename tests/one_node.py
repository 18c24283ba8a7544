"""A Slurm of one node on 127.0.0.1, for tests: Debian's slurm-wlm and munge, started as root.

It has no accounting (slurmdbd), partitions of which `main` preempts `spare` and `short` allows five
minutes, and more cores than the machine, so that jobs of tests run side by side.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from command import PATIENCE

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
REQUIRED = "ILMLIP_REQUIRE_ENGINES"
CONF = """
ClusterName=ilmlip
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1,sched_min_interval=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=2
MinJobAge=600
MaxArraySize=2001
MaxJobCount=20000
ReturnToService=2
SlurmdParameters=config_overrides
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP PriorityTier=10
PartitionName=spare Nodes={host} MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=0
PartitionName=short Nodes={host} MaxTime=5 State=UP PriorityTier=1 GraceTime=0
"""


def lacks() -> str:
    """What is missing here; empty if a Slurm can be started."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    gone = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if gone:
        return f"no {', '.join(gone)}: apt-get install slurm-wlm munge"
    return "" if os.geteuid() == 0 else "a Slurm of one's own is started as root"


def require() -> None:
    """Skip the test where no Slurm can be started; fail where it must be."""
    if why := lacks():
        if REQUIRED in os.environ:
            pytest.fail(why)
        pytest.skip(why)


@contextmanager
def slurm(folder: Path, cores: int = 4, memory_mb: int = 16_000) -> Iterator[Mapping[str, str]]:
    """A running Slurm; gives what its users must have in their environment."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    controller, node = _free_ports(2)
    host = socket.gethostname().split(".")[0]
    conf = folder / "slurm.conf"
    conf.write_text(
        CONF.format(
            host=host,
            controller=controller,
            node=node,
            folder=folder,
            cores=cores,
            memory=memory_mb,
        ),
        encoding="utf-8",
    )
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    mine = {"SLURM_CONF": str(conf), "PATH": path}
    environment = {**os.environ, **mine}
    try:
        _start(
            ["munged", "--force", "-S", f"{folder}/munge.socket", f"--key-file={key}"]
            + [f"--{n}-file={folder}/munged.{n}" for n in ("pid", "log", "seed")],
            environment,
        )
        _start(["slurmctld", "-c"], environment)
        _start(["slurmd", "-c"], environment)
        _await_idle(environment, folder)
        yield mine
    finally:
        subprocess.run(
            ["scancel", "-u", "root"],
            env=environment,
            check=False,
            capture_output=True,
            timeout=PATIENCE,
        )
        for name in ("slurmd", "slurmctld", "munged"):
            with suppress(OSError, ValueError, psutil.NoSuchProcess):
                _stop(psutil.Process(int((folder / f"{name}.pid").read_text(encoding="utf-8"))))


def _stop(daemon: psutil.Process) -> None:
    """End a daemon; slurmd may wait for steps of jobs that were killed."""
    daemon.terminate()
    _, left = psutil.wait_procs([daemon], timeout=10)
    for one in left:
        one.kill()


def _start(words: list[str], environment: Mapping[str, str]) -> None:
    subprocess.run(words, env=dict(environment), check=True, capture_output=True, timeout=PATIENCE)


def _await_idle(environment: Mapping[str, str], folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        done = subprocess.run(
            ["sinfo", "-h", "-o", "%t"],
            env=dict(environment), capture_output=True, text=True, check=False, timeout=PATIENCE,
         encoding="utf-8")  # fmt: skip
        if "idle" in done.stdout:
            return
        time.sleep(0.2)
    raise RuntimeError(
        f"Slurm did not start: {(folder / 'slurmctld.log').read_text(encoding='utf-8')[-2000:]}"
    )


def _free_ports(many: int) -> list[int]:
    sockets = [socket.socket() for _ in range(many)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
