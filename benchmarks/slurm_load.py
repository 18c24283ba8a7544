"""A thousand tasks that do nothing through Slurm, beside raw submitit on the same one.

The Slurm is one node that the tests start (`tests/one_node.py`): Debian's slurm-wlm, as root.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import submitit

from benchmarks.bare import probes as bare_probes
from benchmarks.drive import probes
from benchmarks.measure import REPOSITORY, Used, adopt_orphans, measure, number, python, spread
from benchmarks.report import Table
from ilmlip.execute.upkeep import size
from ilmlip.run.slurm import run_on_slurm
from ilmlip.spec.load import load_study
from ilmlip.store import Store

sys.path.insert(0, str(REPOSITORY / "tests"))

PACK = 50
"""Tasks of a job."""
CORES = 4
"""Cores that the node says it has: jobs side by side."""


def main(quick: bool) -> Table:
    """Interleave ilmlip, raw submitit with the same packs, and raw submitit with a job each."""
    one_node = import_module("one_node")
    if why := one_node.lacks():
        raise SystemExit(f"no Slurm can be started: {why}")
    tasks, single, repeats = (100, 5, 1) if quick else (1000, 100, 2)
    adopt_orphans(False)  # Slurm's daemons, which nobody waits for
    found: dict[str, list[Used]] = {"ours": [], "packs": [], "single": []}
    store: dict[str, Any] = {}
    for _ in range(repeats):
        with (
            tempfile.TemporaryDirectory() as name,
            one_node.slurm(Path(name) / "slurm", cores=CORES) as mine,
        ):
            folder, here = Path(name), dict(mine)
            here["LD_LIBRARY_PATH"] = os.environ.get("LD_LIBRARY_PATH", "")
            module = "benchmarks.slurm_load"
            found["ours"].append(measure(python(module, "ours", folder, tasks), folder, here))
            found["packs"].append(
                measure(python(module, "raw", folder / "raw", tasks, PACK), folder, here)
            )
            found["single"].append(
                measure(python(module, "raw", folder / "one", single, 1), folder, here)
            )
            store = json.loads((folder / "size.json").read_text(encoding="utf-8"))
    jobs = tasks // PACK
    return Table(
        "slurm",
        ("submitit",),
        ("tasks that do nothing", "jobs", "wall, s", "ms a task", "command: CPU, s", "MiB"),
        [
            _row(f"ilmlip, {tasks}, submitted and followed to the end", jobs, tasks, found["ours"]),
            _row(f"raw submitit, {tasks} in the same packs", jobs, tasks, found["packs"]),
            _row(f"raw submitit, {single}, a job each", single, single, found["single"]),
            (
                f"the store of {tasks} tasks",
                "",
                "",
                "",
                f"{store['files']} files",
                f"{store['bytes'] / 2**20:.1f}",
            ),
        ],
        {"slurm": _version()},
    )


def _row(name: str, jobs: int, tasks: int, used: list[Used]) -> tuple[str, ...]:
    return (
        name,
        str(jobs),
        spread([u.wall for u in used], number),
        spread([1000 * u.wall / tasks for u in used], number),
        spread([u.cpu for u in used], number),
        spread([u.peak for u in used], number),
    )


def _version() -> str:
    done = subprocess.run(
        ["sinfo", "--version"], capture_output=True, text=True, check=False, encoding="utf-8"
    )
    return done.stdout.split()[-1] if done.stdout else ""


def ours(folder: Path, tasks: int) -> None:
    """Run a plan of probes as a study's."""
    root = folder / "store"
    seconds = 0.01 * PACK  # what a probe is said to take
    words = ["quickstart", "cluster=slurm", f"cluster.pack_seconds={seconds}", f"store={root}"]
    study = load_study([*words, "tracking.uri="], allow=[str(root)])
    store = Store(root)
    store.prepare()
    ended = run_on_slurm(study, probes(tasks), store, detach=False)
    if not ended.ok:
        sys.exit(str(ended.messages))
    files = sum(1 for path in root.rglob("*") if path.is_file())
    (folder / "size.json").write_text(
        json.dumps({"files": files, "bytes": size(root)}), encoding="utf-8"
    )


def raw(folder: Path, tasks: int, pack: int) -> None:
    """Submit an array of functions that do the same work, and wait for all."""
    executor = submitit.SlurmExecutor(folder / "jobs")
    executor.update_parameters(time=10, cpus_per_task=1, mem="100MB", use_srun=False)
    names = [f"p{i}" for i in range(tasks)]
    with executor.batch():
        jobs = [
            executor.submit(bare_probes, folder, names[start : start + pack])
            for start in range(0, tasks, pack)
        ]
    while not all(job.paths.result_pickle.exists() for job in jobs):
        time.sleep(1.0)


if __name__ == "__main__":
    what, where, *counts = sys.argv[1:]
    if what == "ours":
        ours(Path(where), *map(int, counts))
    else:
        raw(Path(where), *map(int, counts))
