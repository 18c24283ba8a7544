"""The force field once more, by OpenMM, from the ions' data files alone.

Nothing of ilmlip computes here: terms are enumerated by brute force over the bonds, the values go
to OpenMM in the units of the files (kJ/mol, converted to nm), and OpenMM's own constants are used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import openmm as mm
import yaml
from numpy.typing import NDArray

EV = 96.48533212331  # kJ/mol in one eV
NM = 0.1  # nm in one Å
GROUPS = {"bond": 1, "angle": 2, "dihedral": 3, "improper": 4, "lj": 5, "coulomb": 6}


class Reference:
    """Energy by terms, forces and stress of a box of ions."""

    def __init__(
        self,
        files: dict[str, Path],
        names: Sequence[str],
        scale: float,
        cutoff: float,
        *,
        tail: bool = False,
        ewald: float = 1e-6,
    ):
        """`tail`: Lennard-Jones cut, with OpenMM's long-range correction, and not shifted."""
        self.data = {
            name: yaml.safe_load(path.read_text(encoding="utf-8")) for name, path in files.items()
        }
        self.names, self.scale, self.cutoff = names, scale, cutoff
        self.tail, self.ewald = tail, ewald
        self.system = mm.System()
        self._forces()
        self.context: mm.Context | None = None

    def _forces(self) -> None:
        bond, angle = mm.HarmonicBondForce(), mm.HarmonicAngleForce()
        torsion, improper = mm.PeriodicTorsionForce(), mm.PeriodicTorsionForce()
        coulomb = mm.NonbondedForce()
        coulomb.setNonbondedMethod(mm.NonbondedForce.PME)
        coulomb.setCutoffDistance(self.cutoff * NM)
        coulomb.setEwaldErrorTolerance(self.ewald)
        coulomb.setUseDispersionCorrection(False)
        shape = "4*e1*e2*((s1*s2/{0})^12-(s1*s2/{0})^6)"
        beyond = "0" if self.tail else shape.format(self.cutoff * NM)
        lj = mm.CustomNonbondedForce(f"{shape.format('r')}-{beyond}")
        lj.setUseLongRangeCorrection(self.tail)
        lj.addPerParticleParameter("e")  # square roots: geometric combination
        lj.addPerParticleParameter("s")
        lj.setNonbondedMethod(mm.CustomNonbondedForce.CutoffPeriodic)
        lj.setCutoffDistance(self.cutoff * NM)
        shape = "0.5*4*e*((s/{0})^12-(s/{0})^6)"
        beyond = "0" if self.tail else shape.format(self.cutoff * NM)
        near = mm.CustomBondForce(f"{shape.format('r')}-{beyond}")
        near.addPerBondParameter("e")
        near.addPerBondParameter("s")
        start = 0
        for name in self.names:
            ion = self.data[name]
            number = {row[0]: start + i for i, row in enumerate(ion["atoms"])}
            kind = {row[0]: row[2] for row in ion["atoms"]}
            charge = {row[0]: row[3] * self.scale for row in ion["atoms"]}
            for row in ion["atoms"]:
                sigma, epsilon = ion["lj"][row[2]]
                self.system.addParticle(1.0)
                coulomb.addParticle(charge[row[0]], 1.0, 0.0)
                lj.addParticle([math.sqrt(epsilon), math.sqrt(sigma * NM)])
            bonded = {frozenset(pair) for pair in ion.get("bonds", [])}
            atoms = [row[0] for row in ion["atoms"]]
            for a, b in ion.get("bonds", []):
                r, k = look_up(ion["bond_types"], kind, (a, b))
                bond.addBond(number[a], number[b], r * NM, k / NM**2)
            none = {frozenset(triple) for triple in ion.get("no_angle", [])}
            second: set[frozenset[str]] = set()
            for v in atoms:
                for a, c in combinations([x for x in atoms if frozenset((x, v)) in bonded], 2):
                    second.add(frozenset((a, c)))
                    if frozenset((a, v, c)) not in none:
                        theta, k = look_up(ion["angle_types"], kind, (a, v, c))
                        angle.addAngle(number[a], number[v], number[c], math.radians(theta), k)
            third: set[frozenset[str]] = set()
            for a, b, c, d in permutations(atoms, 4) if len(atoms) < 8 else chains(atoms, bonded):
                if not {frozenset((a, b)), frozenset((b, c)), frozenset((c, d))} <= bonded or a > d:
                    continue
                third.add(frozenset((a, d)))
                vs = look_up(ion["dihedral_types"], kind, (a, b, c, d))
                for n, v in enumerate(vs, start=1):
                    phase = 0.0 if n % 2 else math.pi
                    at = [number[x] for x in (a, b, c, d)]
                    torsion.addTorsion(*at, n, phase, v / 2)
            for *four, v2 in ion.get("impropers", []):
                improper.addTorsion(*[number[x] for x in four], 2, math.pi, v2 / 2)
            for pair in bonded | second | third:
                a, b = sorted(pair, key=number.__getitem__)
                far = pair not in bonded and pair not in second
                qq = 0.5 * charge[a] * charge[b] if far else 0.0
                coulomb.addException(number[a], number[b], qq, 1.0, 0.0)
                lj.addExclusion(number[a], number[b])
                if far:
                    (s1, e1), (s2, e2) = ion["lj"][kind[a]], ion["lj"][kind[b]]
                    near.addBond(
                        number[a], number[b], [math.sqrt(e1 * e2), math.sqrt(s1 * s2) * NM]
                    )
            start += len(atoms)
        near.setUsesPeriodicBoundaryConditions(False)
        for group, forces in (
            ("bond", [bond]),
            ("angle", [angle]),
            ("dihedral", [torsion]),
            ("improper", [improper]),
            ("lj", [lj, near]),
            ("coulomb", [coulomb]),
        ):
            for force in forces:
                force.setForceGroup(GROUPS[group])
                self.system.addForce(force)

    def _set(self, positions: NDArray[np.float64], cell: NDArray[np.float64]) -> mm.Context:
        vectors = [mm.Vec3(*row) for row in cell * NM]
        self.system.setDefaultPeriodicBoxVectors(*vectors)
        if self.context is None:
            platform = mm.Platform.getPlatformByName("Reference")
            self.context = mm.Context(self.system, mm.VerletIntegrator(0.001), platform)
        self.context.setPeriodicBoxVectors(*vectors)
        self.context.setPositions(positions * NM)
        return self.context

    def terms(self, positions: NDArray[np.float64], cell: NDArray[np.float64]) -> dict[str, float]:
        """Energy of each term, eV."""
        context = self._set(positions, cell)
        return {
            name: context.getState(getEnergy=True, groups={group}).getPotentialEnergy()._value / EV
            for name, group in GROUPS.items()
        }

    def energy(self, positions: NDArray[np.float64], cell: NDArray[np.float64]) -> float:
        """eV."""
        return sum(self.terms(positions, cell).values())

    def forces(
        self, positions: NDArray[np.float64], cell: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Shape (atoms, 3), eV/Å."""
        state = self._set(positions, cell).getState(getForces=True)
        return np.array(state.getForces(asNumpy=True)._value) / EV * NM

    def stress(
        self, positions: NDArray[np.float64], cell: NDArray[np.float64], strain: float = 5e-4
    ) -> NDArray[np.float64]:
        """dE/dε / V by central differences: xx, yy, zz, yz, xz, xy in eV/Å³.

        A shear keeps the cell lower triangular, as OpenMM wants it; the energy does not depend on
        the rotation in which that differs from the symmetric strain.
        """
        volume = abs(np.linalg.det(cell))
        found = []
        for i, j in ((0, 0), (1, 1), (2, 2), (2, 1), (2, 0), (1, 0)):
            energies = []
            for sign in (1, -1):
                deform = np.eye(3)
                deform[i, j] += sign * strain
                energies.append(self.energy(positions @ deform, cell @ deform))
            found.append((energies[0] - energies[1]) / (2 * strain * volume))
        return np.array(found)


def look_up(types: dict, kind: dict[str, str], names: tuple[str, ...]) -> list[float]:
    """Parameters of a term by its types, read in either direction."""
    key = [kind[name] for name in names]
    return types.get("-".join(key)) or types["-".join(reversed(key))]


def chains(atoms: list[str], bonded: set[frozenset[str]]):
    """Candidate chains of four atoms, without the cost of all permutations."""
    around = {a: [b for b in atoms if frozenset((a, b)) in bonded] for a in atoms}
    for a in atoms:
        for b in around[a]:
            for c in around[b]:
                if c == a:
                    continue
                for d in around[c]:
                    if d not in (a, b):
                        yield a, b, c, d
