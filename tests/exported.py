"""Exports of the smallest study of labels, and their scripts run where ilmlip cannot be imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from ilmlip.chemistry.boxes import read_one

FRAME = Path(__file__).parent / "data" / "lipf6.extxyz"
ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
BLOCKER = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "ilmlip":
            raise ModuleNotFoundError("ilmlip is not here")
sys.meta_path.insert(0, Blocker())
"""


def run_script(folder: Path, name: str, *folders: str) -> subprocess.CompletedProcess[str]:
    """A script of an export in `folder`, without ilmlip."""
    blocked = folder.parent / "blocked"
    blocked.mkdir(exist_ok=True)
    (blocked / "sitecustomize.py").write_text(BLOCKER, encoding="utf-8")
    programs = Path(sys.executable).parent
    environment = {
        **os.environ,
        **ROOT,
        "PYTHON": sys.executable,
        "PYTHONPATH": str(blocked),
        "PATH": f"{programs}:{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        ["bash", str(folder / name), *folders],
        capture_output=True, text=True, env=environment, check=False, encoding="utf-8",
    )  # fmt: skip


def write_dump(folder: Path) -> None:
    """The dumps that samplings would leave: a pair in a box of 6.4 Å, its atoms moved a little."""
    steps: dict[str, set[int]] = {}
    for place in sorted((folder / "3-label").glob("*/frames.json")):
        wanted = json.loads(place.read_text(encoding="utf-8"))
        steps.setdefault(wanted["dump"], set()).update(wanted["steps"])
    structure = next((folder / "3-label").glob("*/structure.extxyz"))
    elements = read_one(structure, 0).get_chemical_symbols()
    pair = read_one(FRAME, 0)
    order = [i for e in dict.fromkeys(elements) for i, a in enumerate(pair) if a.symbol == e]
    if [pair[i].symbol for i in order] != elements:
        raise ValueError("the export is not of one LiPF6 pair")
    for number, (name, wanted_steps) in enumerate(sorted(steps.items())):
        rng = np.random.default_rng(1 + number)
        with (folder / name).open("w", encoding="utf-8") as out:
            for step in sorted(wanted_steps):
                out.write(f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{len(order)}\n")
                out.write("ITEM: BOX BOUNDS pp pp pp\n" + "0 6.4\n" * 3)
                out.write("ITEM: ATOMS id xu yu zu\n")
                moved = pair.positions[order] + rng.normal(scale=0.02, size=(len(order), 3))
                for i, row in enumerate(moved):
                    out.write(f"{i + 1} " + " ".join(f"{x:.12g}" for x in row) + "\n")
