"""What a label costs through ilmlip beside the bare program on the same input."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from ase import Atoms

from benchmarks.report import Table
from ilmlip.chemistry.boxes import read_one, write
from ilmlip.plan.frames import engine_params
from ilmlip.spec.load import load
from ilmlip.spec.profile import profile
from ilmlip.stages import label
from ilmlip.stages.base import Given, Inputs

FRAME = Path(__file__).parents[1] / "tests" / "data" / "lipf6.extxyz"
ROOT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMP_NUM_THREADS": "1",
}
TIMES = 3


def through_ilmlip(params: label.Params, atoms: Atoms, work: Path) -> float:
    """Seconds of the whole stage, from the frame in a file to the labelled frame in a file."""
    given = work / "given"
    given.mkdir()
    write(given / "trajectory.extxyz", [atoms])
    inputs = Inputs({"trajectory": (Given("sample", given, {}),)})
    began = time.perf_counter()
    label.run(params, inputs, work)
    return time.perf_counter() - began


def bare(text: str, family: Path, work: Path) -> float:
    """Seconds of pw.x on an input."""
    (work / "pw.in").write_text(text, encoding="utf-8")
    (work / "pseudo").symlink_to(family)
    words = profile().words("pw.x")
    if words is None:
        raise RuntimeError("pw.x is not found")
    began = time.perf_counter()
    with (work / "out").open("w", encoding="utf-8") as out:
        subprocess.run(
            [*words, "-in", "pw.in"], cwd=work, stdout=out, check=True, env={**os.environ, **ROOT}
        )
    return time.perf_counter() - began


def main(quick: bool) -> Table:
    """The two by turns."""
    words = ["dft=qe_pbe_d3_nc", *(["dft.qe.ecutwfc=25", "dft.qe.ecutrho=100"] if quick else [])]
    dft = load(words).dft
    atoms = read_one(FRAME, 0)
    params = label.Params.model_validate(
        {"frame": 0, **engine_params(dft, atoms.get_chemical_symbols())}
    )
    if dft.qe is None:
        raise RuntimeError("dft.qe is missing")
    family = Path(profile().pseudopotentials).expanduser() / dft.qe.family
    ours, theirs = [], []
    for _ in range(1 if quick else TIMES):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
            ours.append(through_ilmlip(params, atoms, Path(one)))
            theirs.append(
                bare((Path(one) / "pw.in").read_text(encoding="utf-8"), family, Path(two))
            )
            shutil.rmtree(Path(two) / "scratch", ignore_errors=True)
    mine, other = statistics.median(ours), statistics.median(theirs)
    spread = f"{min(ours):.2f}–{max(ours):.2f}", f"{min(theirs):.2f}–{max(theirs):.2f}"
    row = (
        "pw.x, 8 atoms, 80/320 Ry",
        f"{mine:.2f} ({spread[0]})",
        f"{other:.2f} ({spread[1]})",
        f"{mine / other:.3f}",
        "≤ 1.02",
    )
    columns = ("wall time of a label, s", "ilmlip's stage", "bare program", "ratio", "aim")
    return Table("labels", ("ase",), columns, [row])
