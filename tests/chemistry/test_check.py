"""What check finds in an ion's data file: nothing in ours, each mistake where it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from ion_data import Change, changed, shipped_ion

from ilmlip.chemistry.check import Finding, bond_periods, check, period
from ilmlip.chemistry.ion import load_ion
from ilmlip.spec.shipped import options


def found(name: str, change: Change, folder: Path) -> list[Finding]:
    return check(load_ion(changed(name, change, folder), draft=True))


@pytest.mark.parametrize("name", options("ion"))
def test_shipped_ions_have_nothing_to_note(name: str) -> None:
    findings = check(load_ion(shipped_ion(name), draft=True))
    assert {finding.level for finding in findings} == {"ok"}


def test_all_that_is_missing_is_listed(tmp_path: Path) -> None:
    def forget(data: dict) -> None:
        for key in ("NA-CA-CT-HT", "HA-CA-CT-HT", "CR-NA-CA-CT"):
            del data["dihedral_types"][key]
        del data["angle_types"]["NA-CA-CT"]
        del data["bond_types"]["CA-CT"]

    wrong = [f for f in found("emim", forget, tmp_path) if f.level == "wrong"]
    assert [f.where for f in wrong] == ["bond_types", "angle_types", *["dihedral_types"] * 3]
    text = "\n".join(f.text for f in wrong)
    assert "no parameters CA-CT for C5-C6" in text
    for key in ("NA-CA-CT-HT", "CR-NA-CA-CT"):
        assert key in text or "-".join(reversed(key.split("-"))) in text
    dihedral = next(f.text for f in wrong if "HA-CA-CT-HT" in f.text)
    assert dihedral.count(",") == 5  # six dihedrals of these types


@pytest.mark.parametrize(
    ("change", "level", "name", "parts"),
    [
        (lambda d: d["atoms"][0].__setitem__(3, 0.0), "wrong", "charge", ["+1.090000", "+1 e"]),
        (lambda d: d["impropers"].pop(), "note", "planar", ["C1"]),
        (lambda d: d["lj"].update(XX=[3.0, 0.1]), "note", "unused", ["lj.XX"]),
        (
            lambda d: d["angle_types"].update({"HT-CT-NA": [109.0, 300.0]}),
            "note", "unused", ["angle_types.HT-CT-NA"],
        ),
        (
            lambda d: d["bond_types"].update({"CT-HT": [1.084, 2845120.0]}),
            "note", "constants", ["CT-HT", "faster than H₂", "kJ/mol/Å²"],
        ),
        (
            lambda d: d["angle_types"].update({"HT-CT-HT": [107.9, 276140.0]}),
            "note", "constants", ["HT-CT-HT", "kJ/mol/rad²"],
        ),
        (
            lambda d: d["dihedral_types"].update({"HA-CA-CT-HT": [0, 0, 1331, 0]}),
            "note", "constants", ["HA-CA-CT-HT", "1331"],
        ),
        (
            lambda d: d["bond_types"].update({"CT-HT": [1.5, 2845.12]}),
            "wrong", "geometry", ["C6-H8", "r₀ is 1.5 Å"],
        ),
        (
            lambda d: d["angle_types"].update({"CR-NA-CA": [90, 585.76]}),
            "note", "geometry", ["θ₀ is 90°"],
        ),
        (
            lambda d: d["atoms"][5].__setitem__(slice(4, 7), d["atoms"][9][4:]),
            "wrong", "geometry", ["H3 and H6 are 0.00 Å apart"],
        ),
    ],
)  # fmt: skip
def test_each_mistake_is_found(
    change: Change, level: str, name: str, parts: list[str], tmp_path: Path
) -> None:
    findings = [f for f in found("emim", change, tmp_path) if f.level == level and f.check == name]
    text = "\n".join(f.text for f in findings)
    for part in parts:
        assert part in text
    assert all(f.where for f in findings)


def test_an_ion_in_two_pieces(tmp_path: Path) -> None:
    findings = found("pf6", lambda d: d["bonds"].pop() and d["no_angle"].pop(), tmp_path)
    assert [f.text for f in findings if f.check == "connected"] == [
        "no bonds lead from P to F6; add what is missing"
    ]


def test_the_period_of_hydrogen() -> None:
    """H₂: 4401 cm⁻¹ is 7.58 fs; k = μ ω² = 35.9 eV/Å² (5.75 mdyn/Å)."""
    assert period(35.9, 1.008, 1.008) == pytest.approx(7.58, rel=2e-3)


def test_each_kind_of_bond_has_one_period() -> None:
    periods = bond_periods(load_ion(shipped_ion("fomim")))
    assert set(periods) == set(load_ion(shipped_ion("fomim")).bond_types)
    assert 11 < periods["HC-CT"] < 12  # C–H: 2900 cm⁻¹
