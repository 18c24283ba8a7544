"""What an ion's data file lacks and what looks wrong in it, without computing any dynamics."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ilmlip import ranges
from ilmlip.chemistry.elements import MASSES
from ilmlip.chemistry.ion import CHARGE_TOLERANCE, Ion, IonData
from ilmlip.units import ASE_TIME, KJ_PER_MOL

Level = Literal["ok", "note", "wrong", "failed"]

Vector = NDArray[np.float64]

BOND_RANGE = 0.25
"""Å that a bond may be off its r₀: at 300 K a bond of 1000 kJ/mol/Å² moves by 0.05 Å (one σ)."""
ANGLE_RANGE = 30.0
"""Degrees that an angle of the file's geometry may be off its θ₀."""
CLOSEST = 1.2
"""Å; no two atoms that are not bonded come closer in any molecule (H…H in water: 1.5)."""
PLANAR = 5.0
"""Degrees that the three angles around a planar centre may lack to 360°."""
HYDROGEN_PERIOD = 7.58
"""fs, of H₂ (4401 cm⁻¹; Huber and Herzberg 1979): no bond vibrates faster."""
LARGEST_ANGLE_K, LARGEST_FOURIER = 2000.0, 150.0
"""kJ/mol/rad² and kJ/mol; OPLS and CL&P stay below, of all ions in their files."""


@dataclass(frozen=True)
class Finding:
    """One line of what was looked at."""

    check: str
    level: Level
    text: str
    where: str = ""
    """The file's section that is to be corrected, where one is."""


def check(ion: Ion) -> list[Finding]:
    """Everything there is to say of a file that has been read (as a draft)."""
    return [
        *_charge(ion),
        *_connected(ion),
        *_coverage(ion),
        *_planar(ion),
        *_unused(ion),
        *_ranges(ion),
        *([] if ion.missing() else [*_constants(ion), *_geometry(ion)]),
    ]


def _charge(ion: Ion) -> Iterator[Finding]:
    total = ion.total_charge()
    found = f"the atoms' charges sum to {total:+.6f} e, the ion's charge is {ion.charge:+d} e"
    if abs(total - ion.charge) > CHARGE_TOLERANCE:
        yield Finding("charge", "wrong", f"{found}; correct one of them", "atoms")
    else:
        yield Finding("charge", "ok", found)


def _connected(ion: Ion) -> Iterator[Finding]:
    around = ion.neighbours()
    reached, new = set[str](), [ion.atoms[0].name]
    while new:
        name = new.pop()
        if name not in reached:
            reached.add(name)
            new += around[name]
    apart = [atom.name for atom in ion.atoms if atom.name not in reached]
    if apart:
        text = f"no bonds lead from {ion.atoms[0].name} to {', '.join(apart)}; add what is missing"
        yield Finding("connected", "wrong", text, "bonds")


def _coverage(ion: Ion) -> Iterator[Finding]:
    """Every bond, angle and dihedral; of those without parameters all, by their types."""
    lacking: dict[tuple[str, str], list[tuple[str, ...]]] = defaultdict(list)
    for kind, names in ion.missing():
        key, backwards = ion.types_of(names), ion.types_of(names[::-1])
        lacking[kind, backwards if (kind, backwards) in lacking else key].append(names)
    numbers = {"bond": len(ion.bonds), "angle": len(ion.angles()), "dihedral": len(ion.dihedrals())}
    for kind, number in numbers.items():
        terms = {key: places for (k, key), places in lacking.items() if k == kind}
        without = sum(map(len, terms.values()))
        if not without:
            yield Finding(f"{kind}s", "ok", f"{number} of {number} have parameters")
        for key, places in terms.items():
            shown = ", ".join(map("-".join, places))
            text = f"no parameters {key} for {shown}"
            yield Finding(f"{kind}s", "wrong", text, f"{kind}_types")


def _planar(ion: Ion) -> Iterator[Finding]:
    """Centres of three bonds in a plane: without an improper nothing but the angles holds them."""
    held = {frozenset(row[:4]) for row in ion.impropers}
    at = {atom.name: np.array(atom[4:]) for atom in ion.atoms}
    flat = []
    for centre, around in ion.neighbours().items():
        if len(around) != 3:
            continue
        angles = [_angle(at[a], at[centre], at[b]) for a, b in combinations(around, 2)]
        if sum(angles) > 360 - PLANAR:
            flat.append((centre, frozenset((centre, *around)) in held))
    bare = [name for name, improper in flat if not improper]
    if bare:
        yield Finding("planar", "note", f"without an improper: {', '.join(bare)}", "impropers")
    elif flat:
        yield Finding("planar", "ok", f"{len(flat)} planar centres, each with an improper")


def _unused(ion: Ion) -> Iterator[Finding]:
    unused = ion.unused()
    if unused:
        shown = ", ".join(f"{section}.{key}" for section, key in unused)
        yield Finding("unused", "note", f"no atom or term asks for {shown}", unused[0][0])


