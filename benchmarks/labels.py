"""Labels by ilmlip's stage against the bare engine on the same input, side by side.

`python -m benchmarks.labels FOLDER OPTION` is the measured process with ilmlip: the stage `label`
on the trajectory in the folder, its work in the folder `work`. The last line is a JSON object.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.agreement import FRAME
from benchmarks.measure import Used, answer, measure, number, python, ratio, spread
from benchmarks.report import Table
from ilmlip.chemistry.boxes import read_one, write
from ilmlip.engines import cp2k, qe
from ilmlip.plan.frames import engine_params
from ilmlip.spec.load import load
from ilmlip.spec.profile import profile
from ilmlip.stages.base import Given, Inputs
from ilmlip.stages.label import Params, run

AIM = "≤ 1.02"
REPEATS = 3
Bare = tuple[list[str], Mapping[str, str]]
"""A command and what it needs in its environment."""
ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
TBLITE = """
from ase.io import read
from tblite.ase import TBLite
atoms = read("trajectory.extxyz")
settings = dict(accuracy={accuracy}, electronic_temperature={kelvin}, verbosity=0)
atoms.calc = TBLite(method="GFN1-xTB", **settings)
print(atoms.get_potential_energy(), atoms.get_forces()[0], atoms.get_stress()[0])
"""


@dataclass(frozen=True)
class Case:
    """An engine, what it labels, and how it runs by itself."""

    option: str
    copies: tuple[int, int, int]
    """Of the ion pair, so that a label takes longer than a second."""
    program: str
    bare: Callable[[Path, Path], Bare]
    """Copies the inputs of a label into a folder; the command to run there."""


def _pw(work: Path, folder: Path) -> Bare:
    shutil.copyfile(work / qe.INPUT, folder / qe.INPUT)
    chosen = load(["dft=qe_pbe_d3_nc"]).dft.qe
    words = profile().words("pw.x")
    if chosen is None or words is None:
        raise RuntimeError("there is no pw.x")
    (folder / qe.PSEUDO).symlink_to(Path(profile().pseudopotentials).expanduser() / chosen.family)
    return [*words, "-in", qe.INPUT], ROOT


def _cp2k(work: Path, folder: Path) -> Bare:
    # cp2k_shell is asked for energy and forces; a program by itself is told so in its input
    alone = re.sub(
        r"PROJECT \S+", "PROJECT bare\n   RUN_TYPE ENERGY_FORCE", (work / cp2k.INPUT).read_text()
    )
    (folder / cp2k.INPUT).write_text(alone)
    words = profile().words("cp2k")
    if words is None:
        raise RuntimeError("there is no cp2k")
    return [words[0].replace("cp2k_shell", "cp2k"), "-i", cp2k.INPUT], ROOT


def _tblite(work: Path, folder: Path) -> Bare:
    dft = load(["dft=gfn1_xtb"]).dft
    text = TBLITE.format(accuracy=dft.scf_accuracy, kelvin=dft.electronic_temperature)
    shutil.copyfile(work.parent / "trajectory.extxyz", folder / "trajectory.extxyz")
    return [sys.executable, "-c", text], {}


CASES = (
    Case("gfn1_xtb", (3, 3, 2), "tblite by its own ASE calculator", _tblite),
    Case("cp2k_pbe_d3", (1, 1, 1), "cp2k.psmp", _cp2k),
    Case("qe_pbe_d3_nc", (1, 1, 1), "pw.x", _pw),
)


def label(folder: str, option: str) -> dict[str, float]:
    """The stage as a worker runs it; the seconds that it took."""
    root = Path(folder)
    params, how = _params(option)
    began = time.perf_counter()
    run(params, Inputs({"trajectory": (Given("sample", root, {}),)}, how=how), root / "work")
    return {"seconds": time.perf_counter() - began}


def _params(option: str) -> tuple[Params, dict[str, object]]:
    dft = load([f"dft={option}"]).dft
    elements = set(read_one(FRAME, 0).get_chemical_symbols())
    params = Params.model_validate({"frame": 0, **engine_params(dft, elements)})
    return params, {"retries": [rung.model_dump() for rung in dft.retries]}


def pair(case: Case) -> tuple[Used, float, Used]:
    """By ilmlip's process, the seconds of the stage in it, and bare."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "work").mkdir()
        (root / "bare").mkdir()
        write(root / "trajectory.extxyz", read_one(FRAME, 0).repeat(case.copies))
        ours = measure(python("benchmarks.labels", root, case.option), root)
        inner = answer(root)["seconds"]
        command, environment = case.bare(root / "work", root / "bare")
        return ours, inner, measure(command, root / "bare", environment)


def main(quick: bool) -> Table:
    """Two rows an engine; with `quick`, tight binding alone and once."""
    rows: list[tuple[str, ...]] = []
    for case in CASES[:1] if quick else CASES:
        pairs = [pair(case) for _ in range(1 if quick else REPEATS)]
        for what, ours, bare in (
            ("CPU, whole process", [p[0].cpu for p in pairs], [p[2].cpu for p in pairs]),
            ("wall, the stage", [p[1] for p in pairs], [p[2].wall for p in pairs]),
        ):
            ratios = [one / other for one, other in zip(ours, bare, strict=True)]
            rows.append(
                (
                    f"`{case.option}`, {8 * case.copies[0] * case.copies[1] * case.copies[2]} "
                    f"atoms: {what}",
                    spread(ours, number),
                    f"{spread(bare, number)}, {case.program}",
                    spread(ratios, ratio),
                    AIM,
                )
            )
    columns = ("one label", "ilmlip, s", "bare, s", "ratio", "aim")
    return Table("labels", ("ase", "tblite"), columns, rows)


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    print(json.dumps(label(sys.argv[1], sys.argv[2])))
