"""The liquid box that the tests of the force field share."""

from __future__ import annotations

from dataclasses import dataclass

from ase import Atoms

from ilmlip.chemistry.forcefield import Box
from ilmlip.spec.types import System

PAIRS, CUTOFF = 20, 8.0
"""Twenty pairs: edges of more than twice the cutoff, so that OpenMM's minimum image holds."""


@dataclass(frozen=True)
class Liquid:
    system: System
    box: Box
    atoms: Atoms
