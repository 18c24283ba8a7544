"""The force field of a system in house units: every term of every ion, charges scaled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from ilmlip.chemistry.elements import MASSES
from ilmlip.chemistry.ion import IonData
from ilmlip.record import Record, field
from ilmlip.units import KJ_PER_MOL

Term2 = tuple[int, int, float, float]
Term3 = tuple[int, int, int, float, float]
Term4 = tuple[int, int, int, int, float, float, float, float]
Improper4 = tuple[int, int, int, int, float]


class IonTerms(Record):
    """One ion's terms; atoms are numbered from 0 within the ion."""

    elements: tuple[str, ...] = field("Element of each atom")
    masses: tuple[float, ...] = field("Mass of each atom", unit="u")
    charges: tuple[float, ...] = field("Scaled charge of each atom", unit="e")
    sigmas: tuple[float, ...] = field("Lennard-Jones σ of each atom", unit="Å")
    epsilons: tuple[float, ...] = field("Lennard-Jones ε of each atom", unit="eV")
    bonds: tuple[Term2, ...] = field("i, j, r₀ (Å), k (eV/Å²); energy ½ k (r − r₀)²")
    angles: tuple[Term3, ...] = field("i, j, k, θ₀ (°), k (eV/rad²); energy ½ k (θ − θ₀)²")
    dihedrals: tuple[Term4, ...] = field("i, j, k, l, V₁…V₄ (eV), OPLS form")
    impropers: tuple[Improper4, ...] = field("i, j, k, l, V₂ (eV); ½ V₂ (1 − cos 2φ)")


class ForceField(Record):
    """OPLS-AA of a set of ions: geometric combination, 1–4 interactions scaled by `fudge`."""

    ions: dict[str, IonTerms] = field("Terms of each ion")
    fudge: float = field("Factor on 1–4 Lennard-Jones and Coulomb terms", default=0.5)


def scaled_forcefield(ions: Mapping[str, IonData], charge_scale: float) -> ForceField:
    """The force field with all charges times `charge_scale`.

    Scaling is done in decimal arithmetic, in which data files are written: an ion's charges sum
    to exactly scale × charge, and a neutral box to exactly zero.
    """
    return ForceField(ions={name: _terms(ion, charge_scale) for name, ion in ions.items()})


def exact_sum(charges: Sequence[float]) -> Decimal:
    """The sum of decimal charges without rounding."""
    return sum((Decimal(repr(q)) for q in charges), Decimal(0))


def _terms(ion: IonData, scale: float) -> IonTerms:
    number = {atom.name: i for i, atom in enumerate(ion.atoms)}
    factor = Decimal(repr(scale))

    def at(names: Sequence[str]) -> list[int]:
        return [number[name] for name in names]

    return IonTerms.model_validate(
        {
            "elements": [a.element for a in ion.atoms],
            "masses": [MASSES[a.element] for a in ion.atoms],
            "charges": [float(Decimal(repr(a.charge)) * factor) for a in ion.atoms],
            "sigmas": [ion.lj[a.type].sigma for a in ion.atoms],
            "epsilons": [ion.lj[a.type].epsilon * KJ_PER_MOL for a in ion.atoms],
            "bonds": [(*at(t), p.equilibrium, p.k * KJ_PER_MOL) for t, p in ion.bond_terms()],
            "angles": [(*at(t), p.equilibrium, p.k * KJ_PER_MOL) for t, p in ion.angle_terms()],
            "dihedrals": [
                (*at(t), *(v * KJ_PER_MOL for v in p)) for t, p in ion.dihedral_terms() if any(p)
            ],
            "impropers": [(*at(row[:4]), row.v2 * KJ_PER_MOL) for row in ion.impropers],
        }
    )


@dataclass(frozen=True)
class Box:
    """The topology of a box: the ions one after the other, atoms numbered from 0."""

    names: tuple[str, ...]
    """Ion of each ion of the box, in the order of the atoms."""
    elements: tuple[str, ...]
    ion_id: NDArray[np.int64]
    """Shape (atoms,): number of the ion that an atom belongs to."""
    ion_type: tuple[str, ...]
    """Name of the ion that an atom belongs to."""
    masses: NDArray[np.float64]
    charges: NDArray[np.float64]
    sigmas: NDArray[np.float64]
    epsilons: NDArray[np.float64]
    bonds: tuple[Term2, ...]
    angles: tuple[Term3, ...]
    dihedrals: tuple[Term4, ...]
    impropers: tuple[Improper4, ...]
    fudge: float
    """Factor on 1–4 Lennard-Jones and Coulomb terms."""


def topology(forcefield: ForceField, names: Sequence[str]) -> Box:
    """The box that holds these ions in this order."""
    parts = [forcefield.ions[name] for name in names]
    sizes = [len(part.elements) for part in parts]
    starts = np.cumsum([0, *sizes])[:-1].tolist() if sizes else []

    def shifted(kind: str, atoms: int) -> tuple[tuple[float, ...], ...]:
        return tuple(
            (*(i + start for i in term[:atoms]), *term[atoms:])
            for part, start in zip(parts, starts, strict=True)
            for term in getattr(part, kind)
        )

    def joined(kind: str) -> NDArray[np.float64]:
        return np.array([value for part in parts for value in getattr(part, kind)])

    return Box(
        names=tuple(names),
        elements=tuple(e for part in parts for e in part.elements),
        ion_id=np.repeat(np.arange(len(parts)), sizes),
        ion_type=tuple(n for n, size in zip(names, sizes, strict=True) for _ in range(size)),
        masses=joined("masses"),
        charges=joined("charges"),
        sigmas=joined("sigmas"),
        epsilons=joined("epsilons"),
        bonds=shifted("bonds", 2),  # type: ignore[arg-type]
        angles=shifted("angles", 3),  # type: ignore[arg-type]
        dihedrals=shifted("dihedrals", 4),  # type: ignore[arg-type]
        impropers=shifted("impropers", 4),  # type: ignore[arg-type]
        fudge=forcefield.fudge,
    )
