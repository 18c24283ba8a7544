"""Ions' data files: complete, neutral as they say, and equal to the published files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ilmlip.chemistry.ion import Ion, load_ion
from ilmlip.errors import SpecError
from ilmlip.spec.shipped import shipped

ITP = Path(__file__).parents[3] / "shared" / "data" / "forcefield" / "acevedo_2009IL"
ROUNDING = 0.0021
"""kJ/mol: the file of BMIM gives 10.75 kcal/mol as 44.978 and as 44.980, of the same types."""
FILES = sorted((shipped("conf") / "ion").glob("*.yaml"))


def ion(name: str) -> Ion:
    return load_ion(shipped("conf") / "ion" / f"{name}.yaml")


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_shipped_ion_is_complete(path: Path) -> None:
    found = load_ion(path)
    assert sum(atom.charge for atom in found.atoms) == pytest.approx(found.charge, abs=1e-9)
    assert len(found.bond_terms()) == len(found.bonds)


def terms_of(name: str) -> list[int]:
    found = ion(name)
    return [len(t) for t in (found.bonds, found.angles(), found.dihedrals(), found.impropers)]


def test_numbers_of_terms() -> None:
    pf6 = ion("pf6")
    assert terms_of("emim") == [19, 33, 41, 5]
    assert terms_of("pf6") == [6, 12, 0, 0]
    assert terms_of("bmim") == [25, 45, 59, 5]
    assert terms_of("bf4") == [4, 6, 0, 0]
    assert terms_of("ntf2") == [14, 25, 24, 0]
    assert terms_of("fomim") == [37, 69, 95, 5]
    assert terms_of("c4f9co2") == [15, 27, 33, 1]
    axes = {frozenset(("F1", "F4")), frozenset(("F2", "F5")), frozenset(("F3", "F6"))}
    assert not axes & {frozenset((a, c)) for a, _, c in pf6.angles()}  # cis only


def itp(name: str, section: str) -> list[list[str]]:
    """Rows of a section of a published file."""
    rows, inside = [], False
    for line in (ITP / f"{name}.itp").read_text(encoding="utf-8").splitlines():
        if heading := re.match(r"\[\s*(\w+)\s*\]", line):
            inside = heading.group(1) == section
        elif inside and (words := line.split(";")[0].split()):
            rows.append(words)
    return rows


@pytest.mark.skipif(not ITP.is_dir(), reason="the published files (shared/) are not here")
@pytest.mark.parametrize("name", ["emim", "bmim", "pf6", "bf4", "ntf2"])
def test_values_are_those_of_the_published_file(name: str) -> None:
    """Atom by atom and term by term, in the published order of the atoms."""
    ours, file = ion(name), name.upper()
    atoms = itp(file, "atoms")
    assert [float(row[6]) for row in atoms] == [atom.charge for atom in ours.atoms]
    assert [row[1] for row in atoms] == [atom.type for atom in ours.atoms]
    number = {atom.name: i + 1 for i, atom in enumerate(ours.atoms)}

    def either_way(ids: list[int]) -> tuple[int, ...]:
        return min(tuple(ids), tuple(reversed(ids)))

    def terms(found: list, pick) -> dict[tuple[int, ...], list[float]]:
        return {either_way([number[n] for n in names]): pick(p) for names, p in found}

    def published(section: str, n: int, pick) -> dict[tuple[int, ...], list[float]]:
        return {either_way([int(w) for w in r[:n]]): pick(r) for r in itp(file, section)}

    assert terms(ours.bond_terms(), lambda p: [p.equilibrium, p.k]) == {
        key: pytest.approx(value)
        for key, value in published(
            "bonds", 2, lambda r: [float(r[3]) * 10, float(r[4]) / 100]
        ).items()
    }
    assert terms(ours.angle_terms(), lambda p: [p.equilibrium, p.k]) == published(
        "angles", 3, lambda r: [float(r[4]), float(r[5])]
    )
    theirs = published("dihedrals", 4, lambda r: [float(x) for x in r[5:9]])
    improper = {
        either_way([number[n] for n in row[:4]]): [0.0, row.v2, 0.0, 0.0] for row in ours.impropers
    }
    assert terms(ours.dihedral_terms(), list) | improper == {
        key: pytest.approx(value, abs=ROUNDING) for key, value in theirs.items()
    }
    for row in itp(f"{file}_atomtypes", "atomtypes"):
        sigma, epsilon = ours.lj[row[0]]
        assert (sigma, epsilon) == pytest.approx((float(row[4]) * 10, float(row[5])))


def broken(tmp_path: Path, change) -> str:
    data = yaml.safe_load((shipped("conf") / "ion" / "pf6.yaml").read_text(encoding="utf-8"))
    change(data)
    path = tmp_path / "ion.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    with pytest.raises(SpecError) as error:
        load_ion(path)
    assert str(path) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda d: d["bond_types"].clear(), ["'P-F'", "P-F1", "there are none"]),
        (lambda d: d["no_angle"].clear(), []),
        (lambda d: d["angle_types"].update({"F-P-F": [90.0]}), ["angle_types"]),
        (lambda d: d["atoms"][0].__setitem__(3, 1.0), ["sum to -1.340000 e", "-1 e"]),
        (lambda d: d["atoms"][1].__setitem__(0, "P"), ["P stands twice"]),
        (lambda d: d["atoms"][1].__setitem__(1, "Xx"), ["unknown element 'Xx'"]),
        (
            lambda d: d["atoms"][1].__setitem__(4, -1e300),
            ["atom F1 lies at -1e+300", "at most 1000"],
        ),
        (lambda d: d["bonds"].append(["P", "F9"]), ["unknown atom 'F9'", "F6"]),
        (lambda d: d["bonds"].append(["F1", "P"]), ["bond F1-P stands twice"]),
        (lambda d: d["bonds"].append(["P", "P"]), ["P is bonded to itself"]),
        (lambda d: d["no_angle"].append(["P", "F1", "F2"]), ["P-F1-F2 is no bonded triple"]),
        (lambda d: d.update(impropers=[["P", "F1", "F2", "P", 1.0]]), ["P-F1-F2-P", "twice"]),
        (lambda d: d["lj"].pop("F"), ["no type 'F'"]),
        (lambda d: d.update(colour="red"), ["colour", "valid keys"]),
        (lambda d: d.pop("charge"), ["charge"]),
    ],
)
def test_mistakes_are_located(tmp_path: Path, change, parts: list[str]) -> None:
    if not parts:  # all 15 angles: allowed by the format, and 3 terms more
        data = yaml.safe_load((shipped("conf") / "ion" / "pf6.yaml").read_text(encoding="utf-8"))
        change(data)
        (tmp_path / "ion.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
        assert len(load_ion(tmp_path / "ion.yaml").angles()) == 15
        return
    text = broken(tmp_path, change)
    for part in parts:
        assert part in text


def test_a_file_that_is_no_mapping(tmp_path: Path) -> None:
    path = tmp_path / "ion.yaml"
    path.write_text("- a\n", encoding="utf-8")
    with pytest.raises(SpecError, match="no mapping"):
        load_ion(path)
