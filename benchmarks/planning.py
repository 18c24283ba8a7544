"""Planning a large study, and finding that nothing is to do, beside tools that do the like."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import others, workload
from benchmarks.measure import Used, answer, measure, number, python, ratio, spread
from benchmarks.report import Table

MS = 1000.0
EXCA = Path(__file__).with_name("exca_check.py")
SNAKEMAKE, DRY = "snakemake", ("-n", "--quiet", "rules")
NO_PAUSE = (
    "import sys, time; time.sleep = lambda _: None; "
    "from snakemake.cli import main; sys.exit(main(sys.argv[1:]))"
)
"""snakemake without the tenth of a second that it waits after each file that it touches."""
Row = tuple[str, ...]


@dataclass(frozen=True)
class Sizes:
    """Points of the studies, and how often all is measured."""

    few: int
    many: int
    most: int
    composed: int
    """Points that Hydra composes."""
    checked: int
    """Tasks that exca checks."""
    repeats: int


FULL = Sizes(few=24, many=1_000, most=10_000, composed=24, checked=200, repeats=3)
QUICK = Sizes(few=4, many=24, most=100, composed=4, checked=20, repeats=1)


@dataclass
class Found:
    """What the measured processes took and said, by name, once a repetition."""

    used: dict[str, list[Used]] = field(default_factory=lambda: defaultdict(list))
    said: dict[str, list[dict[str, float]]] = field(default_factory=lambda: defaultdict(list))

    def wall(self, name: str) -> list[float]:
        """Seconds of each repetition."""
        return [used.wall for used in self.used[name]]

    def cpu(self, name: str) -> list[float]:
        """Seconds of processor time of each repetition."""
        return [used.cpu for used in self.used[name]]

    def peak(self, name: str) -> list[float]:
        """MiB of each repetition."""
        return [used.peak for used in self.used[name]]

    def ms(self, name: str, what: str) -> list[float]:
        """Milliseconds of what a process timed itself."""
        return [MS * said[what] for said in self.said[name]]


def main(quick: bool) -> Table:
    """Measure with full or small sizes."""
    return table(QUICK if quick else FULL)


def table(sizes: Sizes) -> Table:
    """Prepare the studies, measure all in turn, and put it into rows."""
    others.make()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        new = {n: _new(folder / f"new{n}", n) for n in {1, sizes.many, sizes.most}}
        done = {n: _finished(folder / f"done{n}", n) for n in {sizes.few, sizes.many}}
        tasks = _check(sizes, new, done)
        found = Found()
        for _ in range(sizes.repeats):
            _measure(sizes, new, done, found)
    return Table(
        "plan",
        ("pydantic", "hydra-core"),
        ("", "ilmlip", "beside it", "what that is", "ratio", "aim"),
        _rows(sizes, tasks, found),
        others.versions("snakemake", "exca"),
    )


def _new(folder: Path, count: int) -> Path:
    """A folder with the study as a spec and as a Snakefile, nothing of it done."""
    folder.mkdir()
    workload.write_spec(folder, count)
    workload.write_snakefile(folder, count)
    return folder


def _finished(folder: Path, count: int) -> Path:
    """The same where all is done: a store with all results, all files with snakemake's records."""
    _new(folder, count)
    measure(python("benchmarks.inside", "finish", _spec(folder, count)), folder)
    workload.touch_all(folder, count)
    touch = ["-c", NO_PAUSE, "--touch", "--forceall", "--cores", "2", "--quiet"]
    measure([others.program("python"), *touch], folder)
    return folder


def _spec(folder: Path, count: int) -> Path:
    return folder / f"points{count}.yaml"


def _ilmlip(command: str, folder: Path, count: int, *words: str) -> list[str]:
    return python("ilmlip.cli", command, _spec(folder, count), *words)


def _check(sizes: Sizes, new: dict[int, Path], done: dict[int, Path]) -> int:
    """Whether both do what is measured: plan all points, run nothing. The tasks of many points."""
    tasks: list[dict[str, Any]] = []
    for count in (sizes.most, sizes.many):
        folder = new[count]
        measure(_ilmlip("plan", folder, count, "--json"), folder)
        tasks = answer(folder)["tasks"]
        trainings = sum(task["stage"] == "train" for task in tasks)
        if trainings != count:
            raise RuntimeError(f"{trainings} trainings are planned of {count} points")
    for count in (sizes.few, sizes.many):
        measure(_ilmlip("run", done[count], count, "--json"), done[count])
        if (again := answer(done[count])["done"]) != 0:
            raise RuntimeError(f"{again} tasks ran where all were done")
    return len(tasks)


