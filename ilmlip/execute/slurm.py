"""Slurm's own commands: what is in the queue, cancel, hold back behind another job."""

from __future__ import annotations

import getpass
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ilmlip.errors import IlmlipError

TIMEOUT = 60.0
"""Seconds that a command of Slurm's may take."""
AT_ONCE = 500
"""Most job ids on one command line."""
NEVER, OVER = "DependencyNeverSatisfied", "COMPLETING"
"""Jobs in the queue that nobody need wait for: one that will never begin, one whose work has ended."""


class SlurmError(IlmlipError):
    """Slurm cannot be asked, or refuses; the message holds its own words."""


@dataclass(frozen=True)
class Waiting:
    """A job in the queue: its state (PENDING, RUNNING …), and why it waits."""

    state: str
    reason: str

    @property
    def runs(self) -> bool:
        """Whether it has begun."""
        return self.state in ("RUNNING", "CONFIGURING", "SUSPENDED")


def queue() -> dict[str, Waiting]:
    """All of this user's jobs that wait or run, by id ("12", or "12_3" of an array).

    Raises SlurmError if Slurm does not answer: that says nothing of the jobs.
    """
    said = _ask(["squeue", "-h", "-r", "-u", getpass.getuser(), "-o", "%i|%T|%r"])
    found = {}
    for line in said.splitlines():
        job, _, rest = line.strip().partition("|")
        state, _, reason = rest.partition("|")
        if job and reason != NEVER and state != OVER:
            found[job] = Waiting(state, reason)
    return found


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
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=TIMEOUT, check=False, encoding="utf-8"
        )
    except FileNotFoundError:
        raise SlurmError(f"cluster: {lacks() or words[0] + ' cannot be started'}") from None
    except subprocess.TimeoutExpired:
        raise SlurmError(f"cluster: {words[0]} gave no answer within {TIMEOUT:g} s") from None
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise SlurmError(f"cluster: {words[0]} failed: {said or done.returncode}")
    return done.stdout
