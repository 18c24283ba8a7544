"""Runs an outside program in a work folder: output to a log, gone when its parent is.

How pw.x, CP2K and VASP start stands in this machine's profile.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ilmlip.errors import StageError
from ilmlip.spec.profile import ProgramName, profile, threads

KILLED = "was killed by"
"""How the reason of a program's end begins that a signal ended."""
TAIL = 64_000
"""Bytes at the end of a log that are searched for the reason of a failure."""


OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that come from outside (a person, a scheduler, a lack of memory), not from a mistake."""


LISTENED_TO = (
    "LAMMPS_PLUGIN_PATH", "LAMMPS_POTENTIALS",  # styles and files that replace LAMMPS's own
    "ESPRESSO_PSEUDO", "ESPRESSO_TMPDIR",
    "PL_", "NEQUIP_", "ALLEGRO_", "TORCHINDUCTOR_",  # PL_TRAINER_MAX_EPOCHS: Lightning's defaults
    "TORCH_ALLOW_TF32", "NVIDIA_TF32_OVERRIDE", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD",
    "PYTHONOPTIMIZE", "MLFLOW_", "LC_", "LANGUAGE",
)  # fmt: skip
"""How variables begin that would change what a program computes, and that no one states in a spec; and
those with secrets that no program needs. The profile may set them for a program (docs/engines.md)."""
SECRET = ("ILMLIP_TRACKING_URI",)
RANKS = (
    "SLURM_", "RANK", "WORLD_SIZE", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "LOCAL_WORLD_SIZE",
    "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_",
)  # fmt: skip
"""Variables that make Lightning one of several processes, or requeue the job that it is in."""


def plain_environment(given: Mapping[str, str], without: Sequence[str] = ()) -> dict[str, str]:
    """An environment without what would change results, nor names that begin as in `without`.

    In a locale whose numbers have a point, and in UTF-8.
    """
    gone = (*LISTENED_TO, *SECRET, *without)
    kept = {name: value for name, value in given.items() if not name.startswith(gone)}
    return {**kept, "LC_ALL": "C.UTF-8"}


class KilledError(StageError):
    """Something outside ended the program, which says nothing of what it was given."""


def execute(
    command: Sequence[str],
    work: Path,
    log: str,
    *,
    environment: Mapping[str, str],
    errors: Sequence[str] = ("ERROR", "Error"),
    time_limit: float | None = None,
    accepted: Sequence[int] = (0,),
    without: Sequence[str] = (),
) -> None:
    """Run `command` in `work`, stdout and stderr to the file `log`; wait for its end.

    `environment` is added to this process's as far as that changes no result (`plain_environment`,
    which gets `without`). Raises StageError with the last line of the log that
    holds one of `errors` (or the last line), the command and the log (KilledError if something outside
    ended it); and when the program takes
    longer than `time_limit` seconds: then it is killed with all that it started. `accepted`: exit
    statuses that are no failure.
    """
    shown = shlex.join([Path(command[0]).name, *command[1:]])
    with (work / log).open("wb") as out:
        try:
            process = subprocess.Popen(
                command,
                cwd=work,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**plain_environment(os.environ, without), **environment},
                preexec_fn=_prepared_death(),  # noqa: PLW1509 - nothing but a system call, see there
                start_new_session=time_limit is not None,
            )
        except OSError as error:
            raise StageError(
                f"cannot start {command[0]}: {error.strerror}", command=shown
            ) from error
        try:
            code = process.wait(time_limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise StageError(
                f"{Path(command[0]).name} took longer than its time limit of {time_limit:g} s",
                command=shown,
                log=log,
            ) from None
        except BaseException:
            process.kill()
            process.wait()
            raise
    if code not in accepted:
        reason = last_error(work / log, errors)
        kind = KilledError if killed(code) else StageError
        raise kind(f"{Path(command[0]).name} {ending(code)}: {reason}", command=shown, log=log)


def killed(code: int) -> bool:
    """Whether an exit status is that of a program that something outside ended.

    A shell, mpirun and srun give 128 and the number of the signal.
    """
    return code in {-number for number in OUTSIDE} | {128 + number for number in OUTSIDE}


def program_words(name: ProgramName) -> list[str]:
    """The command line of a program by this machine's profile. Raises StageError if it is missing."""
    machine = profile()
    words = machine.words(name)
    if words is None:
        raise StageError(machine.lacks(name))
    return words


def program_environment(name: ProgramName) -> dict[str, str]:
    """What a program finds in its environment: its threads, and what the profile says."""
    found = {"OMP_NUM_THREADS": threads(), **profile().program(name).environment}
    if os.geteuid() == 0:  # Open MPI refuses to run as root, even a single process
        found |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return found


def last_error(log: Path, errors: Sequence[str]) -> str:
    """The last line of a log that holds one of the words, else its last line."""
    lines = log.read_bytes()[-TAIL:].decode(errors="replace").strip().splitlines()
    named = [line.strip() for line in lines if any(word in line for word in errors)]
    return (named or lines or ["no output"])[-1]


def ending(code: int) -> str:
    """How a program ended, by its exit status, in words that follow its name."""
    if killed(code) and code > 0:
        code = 128 - code  # as a shell, mpirun and srun give it
    return f"{KILLED} {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"


def _prepared_death() -> Callable[[], None] | None:
    """What asks Linux, in the child, to kill it when its parent dies, however that dies.

    The library is loaded here, before the fork: the child of a threaded process must not.
    """
    if sys.platform != "linux":
        return None
    set_death_signal, prctl = 1, ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(set_death_signal, signal.SIGKILL)

    return ask
