"""How long things take on one core, by the number of atoms: a law each, with its source.

Measured on one core of a two-core cloud machine, ±50 %; beyond the atoms that were measured a law is
an extrapolation. Only ratios matter once the store holds results: `ilmlip plan` learns from those.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ilmlip.spec.model import Training


@dataclass(frozen=True)
class Law:
    """Seconds of one label: `seconds` × (atoms / `atoms`) ** `exponent`, at least `least`."""

    seconds: float
    atoms: float
    exponent: float
    source: str
    least: float = 0.0

    def of(self, atoms: float, kpoints: int = 1) -> float:
        """Seconds for so many atoms, at so many k-points."""
        scaled = self.seconds * float((atoms / self.atoms) ** self.exponent)
        return max(self.least, scaled) * kpoints

    def words(self) -> str:
        """The law for people."""
        return f"{self.seconds:g} s × (atoms / {self.atoms:g})^{self.exponent:g}: {self.source}"


LAWS: Mapping[str, Law] = {
    "opls": Law(0.1, 100, 1.0, "LAMMPS, linear; most of it is the start of the program", 0.05),
    "xtb": Law(3.9, 130, 2.3, "measured: GFN1-xTB, 26 to 130 atoms (below 26 it is faster)", 0.04),
    "cp2k": Law(
        102,
        26,
        1.2,
        "measured: 400 Ry, 8, 26 and 130 atoms, the last scaled from 280 Ry by the "
        "points of the grid",
    ),
    "qe": Law(
        52, 8, 2.4, "measured: 50/500 Ry at 8 atoms, the exponent between 8 and 32 at lower cutoffs"
    ),
    "gpaw": Law(
        49 * 2.8,
        26,
        1.3,
        "measured: 500 eV, 8 and 26 atoms, scaled to 1000 eV by the number of plane waves",
    ),
    "vasp": Law(52, 8, 2.5, "not measured: pw.x's, for each k-point that time reversal leaves"),
}
"""By the name of the engine's settings."""


ATOM_STEPS = 250_000.0
"""Atoms × steps per second of LAMMPS with OPLS-AA and PPPM on one core."""
CLASSICAL = "LAMMPS, OPLS-AA: steps × atoms / 250,000 s (measured: 520 atoms, 424 steps/s)"
DYNAMICS = (
    "ASE: steps × atoms × model × 0.3 ms, compiled 0.17 ms (measured: 53 and 212 atoms); model: 1 for "
    "Allegro of r_max 4, l_max 1, 2 layers, else as for train"
)
PER_ATOM = 0.3e-3
"""s per step and atom of a small Allegro model in ASE, not compiled: 64 ms for 212 atoms."""
EVALUATION = "2 s + frames × atoms × model × 0.3 ms, as a step of md"
TRAINING = (
    "steps × batch × atoms × model × 0.66 ms; model: (r_max/4)³ × layers/2 × ((l_max+1)/2)^4.5 for "
    "Allegro, 0.4 × … ^1.25 for NequIP (measured: 53 and 212 atoms, l_max 1 and 2; the cube is the "
    "number of neighbors, not measured)"
)
PER_ATOM_TRAINED = 0.66e-3
"""s per atom and frame of a training step of a small Allegro model: 139 ms for 212 atoms."""


def kpoints_of(settings: object) -> int:
    """K-points that time reversal leaves of a mesh; 1 at Γ and for engines without one."""
    mesh = getattr(settings, "kpoints", None)
    if not isinstance(mesh, tuple):
        return 1
    return (math.prod(mesh) + 1) // 2


def weight(made: Training) -> float:
    """Time per atom of a model over that of Allegro with r_max 4, l_max 1 and two layers.

    Measured ratios of l_max 2 to 1: Allegro 6.6 (918 and 139 ms), NequIP 1.7 (90 and 54 ms).
    """
    nequip_ = made.architecture == "nequip"
    angular = ((made.l_max + 1) / 2) ** (1.25 if nequip_ else 4.5)
    larger = (made.r_max / 4) ** 3 * angular * made.n_layers / 2
    return float((0.4 if nequip_ else 1.0) * max(larger, 0.3))
