"""`ilmlip check-ion` as a user calls it: lines, exit statuses, no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import Answer, ilmlip
from ion_data import ACETATE, Change, changed

pytestmark = pytest.mark.engine


def checked(path: Path | str, *words: str, cwd: Path) -> Answer:
    answer = ilmlip("check-ion", str(path), *words, cwd=cwd)
    assert "Traceback" not in answer.err + answer.out
    return answer


def test_a_shipped_ion_is_fine(tmp_path: Path) -> None:
    answer = checked("fomim", "--charge-scale", "0.7", cwd=tmp_path)
    assert answer.code == 0, answer.err
    lines = answer.out.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    assert "95 of 95 have parameters" in answer.out and "5 ps NVE alone" in lines[-1]


def test_one_atom(tmp_path: Path) -> None:
    answer = checked("li", "--json", cwd=tmp_path)
    assert answer.code == 0 and answer.json["ion"] == "Li"
    assert answer.json["checks"][-1] == {
        "check": "run", "level": "ok", "found": "one atom: nothing to run",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "change", "code", "parts"),
    [
        (
            "emim",
            lambda d: [d["dihedral_types"].pop(k) for k in ("NA-CA-CT-HT", "HA-CA-CT-HT")],
            2,
            ["dihedral_types: no parameters", "(and 1 more)"],
        ),
        (
            "pf6",
            lambda d: d["atoms"][0].__setitem__(3, 1.0),
            2,
            ["atoms: the atoms' charges sum to -1.340000 e", "-1 e"],
        ),
        ("pf6", lambda d: d["bonds"].append(["P", "F9"]), 2, ["bonds: unknown atom 'F9'"]),
        ("acetate", lambda d: d["atoms"][2].__setitem__(1, "S"), 2, ["atom 3, O1, is 'S'"]),
    ],
)
def test_a_wrong_file(
    name: str, change: Change, code: int, parts: list[str], tmp_path: Path
) -> None:
    path = changed(name, change, tmp_path)
    answer = checked(path, cwd=tmp_path)
    assert answer.code == code and answer.err.startswith(f"ilmlip: {path}: ")
    assert answer.err.count("\n") == 1
    for part in parts:
        assert part in answer.err


def test_a_force_constant_a_thousand_times_too_large(tmp_path: Path) -> None:
    path = changed("emim", lambda d: d["bond_types"].update({"CT-HT": [1.084, 2845e3]}), tmp_path)
    answer = checked(path, cwd=tmp_path)
    assert answer.code == 1
    assert "CT-HT vibrates in" in answer.out and "faster than H₂" in answer.out
    assert answer.out.splitlines()[-1].startswith("failed  run")


def test_the_file_written_of_a_smiles(tmp_path: Path) -> None:
    pytest.importorskip("rdkit", reason="RDKit (the extra `smiles`) is not installed")
    path = changed("acetate", lambda d: None, tmp_path)
    answer = checked(path, "--write", "written.yaml", cwd=tmp_path)
    assert answer.code == 0, answer.err
    again = checked("written.yaml", "--json", cwd=tmp_path)
    assert again.code == 0 and again.json["ion"] == ACETATE["name"]
    assert checked(path, "--write", "written.yaml", cwd=tmp_path).code == 2


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["nothing.yaml"], "no such file: nothing.yaml"),
        (["emmi"], "did you mean 'emim'"),
        (["emim", "pf6"], "2 words"),
        (["emim", "--charge-scale", "2"], "--charge-scale"),
    ],
)
def test_a_wrong_command(words: list[str], part: str, tmp_path: Path) -> None:
    answer = checked(words[0], *words[1:], cwd=tmp_path)
    assert answer.code == 2 and part in answer.err
