"""An ion as a data file gives it: geometry, connectivity, charges and force-field parameters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, Self

import yaml
from pydantic import Field, ValidationError, ValidationInfo, model_validator

from ilmlip.chemistry.elements import MASSES
from ilmlip.chemistry.smiles import with_geometry
from ilmlip.errors import SpecError
from ilmlip.record import Record, field

CLEARANCE = 2.0
"""Å between the spheres around neighbouring ions on a grid; nothing closer can overlap."""
CHARGE_TOLERANCE = 1e-9
"""e; charges in data files are decimal numbers, so that their sum is off by rounding alone."""
FARTHEST = 1000.0
"""Å from the origin; an atom beyond it is a slip of the pen, or in another unit."""

DRAFT: Final = {"draft": True}
"""Context of a validation that leaves the charges' sum and missing parameters to the caller."""

Positive = Annotated[float, Field(gt=0)]


class Atom(NamedTuple):
    """A row of `atoms`: name, element, force-field type, charge (e), position (Å)."""

    name: str
    element: str
    type: str
    charge: float
    x: float
    y: float
    z: float


class LennardJones(NamedTuple):
    """4 ε [(σ/r)¹² − (σ/r)⁶]."""

    sigma: Positive
    """Å"""
    epsilon: Annotated[float, Field(ge=0)]
    """kJ/mol"""


class Harmonic(NamedTuple):
    """½ k (x − x₀)², of a bond length or an angle."""

    equilibrium: Positive
    """Å or degrees"""
    k: Positive
    """kJ/mol/Å² or kJ/mol/rad²"""


class Fourier(NamedTuple):
    """½ [V₁(1+cos φ) + V₂(1−cos 2φ) + V₃(1+cos 3φ) + V₄(1−cos 4φ)], in kJ/mol."""

    v1: float
    v2: float
    v3: float
    v4: float


class Improper(NamedTuple):
    """½ V₂ (1 − cos 2φ) of the dihedral of four atoms, the third of them the centre or not."""

    i: str
    j: str
    k: str
    l: str  # noqa: E741
    v2: float
    """kJ/mol"""


class IonGeometry(Record):
    """What packing needs to know of an ion."""

    elements: tuple[str, ...] = field("Element of each atom")
    positions: tuple[tuple[float, float, float], ...] = field("Position of each atom", unit="Å")

    def radius(self) -> float:
        """Of the sphere about the middle of its smallest box that holds all nuclei, Å."""
        middle = [(min(axis) + max(axis)) / 2 for axis in zip(*self.positions, strict=True)]
        return max(math.dist(middle, position) for position in self.positions)


def least_spacing(ions: Iterable[IonGeometry]) -> float:
    """The narrowest grid (Å) on which ions, however they are turned, stay CLEARANCE apart."""
    return 2 * max(ion.radius() for ion in ions) + CLEARANCE


