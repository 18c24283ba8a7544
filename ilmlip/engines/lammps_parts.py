"""Long runs of LAMMPS in parts: one that was killed goes on from the end of its last whole part.

Between two parts no fix is there, so that positions, velocities, cell and topology are all that the
next step depends on. LAMMPS writes them to a restart, under a temporary name first, with its SHA-256
beside it. A run that goes on from one ends as one that was never killed, to the byte.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from ilmlip.engines import lammps
from ilmlip.engines.attempts import attempts
from ilmlip.errors import StageError
from ilmlip.hashing import digest, file_digest

SCRIPT, NOTE = "in.parts", "made_of.txt"
RESTART, SUM = "part-{:05d}.restart", "part-{:05d}.sha256"
BEFORE = "before-{}"
"""What was in the log, or in the dump, when the part ended that the run goes on from."""
STORED = ("bond_style", "angle_style", "dihedral_style", "improper_style", "pair_style")
"""What a restart holds, with the coefficients."""
FIRST = ("units", "atom_style", "boundary")
"""What stands ahead of it all the same."""
HEADER = re.compile(r"^\s+Step\s", re.MULTILINE)
FRAME = "ITEM: TIMESTEP\n"


def run(
    work: Path,
    settings: Sequence[str],
    parts: Sequence[Sequence[str]],
    earlier: Path | None = None,
    dump: str = "",
) -> int:
    """Run `settings`, with a `read_data`, and then `parts` in a folder; leaves the whole LOG.

    in.lammps and system.data are there: what they hold must be the same for an attempt (`earlier` and
    those before it) to be gone on from, and the version of LAMMPS. `dump`: a file that the settings
    open; `snapshots` reads all of it. Returns how many parts had been done before.
    """
    texts = [(work / name).read_text(encoding="utf-8") for name in (lammps.INPUT, lammps.DATA)]
    note = digest("ilmlip.lammps_parts", [*texts, lammps.tools()])
    (work / NOTE).write_text(note, encoding="utf-8")
    taken = (_take_over(folder, work, parts, dump) for folder in attempts(earlier))
    done = next((at for at in taken if at), 0)
    if earlier is not None:
        shutil.rmtree(earlier, ignore_errors=True)
    (work / SCRIPT).write_text(_script(settings, parts, done), encoding="utf-8")
    lammps.run(work, script=SCRIPT)
    before = work / BEFORE.format(lammps.LOG)
    if before.exists():
        with before.open("a", encoding="utf-8") as whole:
            whole.write((work / lammps.LOG).read_text(encoding="utf-8"))
        before.replace(work / lammps.LOG)
    return done


def snapshots(work: Path, dump: str) -> Iterator[lammps.Snapshot]:
    """Every step of a dump, that of the parts done before included, each once."""
    last = -1
    for path in (work / BEFORE.format(dump), work / dump):
        for one in lammps.read_dump(path) if path.exists() else ():
            if one.step > last:
                last = one.step
                yield one


def _script(settings: Sequence[str], parts: Sequence[Sequence[str]], done: int) -> str:
    """What LAMMPS is given: the parts that are left, with a restart after each but the last."""
    lines = list(settings) if not done else _again(settings, RESTART.format(done))
    for number, part in enumerate(parts[done:], done + 1):
        lines += part
        if number < len(parts):
            lines += [
                "write_restart part.restart",
                f"shell sha256sum part.restart > {SUM.format(number)}",
                f"shell mv part.restart {RESTART.format(number)}",
            ]
        if 1 < number < len(parts):
            old = number - 1
            lines.append(f"shell rm -f {RESTART.format(old)} {SUM.format(old)}")
    return "\n".join(lines) + "\n"


def _again(settings: Sequence[str], restart: str) -> list[str]:
    """The settings of a run that reads a restart, which brings part of them."""
    words = {line: line.split()[0] for line in settings}
    first = [line for line in settings if words[line] in FIRST]
    rest = [line for line in settings if words[line] not in (*FIRST, *STORED, "read_data")]
    return [*first, f"read_restart {restart}", *rest]


def _take_over(earlier: Path, work: Path, parts: Sequence[Sequence[str]], dump: str) -> int:
    """Take an attempt's last restart, with log and dump up to it; 0 if it left none of this run."""
    names = RESTART.replace("{:05d}", "*")
    there = sorted(earlier.glob(names))
    try:
        if not there or (earlier / NOTE).read_text(encoding="utf-8") != (work / NOTE).read_text(
            encoding="utf-8"
        ):
            return 0
        done = int(there[-1].stem.removeprefix("part-"))
        if (earlier / SUM.format(done)).read_text(encoding="utf-8").split()[0] != file_digest(
            there[-1]
        ):
            return 0
        runs = sum(line.startswith(("run ", "minimize ")) for p in parts[:done] for line in p)
        log = _upto(_joined(earlier, lammps.LOG), runs)
        (work / BEFORE.format(lammps.LOG)).write_text(log, encoding="utf-8")
        last = int(lammps.read_thermo(work / BEFORE.format(lammps.LOG))[-1, 0])
        if dump:
            kept = _frames_upto(_joined(earlier, dump), last)
            (work / BEFORE.format(dump)).write_text(kept, encoding="utf-8")
        shutil.copyfile(earlier / SUM.format(done), work / SUM.format(done))
        there[-1].rename(work / RESTART.format(done))  # last: with it, all is there
    except (OSError, ValueError, IndexError, StageError):
        return 0  # half of it, or damaged
    return done


def _joined(earlier: Path, name: str) -> str:
    """A file of an attempt with what it had taken over."""
    paths = (earlier / BEFORE.format(name), earlier / name)
    return "".join(path.read_text(encoding="utf-8") for path in paths if path.exists())


def _upto(log: str, runs: int) -> str:
    """A log up to the end of so many runs. Raises ValueError if it is shorter."""
    starts = [found.start() for found in HEADER.finditer(log)]
    if len(starts) < runs:
        raise ValueError("the log is shorter than the run")
    return log[: starts[runs]] if len(starts) > runs else log


def _frames_upto(dump: str, last: int) -> str:
    """The snapshots of a dump up to a step."""
    frames = dump.split(FRAME)[1:]
    return "".join(FRAME + f for f in frames if int(f.partition("\n")[0]) <= last)
