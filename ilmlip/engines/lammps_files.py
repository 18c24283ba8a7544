"""Files for a user's own LAMMPS, built with pair_nequip or pair_allegro: nothing is run here."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ilmlip.engines.lammps import INPUT
from ilmlip.engines.lammps_model import head, mover, types, write_data
from ilmlip.engines.moves import start_velocities
from ilmlip.engines.nequip_package import COMPILED
from ilmlip.spec.ensemble import Run

if TYPE_CHECKING:
    from ase import Atoms

START, QUESTION = "start.data", "in.styles"
STYLES = {"allegro": "on", "nequip": "off"}
"""The pair style of each architecture, and LAMMPS's `newton` that it asks for."""


def write_files(
    folder: Path,
    atoms: Atoms,
    architecture: str,
    made: Run,
    seed: int,
    thermo_every: int,
    frame_every: int,
) -> None:
    """Write INPUT and START of a run from `atoms`, for a model in COMPILED beside them.

    The first velocities are those of the same run by ilmlip. Raises KeyError for an architecture that
    has no pair style.
    """
    start = atoms.copy()
    start_velocities(start, made.temperature, seed)
    write_data(folder / START, start)
    lines = [
        f"# lmp -in {INPUT}   (needs pair_style {architecture}: `info styles pair` lists all)",
        f"newton {STYLES[architecture]}",
        *head(f"read_data {START}"),
        f"pair_style {architecture}",
        f"pair_coeff * * {COMPILED} {' '.join(types(start))}",
        "neighbor 2.0 bin",
        "neigh_modify every 1 delay 0 check yes",
        *mover(made),
        f"thermo {thermo_every}",
        "thermo_style custom step time temp press density pe ke etotal econserve",
        f"dump frames all custom {frame_every} frames.dump id element xu yu zu fx fy fz",
        f"dump_modify frames sort id element {' '.join(types(start))}",
        f"restart {max(frame_every, 2000)} restart.1 restart.2",
        f"run {round(made.whole() / made.timestep)}",
    ]
    (folder / INPUT).write_text("\n".join(lines) + "\n", encoding="utf-8")


@cache
def styles(program: str = "lmp") -> frozenset[str]:
    """Pair styles that an installed LAMMPS has, plugins included; none where there is none.

    It is asked by a script: `lmp -h` loads no plugins.
    """
    path = shutil.which(program)
    if path is None:
        return frozenset()
    with tempfile.TemporaryDirectory(prefix="ilmlip-") as folder:
        (Path(folder) / QUESTION).write_text("info styles pair\n", encoding="utf-8")
        try:
            said = subprocess.run(
                [path, "-in", QUESTION, "-log", "none"],
                cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                check=False, encoding="utf-8", errors="replace",
            ).stdout  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return frozenset()
    return pair_styles(said)


def pair_styles(said: str) -> frozenset[str]:
    """The pair styles in the answer to `info styles pair`."""
    _, _, after = said.partition("Pair styles:")
    return frozenset(after.partition("\nInfo-")[0].split())


def ready(architecture: str) -> str:
    """Whether the `lmp` on PATH runs such models, as a sentence."""
    if architecture in styles():
        return f"the lmp on PATH has pair_style {architecture}"
    there = "the lmp on PATH has" if styles() else "no lmp is on PATH, or it has"
    return (
        f"{there} no pair_style {architecture}; build LAMMPS with pair_nequip_allegro, or let it find "
        "that as a plugin (LAMMPS_PLUGIN_PATH), or take ensemble.engine=ase or lammps"
    )