class IonData(Record):
    """What an ion is made of. Angles and dihedrals follow from the bonds; each needs parameters."""

    charge: int = field("Net charge", unit="e")
    atoms: tuple[Atom, ...] = field(
        "Rows: name, element, type, charge (e), x, y, z (Å)", min_length=1
    )
    bonds: tuple[tuple[str, str], ...] = field("Pairs of bonded atoms, by name", default=())
    lj: dict[str, LennardJones] = field("σ (Å) and ε (kJ/mol) by atom type")
    bond_types: dict[str, Harmonic] = field("r₀ (Å), k (kJ/mol/Å²) by types A-B", default={})
    angle_types: dict[str, Harmonic] = field("θ₀ (°), k (kJ/mol/rad²) by types A-B-C", default={})
    dihedral_types: dict[str, Fourier] = field("V₁…V₄ (kJ/mol) by types A-B-C-D", default={})
    impropers: tuple[Improper, ...] = field("Rows: four atoms, V₂ (kJ/mol)", default=())
    no_angle: tuple[tuple[str, str, str], ...] = field(
        "Bonded triples that carry no angle term, by name", default=()
    )

    @model_validator(mode="after")
    def _is_complete(self, info: ValidationInfo) -> Self:
        self._check_atoms()
        self._check_bonds()
        if info.context is DRAFT:
            return self
        self._check_charges()
        for kind, names in self.missing()[:1]:
            self._type_key(kind, names, getattr(self, f"{kind}_types"))
        return self

    def _check_atoms(self) -> None:
        names = [atom.name for atom in self.atoms]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise SpecError("atoms", f"name {', '.join(twice)} stands twice; name each atom once")
        for atom in self.atoms:
            if atom.element not in MASSES:
                raise SpecError("atoms", f"atom {atom.name} has unknown element {atom.element!r}")
            if max(map(abs, atom[-3:])) > FARTHEST:
                raise SpecError(
                    "atoms",
                    f"atom {atom.name} lies at {', '.join(f'{x:g}' for x in atom[-3:])}; give "
                    f"positions in Å, at most {FARTHEST:g} from the origin",
                )
            if atom.type not in self.lj:
                valid = ", ".join(self.lj)
                raise SpecError(
                    "lj", f"no type {atom.type!r} for atom {atom.name}; there are {valid}"
                )
        known = set(names)
        for place, rows in (
            ("bonds", self.bonds),
            ("no_angle", self.no_angle),
            ("impropers", tuple(row[:4] for row in self.impropers)),
        ):
            for row in rows:
                for name in row:
                    if name not in known:
                        raise SpecError(
                            place, f"unknown atom {name!r}; atoms are {', '.join(names)}"
                        )

    def _check_bonds(self) -> None:
        seen: set[frozenset[str]] = set()
        for a, b in self.bonds:
            if a == b:
                raise SpecError("bonds", f"atom {a} is bonded to itself; name two atoms")
            if frozenset((a, b)) in seen:
                raise SpecError("bonds", f"bond {a}-{b} stands twice; name each bond once")
            seen.add(frozenset((a, b)))
        for a, vertex, c in self.no_angle:
            if a == c or not {frozenset((a, vertex)), frozenset((vertex, c))} <= seen:
                raise SpecError(
                    "no_angle",
                    f"{a}-{vertex}-{c} is no bonded triple; the vertex stands in between",
                )
        for improper in self.impropers:
            if len(set(improper[:4])) < len(improper[:4]):
                raise SpecError("impropers", f"{'-'.join(improper[:4])} names an atom twice")

    def _check_charges(self) -> None:
        total = self.total_charge()
        if abs(total - self.charge) > CHARGE_TOLERANCE:
            raise SpecError(
                "atoms",
                f"the atoms' charges sum to {total:+.6f} e, the ion's charge is {self.charge:+d} e; "
                "correct one of them",
            )

    def bonded_atoms(self) -> tuple[tuple[int, int], ...]:
        """Pairs of bonded atoms, by their number from 0."""
        number = {atom.name: i for i, atom in enumerate(self.atoms)}
        return tuple((number[a], number[b]) for a, b in self.bonds)

    def total_charge(self) -> float:
        """The sum of the atoms' charges, e."""
        return sum(atom.charge for atom in self.atoms)

    def missing(self) -> list[tuple[str, tuple[str, ...]]]:
        """Each term without parameters: bond, angle or dihedral, and its atoms' names."""
        return [
            (kind, names)
            for kind, terms, types in self._kinds()
            for names in terms
            if self.types_of(names) not in types and self.types_of(names[::-1]) not in types
        ]

    def _kinds(self) -> Iterator[tuple[str, Sequence[tuple[str, ...]], Mapping[str, Any]]]:
        """Each kind of bonded term: its name, the terms there are, the parameters given."""
        yield "bond", self.bonds, self.bond_types
        yield "angle", self.angles(), self.angle_types
        yield "dihedral", self.dihedrals(), self.dihedral_types

    def unused(self) -> list[tuple[str, str]]:
        """Parameters that no atom or term asks for: the section and the key."""
        kinds = {atom.type for atom in self.atoms}
        found = [("lj", key) for key in self.lj if key not in kinds]
        for kind, terms, types in self._kinds():
            asked = {self.types_of(t) for t in terms} | {self.types_of(t[::-1]) for t in terms}
            found += [(f"{kind}_types", key) for key in types if key not in asked]
        return found

    def types_of(self, names: Sequence[str]) -> str:
        """The types of some atoms as a key: A-B-C."""
        by_name = {atom.name: atom.type for atom in self.atoms}
        return "-".join(by_name[name] for name in names)

    def _type_key(self, kind: str, names: tuple[str, ...], types: dict[str, Any]) -> str:
        """The key of a term's parameters, read forwards or backwards."""
        forwards, backwards = self.types_of(names), self.types_of(names[::-1])
        if forwards in types:
            return forwards
        if backwards in types:
            return backwards
        raise SpecError(
            f"{kind}_types",
            f"no parameters {forwards!r} for the {kind} {'-'.join(names)}; "
            f"there are {', '.join(types) or 'none'} (ilmlip check-ion lists all that is missing)",
        )

    def neighbours(self) -> dict[str, list[str]]:
        """Bonded atoms of each atom, in the order of the atoms."""
        order = {atom.name: i for i, atom in enumerate(self.atoms)}
        found: dict[str, list[str]] = {atom.name: [] for atom in self.atoms}
        for a, b in self.bonds:
            found[a].append(b)
            found[b].append(a)
        return {name: sorted(others, key=order.__getitem__) for name, others in found.items()}

    def angles(self) -> tuple[tuple[str, str, str], ...]:
        """Every bonded triple that carries an angle term; the vertex in the middle."""
        none = {frozenset((a, c)) | {b} for a, b, c in self.no_angle}
        return tuple(
            (a, vertex, c)
            for vertex, around in self.neighbours().items()
            for a, c in combinations(around, 2)
            if frozenset((a, vertex, c)) not in none
        )

    def dihedrals(self) -> tuple[tuple[str, str, str, str], ...]:
        """Every chain of four bonded atoms, each once."""
        around = self.neighbours()
        return tuple(
            (a, b, c, d)
            for b, c in self.bonds
            for a in around[b]
            for d in around[c]
            if a not in (b, c) and d not in (b, c) and a != d
        )

    def bond_terms(self) -> list[tuple[tuple[str, str], Harmonic]]:
        """Each bond with its parameters."""
        types = self.bond_types
        return [(t, types[self._type_key("bond", t, types)]) for t in self.bonds]

    def angle_terms(self) -> list[tuple[tuple[str, str, str], Harmonic]]:
        """Each angle with its parameters."""
        types = self.angle_types
        return [(t, types[self._type_key("angle", t, types)]) for t in self.angles()]

    def dihedral_terms(self) -> list[tuple[tuple[str, str, str, str], Fourier]]:
        """Each proper dihedral with its parameters."""
        types = self.dihedral_types
        return [(t, types[self._type_key("dihedral", t, types)]) for t in self.dihedrals()]

    def geometry(self) -> IonGeometry:
        """Elements and positions alone."""
        return IonGeometry(
            elements=tuple(atom.element for atom in self.atoms),
            positions=tuple((atom.x, atom.y, atom.z) for atom in self.atoms),
        )

    def mass(self) -> float:
        """Mass in u."""
        return sum(MASSES[atom.element] for atom in self.atoms)


class Ion(IonData):
    """An ion's data file: its name and source too, which change no result."""

    name: str = field("Name of the ion", min_length=1, max_length=20)
    source: str = field("Where the values come from", min_length=1)


def load_ion(path: Path, *, draft: bool = False) -> Ion:
    """The ion of a data file. Raises SpecError that names the file and the place in it.

    `draft`: whether the charges' sum and missing parameters are left to the caller.
    """
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        text = " ".join(str(error).split())
        raise SpecError(str(path), f"cannot be read as YAML: {text}") from None
    if not isinstance(data, dict):
        raise SpecError(str(path), "is no mapping with name, charge, source, atoms, …")
    try:
        if "smiles" in data:
            data = with_geometry(data)
        return Ion.model_validate(data, context=DRAFT if draft else None)
    except SpecError as error:
        raise SpecError(f"{path}: {error.where}", error.message) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        known = (*Ion.model_fields, "smiles")
        valid = f"; valid keys: {', '.join(known)}" if "extra" in first["type"] else ""
        raise SpecError(f"{path}: {place}", f"{first['msg']}{valid}") from None
