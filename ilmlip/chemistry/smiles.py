"""From a SMILES string to coordinates and bonds, by RDKit (the optional extra `smiles`).

A geometry is a part of an ion's identity. It is made with a fixed seed and rounded, so that one
version of RDKit gives one geometry; `ilmlip check-ion FILE --write OUT` keeps it for all versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from ilmlip.errors import SpecError

SEED = 20240607
"""Of RDKit's embedding."""
DECIMALS = 3
"""Of the coordinates, Å."""
CLEAN_UP_STEPS = 2000
"""At most, of the minimisation with MMFF or UFF."""


def with_geometry(data: Mapping[str, Any]) -> dict[str, Any]:
    """The content of an ion's file with `smiles` replaced by coordinates and bonds.

    `atoms` are rows of name, element, type and charge: the heavy atoms in the order of the SMILES,
    then the hydrogens as RDKit's AddHs appends them. Raises SpecError, naming the place.
    """
    rows = _rows(data)
    molecule = _molecule(data["smiles"])
    _same_elements(rows, molecule)
    _same_charge(data.get("charge"), molecule)
    names = [row[0] for row in rows]
    bonds = [
        [names[bond.GetBeginAtomIdx()], names[bond.GetEndAtomIdx()]] for bond in molecule.GetBonds()
    ]
    given = data.get("bonds")
    if given is not None:
        _same_bonds(given, bonds)
        bonds = given
    positions = _embedded(molecule)
    atoms = [[*row, *place] for row, place in zip(rows, positions, strict=True)]
    kept = {key: value for key, value in data.items() if key != "smiles"}
    if isinstance(kept.get("source"), str):  # no part of any key
        kept["source"] += f" Geometry: RDKit {version()}, of the SMILES {data['smiles']}."
    return {**kept, "atoms": atoms, "bonds": bonds}


def version() -> str:
    """RDKit's version, for the record of where a geometry comes from."""
    from rdkit import rdBase

    return str(rdBase.rdkitVersion)


def _rows(data: Mapping[str, Any]) -> list[list[Any]]:
    """The rows of `atoms`: each of four values, since coordinates come from the SMILES."""
    rows = data.get("atoms")
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise SpecError("atoms", "give a list of rows: name, element, type, charge")
    for row in rows:
        if len(row) != 4:
            raise SpecError(
                "atoms",
                f"row {row!r} has {len(row)} values; with smiles it is name, element, type, "
                "charge. Leave out either the coordinates or smiles",
            )
    return rows


def _molecule(smiles: Any) -> Any:
    """RDKit's molecule with all hydrogens."""
    if find_spec("rdkit") is None:
        raise SpecError(
            "smiles",
            "needs RDKit, which is not installed; pip install 'ilmlip[smiles]', or give the atoms' "
            "coordinates",
        )
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles) if isinstance(smiles, str) and smiles else None
        if molecule is None:
            raise SpecError("smiles", f"{smiles!r} is no SMILES that RDKit can read; correct it")
        if len(Chem.GetMolFrags(molecule)) > 1:
            raise SpecError("smiles", f"{smiles!r} is more than one ion; give each its own file")
        return Chem.AddHs(molecule)


def _same_elements(rows: list[list[Any]], molecule: Any) -> None:
    theirs = [atom.GetSymbol() for atom in molecule.GetAtoms()]
    for number, (row, element) in enumerate(zip(rows, theirs, strict=False), start=1):
        if row[1] != element:
            raise SpecError(
                "atoms",
                f"atom {number}, {row[0]}, is {row[1]!r}, and the SMILES has {element} there; the "
                f"order is that of the SMILES, hydrogens last: {' '.join(theirs)}",
            )
    if len(rows) != len(theirs):
        raise SpecError(
            "atoms",
            f"there are {len(rows)} rows, and the SMILES has {len(theirs)} atoms with its "
            f"hydrogens: {' '.join(theirs)}",
        )


def _same_charge(charge: Any, molecule: Any) -> None:
    from rdkit import Chem

    formal = Chem.GetFormalCharge(molecule)
    if charge != formal:
        raise SpecError(
            "smiles", f"its formal charges sum to {formal:+d} e, and charge is {charge!r}; "
            "correct one of them",
        )  # fmt: skip


def _same_bonds(given: Any, bonds: list[list[str]]) -> None:
    """Bonds may be left out; where they are given, they are those of the SMILES."""
    theirs = {frozenset(bond) for bond in bonds}
    try:
        ours = {frozenset(bond) for bond in given}
    except TypeError:
        raise SpecError("bonds", "give a list of pairs of names, or leave it out") from None
    for wrong, text in ((ours - theirs, "no bond of the SMILES"), (theirs - ours, "missing here")):
        if wrong:
            first = "-".join(sorted(map(str, min(wrong, key=sorted))))
            raise SpecError("bonds", f"{first} is {text}; correct one, or leave out bonds")


def _embedded(molecule: Any) -> list[list[float]]:
    """Positions (atoms, 3) in Å about their mean: distance geometry, then MMFF or else UFF."""
    from rdkit import rdBase
    from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

    settings: Any = rdDistGeom.ETKDGv3()
    settings.randomSeed = SEED
    with rdBase.BlockLogs():
        if rdDistGeom.EmbedMolecule(molecule, settings) != 0:
            settings.useRandomCoords = True
            if rdDistGeom.EmbedMolecule(molecule, settings) != 0:
                raise SpecError("smiles", "RDKit finds no geometry; give the atoms' coordinates")
        clean_up = rdForceFieldHelpers
        if clean_up.MMFFHasAllMoleculeParams(molecule):
            clean_up.MMFFOptimizeMolecule(molecule, maxIters=CLEAN_UP_STEPS)
        elif clean_up.UFFHasAllMoleculeParams(molecule):
            clean_up.UFFOptimizeMolecule(molecule, maxIters=CLEAN_UP_STEPS)
    positions = molecule.GetConformer().GetPositions()
    places = (positions - positions.mean(axis=0)).round(DECIMALS)
    return [[float(x) + 0.0 for x in row] for row in places]