def _constants(ion: Ion) -> Iterator[Finding]:
    """Constants beyond what molecules have, most often given in another unit."""
    periods = bond_periods(ion)
    for key, period in periods.items():
        if period < HYDROGEN_PERIOD:
            text = (
                f"{key} vibrates in {period:.2g} fs, faster than H₂ ({HYDROGEN_PERIOD} fs); k is in "
                "kJ/mol/Å² of ½ k x²"
            )
            yield Finding("constants", "note", text, "bond_types")
    for key, angle in ion.angle_types.items():
        if angle.k > LARGEST_ANGLE_K:
            text = f"angle {key}: k = {angle.k:g} is large; it is in kJ/mol/rad² of ½ k x²"
            yield Finding("constants", "note", text, "angle_types")
    rows = [("dihedral_types", key, max(map(abs, v))) for key, v in ion.dihedral_types.items()]
    rows += [("impropers", "-".join(row[:4]), abs(row.v2)) for row in ion.impropers]
    for section, key, largest in rows:
        if largest > LARGEST_FOURIER:
            text = f"dihedral {key}: V = {largest:g} is large; it is in kJ/mol"
            yield Finding("constants", "note", text, section)
    if periods:
        fastest = min(periods, key=periods.__getitem__)
        yield Finding("constants", "ok", f"fastest bond {fastest}, {periods[fastest]:.1f} fs")


def _ranges(ion: Ion) -> Iterator[Finding]:
    """σ, ε, charges, lengths, angles and constants against what molecules have."""
    outside = list(implausible(ion))
    for verdict, section, text in outside:
        yield Finding("ranges", "wrong" if verdict == "impossible" else "note", text, section)
    if not outside:
        yield Finding("ranges", "ok", "σ, ε, charges, lengths, angles and constants are usual ones")


def implausible(ion: IonData) -> Iterator[tuple[ranges.Verdict, str, str]]:
    """Values outside of the table of ranges: the verdict, the file's section, and what to say."""
    values = [("charge", "atoms", atom.name, atom.charge) for atom in ion.atoms]
    for key, lj in ion.lj.items():
        values.append(("epsilon", "lj", key, lj.epsilon))
        if lj.epsilon > 0:
            values.append(("sigma", "lj", key, lj.sigma))
    for kind, section, terms in (
        ("bond length", "bond constant", ion.bond_types),
        ("angle", "angle constant", ion.angle_types),
    ):
        place = f"{section.split()[0]}_types"
        for key, term in terms.items():
            values += [(kind, place, key, term.equilibrium), (section, place, key, term.k)]
    table = ranges.of_ions()
    for kind, section, key, value in values:
        if (verdict := table[kind].verdict(value)) is not None:
            yield verdict, section, f"{kind} of {key} is {table[kind].text(value)}"


def bond_periods(ion: IonData) -> dict[str, float]:
    """Period in fs of each kind of bond, of its two atoms alone."""
    element = {atom.name: atom.element for atom in ion.atoms}
    found: dict[str, float] = {}
    for (a, b), bond in ion.bond_terms():
        one = period(bond.k * KJ_PER_MOL, MASSES[element[a]], MASSES[element[b]])
        key = ion.types_of((a, b))
        key = key if key in ion.bond_types else ion.types_of((b, a))
        found[key] = min(one, found.get(key, math.inf))
    return found


def period(k: float, mass: float, other: float) -> float:
    """Period in fs of two atoms (masses in u) bound by ½ k x², k in eV/Å²: 2π √(μ/k)."""
    return 2 * math.pi * math.sqrt(1 / (k * (1 / mass + 1 / other))) * ASE_TIME


def _geometry(ion: Ion) -> Iterator[Finding]:
    """The file's coordinates against r₀ and θ₀, and atoms too close."""
    at = {atom.name: np.array(atom[4:]) for atom in ion.atoms}
    bonded = {frozenset(bond) for bond in ion.bonds}
    wrong = [
        f"{a}-{b} is {_distance(at[a], at[b]):.2f} Å long, r₀ is {bond.equilibrium:g} Å"
        for (a, b), bond in ion.bond_terms()
        if abs(_distance(at[a], at[b]) - bond.equilibrium) > BOND_RANGE
    ]
    wrong += [
        f"{a} and {b} are {_distance(at[a], at[b]):.2f} Å apart"
        for a, b in combinations(at, 2)
        if frozenset((a, b)) not in bonded and _distance(at[a], at[b]) < CLOSEST
    ]
    for text in wrong:
        yield Finding("geometry", "wrong", text, "atoms")
    for (a, b, c), angle in ion.angle_terms():
        theta = _angle(at[a], at[b], at[c])
        if abs(theta - angle.equilibrium) > ANGLE_RANGE:
            text = f"{a}-{b}-{c} is {theta:.0f}°, θ₀ is {angle.equilibrium:g}°"
            yield Finding("geometry", "note", text, "atoms")
    if not wrong:
        text = f"every bond within {BOND_RANGE} Å of r₀, no atoms closer than {CLOSEST} Å"
        yield Finding("geometry", "ok", text)


def _distance(a: Vector, b: Vector) -> float:
    return float(np.linalg.norm(a - b))


def _angle(a: Vector, vertex: Vector, c: Vector) -> float:
    """Degrees; 0 where two atoms lie on one another."""
    u, v = a - vertex, c - vertex
    length = float(np.linalg.norm(u) * np.linalg.norm(v))
    return math.degrees(math.acos(max(-1.0, min(1.0, float(u @ v) / length)))) if length else 0.0
