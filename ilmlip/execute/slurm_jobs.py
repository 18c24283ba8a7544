"""Submits arrays to Slurm through submitit, and takes care of a job that outlives its limit."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ilmlip.execute import slurm
from ilmlip.execute.batch import Array, Wait
from ilmlip.execute.errand import Errand
from ilmlip.execute.refusals import remedy
from ilmlip.execute.slots import needs
from ilmlip.execute.submission import CLOSING, Element, Record, Run, ends_in, open_runs
from ilmlip.execute.tidy import WELL
from ilmlip.execute.worker import pack
from ilmlip.spec.cluster import Cluster
from ilmlip.spec.profile import profile
from ilmlip.stages.base import Resources

LOGS = "slurm"
"""Folder in that of a run: submitit's files and the jobs' output."""
REQUEUES = 1000
"""What submitit counts down at each time limit; how often is enough is the errand's own say."""
CLOSING_GB, CLOSING_MINUTES = 2.0, 60


class SlurmJobs:
    """Submits the jobs of one run."""

    def __init__(self, root: Path, run: Run, cluster: Cluster) -> None:
        self.root, self.run, self.cluster = root, run, cluster
        self._reports = len(list(run.folder.glob("*.jsonl")))

    def submit(self, arrays: Sequence[Array]) -> Iterator[Record]:
        """Submit arrays, each after those that it waits for; notes each in the store at once."""
        made: list[Record] = []
        for array in arrays:
            errands = [self._errand(array.stage, one.tasks, one.minutes) for one in array.packs]
            waits = tuple(f"{wait.kind}:{_id(wait, made)}" for wait in array.waits)
            record = self._submit(array.stage, errands, waits)
            made.append(record)
            yield record

    def closing(self, function: Callable[..., Any], *given: Any, after: Sequence[str]) -> Record:
        """Submit the job that ends the run once the jobs `after` have ended, however they do."""
        waits = tuple(f"afterany:{job}" for job in after)
        executor = self._executor(
            CLOSING, min(CLOSING_MINUTES, self.cluster.slurm.longest_minutes), waits
        )
        with _plain_environment(_stated(self.cluster, CLOSING)):
            job = self._told(CLOSING, lambda: executor.submit(function, *given))
        element = Element(str(job.job_id), (), "", CLOSING_MINUTES)
        record = Record(element.id, CLOSING, (element,), waits)
        self.run.add(record)
        return record

    def again(self, stage: str, errand: Errand) -> Record:
        """Submit what is left of an errand as a job of its own, which waits for nothing."""
        return self._submit(stage, [errand], ())

    def _errand(self, stage: str, tasks: Sequence[Any], minutes: int) -> Errand:
        self._reports += 1
        limits = self.cluster.slurm
        return Errand(
            root=self.root,
            packed=pack(tasks),
            report=self.run.folder / f"{self._reports:05d}-{stage}.jsonl",
            cores=needs(self.cluster, stage).cores,
            minutes=minutes,
            longest=max(limits.longest_minutes, minutes),
            notice=limits.notice,
            requeues=limits.requeues,
        )

    def _submit(self, stage: str, errands: Sequence[Errand], waits: tuple[str, ...]) -> Record:
        executor = self._executor(stage, max(errand.minutes for errand in errands), waits)
        calls = [SlurmErrand(errand, stage, self.run, self.cluster) for errand in errands]

        def submit() -> list[Any]:
            with executor.batch():
                return [executor.submit(call) for call in calls]

        with _plain_environment(_stated(self.cluster, stage)):
            jobs = self._told(stage, submit)
        elements = tuple(
            Element(str(job.job_id), _keys(errand), errand.report.name, errand.minutes)
            for job, errand in zip(jobs, errands, strict=True)
        )
        record = Record(elements[0].id.partition("_")[0], stage, elements, waits)
        self.run.add(record)
        return record

    def _executor(self, stage: str, minutes: int, waits: Sequence[str]) -> Any:
        import submitit

        folder = self.run.folder / LOGS
        folder.mkdir(parents=True, exist_ok=True)
        # the batch script becomes the job's process, so that Slurm's signals reach it
        executor = submitit.SlurmExecutor(
            folder, max_num_timeout=REQUEUES, python=f"exec {shlex.quote(sys.executable)}"
        )
        executor.update_parameters(
            **sbatch(self.cluster, stage),
            job_name=f"{self.run.study}:{stage}",
            time=minutes,
            dependency=dependency(waits) or None,
            comment=f"{slurm.COMMENT} {self.run.name}",
        )
        return executor

    def _told(self, stage: str, submit: Callable[[], Any]) -> Any:
        """Submit; raises SlurmError with sbatch's own words and the field to change."""
        from submitit.core.utils import FailedJobError

        if lacks := slurm.lacks():
            raise slurm.SlurmError(f"cluster=slurm: {lacks}")
        try:
            return submit()
        except FailedJobError as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            said = "; ".join(line.removeprefix("sbatch: error: ") for line in lines)
            what = remedy(said, stage, self.cluster)
            raise slurm.SlurmError(
                f"cluster=slurm: sbatch refuses the jobs of {stage}: {said or 'no reason given'}"
                + (f". To go on, {what}" if what else "")
            ) from None


