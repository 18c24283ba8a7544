"""Many configurations of one box labelled in one run of LAMMPS, by a plain input."""

from __future__ import annotations

from ilmlip.chemistry.forcefield import Box
from ilmlip.engines import lammps

LABELS = "labels.txt"
VIRIAL = [f"c_virial[{i}]" for i in range(1, 7)]


def label_input(box: Box, how: lammps.Interactions, frames: int) -> str:
    """Energy, forces and virial of frame-0.data, frame-1.data …, each read into a new simulation.

    LABELS gets a line a frame: its number, energy (eV) and virial pressure (bar; xx, yy, zz, xy,
    xz, yz). forces-<number>.dump gets its forces (eV/Å). They are the numbers that
    `lammps.label_input` gives for one frame alone.
    """
    numbers = " ".join(str(i) for i in range(frames))
    values = " ".join(f"$({name}:%.15g)" for name in ("pe", *VIRIAL))
    lines = [
        f'print "# frame, energy (eV), virial pressure xx yy zz xy xz yz (bar)" file {LABELS}',
        f"variable frame index {numbers}",
        "label next",
        "clear",
        *lammps.head(box, how, "frame-${frame}.data"),
        "compute virial all pressure NULL virial",
        f"thermo_style custom step pe {' '.join(VIRIAL)}",
        "thermo_modify format float %.15g",
        "run 0",
        f'print "${{frame}} {values}" append {LABELS}',
        "write_dump all custom forces-${frame}.dump id fx fy fz modify sort id format float %.15g",
        "next frame",
        f"jump {lammps.INPUT} next",
    ]
    return "\n".join(lines) + "\n"
