"""Pseudopotentials: found by family and MD5, or a message that says what is wrong where."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from outside import use_pseudopotentials

from ilmlip.engines.pseudopotentials import checked_files
from ilmlip.errors import SpecError
from ilmlip.spec.dft import Pseudopotential


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "pseudo" / "family"
    folder.mkdir(parents=True)
    (folder / "Li.upf").write_text("lithium", encoding="utf-8")
    use_pseudopotentials(tmp_path, monkeypatch, tmp_path / "pseudo")
    return folder


def wanted(text: str = "lithium", file: str = "Li.upf") -> dict[str, Pseudopotential]:
    md5 = hashlib.md5(text.encode()).hexdigest()
    return {"Li": Pseudopotential(file=file, md5=md5)}


def test_a_file_with_its_md5(family: Path) -> None:
    assert checked_files("family", wanted(), ["Li", "Li"], "dft.qe") == {"Li": family / "Li.upf"}


@pytest.mark.parametrize(
    ("table", "elements", "where", "message"),
    [
        (wanted("other"), ["Li"], "dft.qe.pseudopotentials.Li", "has MD5 .* is wanted"),
        (wanted(file="no.upf"), ["Li"], "dft.qe.pseudopotentials.Li", "there is no file .*no.upf"),
        (wanted(), ["Li", "P"], "dft.qe.pseudopotentials.P", "is missing; there are Li"),
    ],
)
def test_what_does_not_fit_is_located(
    family: Path, table: dict, elements: list[str], where: str, message: str
) -> None:
    with pytest.raises(SpecError, match=message) as raised:
        checked_files("family", table, elements, "dft.qe")
    assert raised.value.where == where


def test_a_family_that_is_not_there_names_those_that_are(family: Path) -> None:
    with pytest.raises(SpecError, match=r"holds family") as raised:
        checked_files("other", wanted(), ["Li"], "dft.qe")
    assert raised.value.where == "dft.qe.family"


def test_without_a_folder_the_profile_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty.yaml").write_text("", encoding="utf-8")
    monkeypatch.setenv("ILMLIP_PROFILE", str(tmp_path / "empty.yaml"))
    with pytest.raises(SpecError, match=r"pseudopotentials: FOLDER.*empty\.yaml"):
        checked_files("family", wanted(), ["Li"], "dft.qe")


@pytest.mark.parametrize("element", ["Li", "F", "S", "Cl", "B", "Na"])
def test_gbrv_files_that_sssp_holds_are_those_of_the_option(
    element: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSSP 1.3.0 efficiency takes these from GBRV; H, C, N, O and P of GBRV are not here."""
    from outside import PSEUDO, require_pseudopotentials, use_pseudopotentials

    from ilmlip.spec.load import load

    source = PSEUDO / "sssp_1.3.0_pbe_efficiency" / f"{element}.upf"
    require_pseudopotentials()
    chosen = load(["dft=qe_pbe_d3_gbrv"]).dft.qe
    assert chosen is not None
    folder = tmp_path / "pseudo" / chosen.family
    folder.mkdir(parents=True)
    (folder / chosen.pseudopotentials[element].file).symlink_to(source)
    use_pseudopotentials(tmp_path, monkeypatch, tmp_path / "pseudo")
    files = checked_files(chosen.family, chosen.pseudopotentials, [element], "dft.qe")
    assert "Ultrasoft pseudopotential" in files[element].read_text(encoding="utf-8")[:2000]
    with pytest.raises(SpecError, match=r"dft\.qe\.pseudopotentials\.C: is missing.*file and md5"):
        checked_files(chosen.family, chosen.pseudopotentials, ["C"], "dft.qe")