def sbatch(cluster: Cluster, stage: str) -> dict[str, Any]:
    """What the jobs of a stage ask Slurm for, as submitit's parameters; without time limit."""
    said = next((limits for key, limits in cluster.stages.items() if key == stage), None)
    own = cluster.slurm
    need = Resources(1, CLOSING_GB) if stage == CLOSING else needs(cluster, stage)
    ranks = said.ranks if said and said.ranks else 1
    gpus = own.gpus if stage == "train" and cluster.device == "cuda" else 0
    if said is not None and said.gpus is not None:
        gpus = said.gpus
    chosen = {
        name: getattr(said, name)
        if said and getattr(said, name) is not None
        else getattr(own, name)
        for name in ("partition", "account", "qos", "constraint")
    }
    more: dict[str, Any] = {
        "ntasks": ranks,
        "kill-on-invalid-dep": "yes",
        "requeue": True,
        "signal": f"B:USR2@{own.notice}",
    }
    return {
        **{name: value for name, value in chosen.items() if value},
        "cpus_per_task": max(need.cores // ranks, 1),
        "mem": f"{max(round(1024 * need.memory_gb), 1)}MB",
        **({"gpus_per_node": gpus} if gpus else {}),
        "array_parallelism": own.at_once or own.max_array,
        "setup": list(profile().slurm.setup),
        "additional_parameters": more,
        "stderr_to_stdout": True,
        "use_srun": False,
        "wckey": None,
    }


@dataclass
class SlurmErrand:
    """What submitit calls in a job, and asks what to do when the job is about to end."""

    errand: Errand
    stage: str
    run: Run
    cluster: Cluster

    def __call__(self) -> None:
        """Do the tasks."""
        self.errand.run()

    def checkpoint(self) -> Any:
        """Called by submitit before the time limit: requeue (its answer), or a job with more time."""
        from submitit.helpers import DelayedSubmission

        what = self.errand.broken_off()
        self.errand.worker = None
        if what == "requeue":
            return DelayedSubmission(self)
        if what == "more time":
            left = tuple(self.errand.left())
            more = min(2 * self.errand.minutes, self.errand.longest)
            jobs = SlurmJobs(self.errand.root, self.run, self.cluster)
            record = jobs.again(self.stage, replace(self.errand, packed=left, minutes=more))
            hold_back(self.errand.root, own_id(os.environ), record.id)
        return None


def log_of(run: Run, job: str) -> Path:
    """What a job has written."""
    return run.folder / LOGS / f"{job}_0_log.out"


def compact(run: Run) -> None:
    """Remove what submitit and the jobs have written of jobs that ended well; reports stay."""
    for record in run.records():
        for one in record.elements:
            ends = ends_in(run.folder / one.report) if one.tasks else {}
            if one.tasks and all(ends.get(key) in WELL for key in one.tasks):
                for path in (run.folder / LOGS).glob(f"{one.id}_*"):
                    path.unlink(missing_ok=True)


def hold_back(root: Path, old: str, new: str) -> None:
    """Let what waits for a job wait for another one that goes on with its tasks."""
    for run in open_runs(root):
        for record in run.records():
            waits = instead(record.waits, old, new)
            if waits != record.waits:
                with contextlib.suppress(slurm.SlurmError):  # it has begun: looks at its inputs
                    slurm.wait_for(record.id, dependency(waits))
                    run.add(replace(record, waits=waits))


def instead(waits: Sequence[str], old: str, new: str) -> tuple[str, ...]:
    """Waits for a job replaced by waits for the one that goes on with it."""
    array = old.partition("_")[0]
    found: list[str] = []
    for wait in waits:
        kind, _, job = wait.partition(":")
        if job == old:
            found.append(f"{kind}:{new}")
        elif job == array:  # a whole array: its other elements count as before, but may have failed
            found += [f"afterany:{array}", f"{kind}:{new}"]
        else:
            found.append(wait)
    return tuple(dict.fromkeys(found))


def dependency(waits: Sequence[str]) -> str:
    """Waits as Slurm reads them: `afterok:12_0:12_3,afterany:14`."""
    kinds: dict[str, list[str]] = {}
    for wait in waits:
        kind, _, job = wait.partition(":")
        kinds.setdefault(kind, []).append(job)
    return ",".join(":".join([kind, *jobs]) for kind, jobs in kinds.items())


def own_id(environment: Mapping[str, str]) -> str:
    """The id of the job that this process is in."""
    if "SLURM_ARRAY_JOB_ID" in environment:
        return f"{environment['SLURM_ARRAY_JOB_ID']}_{environment['SLURM_ARRAY_TASK_ID']}"
    return environment.get("SLURM_JOB_ID", "")


def _keys(errand: Errand) -> tuple[str, ...]:
    return tuple(str(data["key"]) for data in errand.packed)


def _id(wait: Wait, made: Sequence[Record]) -> str:
    if isinstance(wait.on, str):
        return wait.on
    record = made[wait.on.array]
    return record.id if wait.on.element is None else record.elements[wait.on.element].id


CHOICES = ("partition", "account", "qos", "constraint")
"""What a user may choose by SBATCH_PARTITION … where the spec says nothing."""


def _stated(cluster: Cluster, stage: str) -> set[str]:
    """What a spec says itself of where the jobs of a stage go."""
    return set(sbatch(cluster, stage)) & set(CHOICES)


@contextlib.contextmanager
def _plain_environment(stated: Collection[str]) -> Iterator[None]:
    """Without options of Slurm's that the caller has in the environment, as the jobs will be.

    Nor what Slurm told the job that this process is in: a new job is none of its steps. What the
    spec leaves open (CHOICES without `stated`, a reservation) the user may choose there.
    """
    left = {f"SBATCH_{name.upper()}" for name in (*CHOICES, "reservation") if name not in stated}
    out = {k: v for k, v in os.environ.items() if slurm.is_option(k) and k not in left}
    for name in out:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(out)
