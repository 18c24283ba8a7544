"""Slurm's own commands: what is in the queue, cancel, hold back behind another job.

Slurm's commands read options from environment variables (SQUEUE_STATES, SBATCH_TIMELIMIT,
SLURM_CLUSTERS …) and a user's name from USER. Here they get none of these: what the caller has
exported must not change what is in the queue. The user is the process's own numeric id.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from ilmlip.errors import IlmlipError

TIMEOUT = 60.0
"""Seconds that a command of Slurm's may take."""
AT_ONCE = 500
"""Most job ids on one command line."""
NEVER, OVER = "DependencyNeverSatisfied", "COMPLETING"
"""Jobs in the queue that nobody need wait for: one that will never begin, one whose work has ended."""
COMMENT = "ilmlip"
"""How the comment of each of our jobs begins; the name of its run follows."""
PREFIXES = ("SLURM_", "SQUEUE_", "SBATCH_", "SCONTROL_", "SCANCEL_", "SACCT_", "SINFO_", "SALLOC_")
"""How the names of variables begin that change what Slurm's commands do."""
PLACES = ("SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_JWT")
"""Those of them that say where the cluster is, and with which right it is asked."""
ELSEWHERE = ("SLURM_CLUSTERS", "SBATCH_CLUSTERS")
"""Those that send jobs to another cluster than that of SLURM_CONF."""


class SlurmError(IlmlipError):
    """Slurm cannot be asked, or refuses; the message holds its own words."""


@dataclass(frozen=True)
class Waiting:
    """A job in the queue: its state (PENDING, RUNNING …), and why it waits."""

    state: str
    reason: str
    mine: bool = True
    """Whether it is this user's."""

    @property
    def runs(self) -> bool:
        """Whether it has begun."""
        return self.state in ("RUNNING", "CONFIGURING", "SUSPENDED")


def is_option(name: str) -> bool:
    """Whether an environment variable changes what Slurm's commands do."""
    return name.startswith(PREFIXES) and name not in PLACES


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """An environment without options of Slurm's commands."""
    return {name: value for name, value in given.items() if not is_option(name)}


def queue(known: Iterable[str] = ()) -> dict[str, Waiting]:
    """All of this user's jobs that wait or run, by id ("12", or "12_3" of an array).

    `known`: ids of jobs (or arrays) of ours that are looked for whoever submitted them: others may
    use the same store. Raises SlurmError if Slurm does not answer: that says nothing of the jobs.
    """
    uid = str(os.getuid())
    said = _squeue("--user", uid)
    if said is None:  # a user without a name, in a container: Slurm wants one
        said = _squeue() or ""
    lines = [line for line in said.splitlines() if line.split("|")[1:2] == [uid]]
    there = {line.partition("|")[0].partition("_")[0] for line in lines}
    asked = sorted(set(known) - there)
    for start in range(0, len(asked), AT_ONCE):
        some = asked[start : start + AT_ONCE]
        # of a single job that has left the queue squeue says that its id is wrong, of two it does not
        lines += (_squeue("--jobs", ",".join([*some, some[0]])) or "").splitlines()
    found = {}
    for line in lines:
        job, owner, state, reason, comment = [*line.strip().split("|", 4), "", "", "", ""][:5]
        mine = owner == uid
        if job and reason != NEVER and state != OVER and (mine or comment.startswith(COMMENT)):
            found[job] = Waiting(state, reason, mine)
    return found


def _squeue(*which: str) -> str | None:
    """Lines `id|uid|state|reason|comment`, hidden partitions as well; None for an unknown user."""
    words = ["squeue", "--noheader", "--array", "--all", *which, "--format=%i|%U|%T|%r|%k"]
    done = _call(words)
    if "Invalid user" in done.stderr:
        return None
    if "error:" in done.stderr:  # squeue's exit status is 0 nevertheless
        raise SlurmError(f"cluster: squeue failed: {' '.join(done.stderr.split())}")
    return done.stdout


def cluster_name() -> str:
    """The name of the cluster that answers here. Raises SlurmError if none does."""
    return configured("ClusterName")


def configured(name: str) -> str:
    """A setting of the cluster, empty if it has none. Raises SlurmError if Slurm does not answer."""
    return _configuration(os.environ.get("SLURM_CONF", "")).get(name, "")


@cache
def _configuration(_file: str) -> dict[str, str]:
    lines = _ask(["scontrol", "show", "config"]).splitlines()
    pairs = [line.partition("=") for line in lines]
    return {name.strip(): value.strip() for name, _, value in pairs}


def partitions() -> list[tuple[str, str]]:
    """Names of the partitions and their time limits, as Slurm writes them."""
    lines = _ask(["sinfo", "--noheader", "--format=%R|%l"]).split()
    return [
        (name, limit) for name, _, limit in (line.partition("|") for line in dict.fromkeys(lines))
    ]


def check_place(given: Mapping[str, str]) -> None:
    """Refuse an environment that sends jobs to another cluster than the one that is asked."""
    for name in ELSEWHERE:
        if (asked := given.get(name)) and asked != cluster_name():
            raise SlurmError(
                f"cluster=slurm: {name}={asked} is set, and jobs are submitted to the cluster of "
                f"SLURM_CONF, {cluster_name()}; unset it, or let SLURM_CONF name that cluster's file"
            )


def cancel(jobs: Iterable[str]) -> None:
    """Take jobs out of the queue, running or not; those that have ended do not matter."""
    ids = list(jobs)
    for start in range(0, len(ids), AT_ONCE):
        _ask(["scancel", "--quiet", *ids[start : start + AT_ONCE]])


def wait_for(job: str, dependency: str) -> None:
    """Give a job (or array) that has not begun another dependency."""
    _ask(["scontrol", "update", f"JobId={job}", f"Dependency={dependency}"])


def lacks() -> str:
    """What of Slurm is not there, with the remedy; empty if jobs can be submitted from here."""
    gone = [name for name in ("sbatch", "squeue", "scontrol", "scancel") if not shutil.which(name)]
    if not gone:
        return ""
    return (
        f"{', '.join(gone)}: not found on PATH; run this where jobs are submitted (a login node; often "
        "`module load slurm`), or take cluster=local"
    )


def _ask(words: Sequence[str]) -> str:
    return _call(words).stdout


def _call(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=TIMEOUT, check=False,
            encoding="utf-8", env=environment(os.environ),
        )  # fmt: skip
    except FileNotFoundError:
        raise SlurmError(f"cluster: {lacks() or words[0] + ' cannot be started'}") from None
    except subprocess.TimeoutExpired:
        raise SlurmError(f"cluster: {words[0]} gave no answer within {TIMEOUT:g} s") from None
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise SlurmError(f"cluster: {words[0]} failed: {said or done.returncode}")
    return done