def _measure(sizes: Sizes, new: dict[int, Path], done: dict[int, Path], found: Found) -> None:
    """One repetition of all, ilmlip and the others in turn."""

    def run(name: str, command: Sequence[str], folder: Path, says: bool = False) -> None:
        found.used[name].append(measure(command, folder))
        if says:
            found.said[name].append(answer(folder))

    snakemake, theirs = others.program(SNAKEMAKE), others.program("python")
    for n, name in ((sizes.many, "many"), (sizes.most, "most")):
        run(f"plan {name}", _ilmlip("plan", new[n], n), new[n])
        run(f"dicts {name}", python("benchmarks.dicts", n, "store/results/train"), new[n])
    run("snakemake plan", [snakemake, *DRY], new[sizes.many])
    for n, name in ((sizes.few, "few"), (sizes.many, "many")):
        run(f"run {name}", _ilmlip("run", done[n], n), done[n])
        run(f"snakemake run {name}", [snakemake, "--cores", "2"], done[n])
    one, many = new[1], new[sizes.many]
    load = python("benchmarks.inside", "load", _spec(one, 1), _spec(many, sizes.many))
    run("load", load, many, says=True)
    compose = python("benchmarks.hydra_compose", _spec(one, 1), sizes.composed)
    run("compose", compose, one, says=True)
    look = python("benchmarks.inside", "states", _spec(done[sizes.many], sizes.many))
    run("states", look, done[sizes.many], says=True)
    exca = [theirs, str(EXCA), "exca", str(sizes.checked)]
    run("exca", exca, done[sizes.many], says=True)


def _rows(sizes: Sizes, tasks: int, found: Found) -> list[Row]:
    few, many, most = (f"n = {n:,}" for n in (sizes.few, sizes.many, sizes.most))
    plan, dicts = f"plan, {many} ({tasks:,} tasks)", "plain dicts"
    dry, idle = "snakemake -n", "snakemake"
    status, hit = found.ms("exca", "status"), found.ms("exca", "hit")
    check = "a cached check, ms"
    return [
        *_processes(plan, "plan many", "snakemake plan", dry, found, ("≤ 1.4, ratio ≤ 0.5", "")),
        *_processes(plan, "plan many", "dicts many", dicts, found, ("", "")),
        *_processes(f"plan, {most}", "plan most", "dicts most", dicts, found, ("≤ 8", "≤ 400")),
        _growth(f"CPU, {most} over {many}", found, sizes),
        _row(
            "a point composed and validated, ms",
            found.ms("load", "seconds"),
            found.ms("compose", "seconds"),
            "Hydra's compose",
            "≤ 2",
        ),
        *_processes(
            f"run, all done, {many}", "run many", "snakemake run many", idle, found,
            ("≤ 1.7", ""),
        ),
        *_processes(
            f"run, all done, {few}", "run few", "snakemake run few", idle, found,
            ("≤ 0.5", ""),
        ),
        _row(f"{check}: state of a task", found.ms("states", "states"), hit, "exca, hit", "≤ 0.35"),
        _row("the same", found.ms("states", "states"), status, "exca, status only", ""),
        _row("with making the key", found.ms("states", "both"), hit, "exca, hit", ""),
    ]  # fmt: skip


def _processes(
    what: str,
    ours: str,
    theirs: str,
    tool: str,
    found: Found,
    aims: tuple[str, str],
) -> list[Row]:
    """Wall, processor time and peak memory of a whole process beside another."""
    wall, peak = aims
    parts: list[tuple[str, Callable[[str], list[float]], str]] = [
        ("wall, s", found.wall, wall),
        ("CPU, s", found.cpu, ""),
        ("peak, MiB", found.peak, peak),
    ]
    return [_row(f"{what}: {name}", of(ours), of(theirs), tool, aim) for name, of, aim in parts]


def _row(what: str, ours: Sequence[float], beside: Sequence[float], tool: str, aim: str) -> Row:
    parts = [x / y for x, y in zip(ours, beside, strict=True)]
    return what, spread(ours, number), spread(beside, number), tool, spread(parts, ratio), aim


def _growth(what: str, found: Found, sizes: Sizes) -> Row:
    """How much more the most points take than many: as often as they are more, if it is linear."""

    def grown(tool: str) -> str:
        pairs = zip(found.cpu(f"{tool} most"), found.cpu(f"{tool} many"), strict=True)
        return spread([x / y for x, y in pairs], number)

    return (
        what,
        grown("plan"),
        grown("dicts"),
        "plain dicts",
        "",
        f"near {sizes.most / sizes.many:.3g}",
    )
