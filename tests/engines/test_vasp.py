"""VASP by its files: what is written, what is read. The program that runs here is a stand-in."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
import vasp_standin
import yaml
from ase import Atoms

from ilmlip.chemistry.boxes import read_one
from ilmlip.engines import vasp
from ilmlip.engines.files import frames
from ilmlip.engines.labelling import NotConvergedError, Session, open_session
from ilmlip.errors import StageError
from ilmlip.spec.dft import Pseudopotential, Rung, Vasp
from ilmlip.spec.files import Reading
from ilmlip.spec.load import load
from ilmlip.stages.labelling import tried

FRAME = Path(__file__).parents[1] / "data" / "lipf6.extxyz"
STANDIN = Path(vasp_standin.__file__)


@pytest.fixture
def pair() -> Atoms:
    """Fluorines on both sides of phosphorus, so that POSCAR has to be another order."""
    atoms = read_one(FRAME, 0)
    return atoms[[1, 2, 3, 0, 4, 5, 6, 7]]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vasp:
    """The shipped settings, with a family of made-up POTCAR files, and the stand-in as program."""
    table = {}
    for element, folder in (("F", "F"), ("Li", "Li_sv"), ("P", "P")):
        file = tmp_path / "pseudo" / "potpaw_PBE.54" / folder / "POTCAR"
        file.parent.mkdir(parents=True)
        file.write_text(f"{element}\n", encoding="utf-8")
        md5 = hashlib.md5(file.read_bytes()).hexdigest()
        table[element] = Pseudopotential(file=folder, md5=md5)
    use_program(tmp_path, monkeypatch)
    chosen = load(["dft=vasp_pbe"]).dft.vasp
    assert chosen is not None
    return chosen.model_copy(update={"pseudopotentials": table})


def use_program(
    folder: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str = "", **program: object
) -> None:
    command = f"{sys.executable} {STANDIN} {behaviour}"
    text = yaml.safe_dump(
        {
            "pseudopotentials": str(folder / "pseudo"),
            "programs": {"vasp": {"command": command, **program}},
        }
    )
    (folder / "profile.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("ILMLIP_PROFILE", str(folder / "profile.yaml"))


def opened(settings: Vasp, tmp_path: Path) -> Session:
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    return open_session("vasp", settings, work)


def test_the_inputs_are_the_paper_s(settings: Vasp, pair: Atoms) -> None:
    assert vasp.incar_text(vasp.tags(settings)).splitlines() == [
        "GGA = PE",
        "PREC = Accurate",
        "ENCUT = 700",
        "EDIFF = 1e-05",
        "NELM = 100",
        "ISMEAR = 0",
        "SIGMA = 0.05",
        "LREAL = .FALSE.",
        "IBRION = -1",
        "NSW = 0",
        "ISIF = 2",
        "ISYM = 0",
        "ISTART = 0",
        "LWAVE = .TRUE.",
        "LCHARG = .FALSE.",
    ]
    assert vasp.kpoints_text(settings.kpoints).splitlines()[2:4] == ["Gamma", "4 4 4"]
    lines = vasp.poscar_text(pair).splitlines()
    assert lines[5].split() == ["F", "Li", "P"] and lines[6].split() == ["6", "1", "1"]
    assert len(lines) == 8 + 8


def test_tries_and_spin_are_tags(settings: Vasp) -> None:
    assert "IVDW" not in vasp.tags(settings)  # D3 is added outside
    changed = vasp.tags(settings, Rung(mixing=0.1, max_steps=200))
    assert (changed["AMIX"], changed["NELM"]) == (0.1, 200)
    atom = vasp.atomic_tags(settings, None, 4)
    assert (atom["ISPIN"], atom["NUPDOWN"], atom["MAGMOM"]) == (2, 3, 3)


def test_a_label_has_the_frame_s_order_and_ase_s_signs(
    settings: Vasp, pair: Atoms, tmp_path: Path
) -> None:
    wanted = pair.copy()
    wanted.calc = vasp_standin.potential()
    with opened(settings, tmp_path) as session:
        found = session.label(pair)
        potcar = (tmp_path / "work" / vasp.POTCAR).read_text(encoding="utf-8")
        assert session.tools() == {"vasp": "6.4.2-standin"}
    assert found.stress is not None and potcar.split() == ["F", "Li", "P"]
    # the free energy, and not the one extrapolated to zero smearing
    assert found.energy == pytest.approx(wanted.get_potential_energy(), abs=1e-8)
    assert np.allclose(found.forces, wanted.get_forces(), atol=1e-8)
    assert np.allclose(found.stress, wanted.get_stress(), atol=1e-9)
    assert abs(found.stress).max() > 1e-3


def test_its_own_file_is_imported_with_the_same_label(
    settings: Vasp, pair: Atoms, tmp_path: Path
) -> None:
    with opened(settings, tmp_path) as session:
        label = session.label(pair)
        how = Reading(format="vasp-xml", stress_key="stress")
        (one,) = frames(tmp_path / "work" / vasp.RESULT, how)
    atoms, found = one.atoms, one.label
    assert atoms is not None and found is not None
    order = vasp.by_element(pair)
    assert atoms.get_chemical_symbols() == [pair.symbols[i] for i in order]
    assert found.energy == pytest.approx(label.energy, abs=1e-8)
    assert np.allclose(found.forces, label.forces[order], atol=1e-8)
    assert np.allclose(found.stress, label.stress, atol=1e-9)


def test_what_may_not_be_handed_on_is_removed(settings: Vasp, pair: Atoms, tmp_path: Path) -> None:
    with opened(settings, tmp_path) as session:
        session.label(pair)
        kept = session.files()
    there = {path.name for path in (tmp_path / "work").iterdir()}
    assert {vasp.POTCAR, vasp.WAVES}.isdisjoint(there) and set(kept) <= there


def test_the_next_label_starts_from_the_last_wavefunctions(
    settings: Vasp, pair: Atoms, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    other = pair.copy()
    other.set_cell([8.2] * 3)
    starts = []
    with opened(settings, tmp_path) as session:
        for atoms in (pair, pair, other):
            session.label(atoms)
            starts.append((work / vasp.RESULT).read_text(encoding="utf-8").count("<scstep>"))
    assert starts == [vasp_standin.COLD, vasp_standin.WARM, vasp_standin.COLD]


@pytest.mark.parametrize("behaviour", ["", "no-outcar"])
def test_a_label_that_does_not_converge_is_tried_again(
    behaviour: str,
    settings: Vasp,
    pair: Atoms,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_program(tmp_path, monkeypatch, behaviour)
    with opened(settings, tmp_path) as session:
        ladder = (Rung(max_steps=3), Rung(mixing=0.1, max_steps=60))
        with pytest.raises(NotConvergedError, match="did not converge to 1e-05 eV in 2 steps"):
            session.label(pair, Rung(max_steps=2))
        _, tries = tried(lambda r: session.label(pair, r or Rung(max_steps=2)), ladder)
    assert [bool(one["reason"]) for one in tries] == [True, True, False]


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ("stops", "ended with status 1: VERY BAD NEWS"),
        ("dies", "VASP left no vasprun.xml that can be read|VASP gave no"),
    ],
)
def test_a_failure_is_told_in_vasp_s_words(
    behaviour: str,
    message: str,
    settings: Vasp,
    pair: Atoms,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_program(tmp_path, monkeypatch, behaviour)
    with opened(settings, tmp_path) as session, pytest.raises(StageError, match=message) as raised:
        session.label(pair)
    assert raised.value.log == vasp.LOG


def test_what_takes_too_long_is_ended(
    settings: Vasp, pair: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_program(tmp_path, monkeypatch, "hangs", time_limit=0.5)
    with (
        opened(settings, tmp_path) as session,
        pytest.raises(StageError, match=r"longer than its time limit of 0\.5 s"),
    ):
        session.label(pair)


def test_without_potentials_it_is_said_which(settings: Vasp, pair: Atoms, tmp_path: Path) -> None:
    empty = settings.model_copy(update={"pseudopotentials": {}})
    with (
        opened(empty, tmp_path) as session,
        pytest.raises(StageError, match=r"dft\.vasp\.pseudopotentials\.F: is missing"),
    ):
        session.label(pair)


def test_without_the_program_the_remedy_is_said(
    settings: Vasp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    (tmp_path / "profile.yaml").write_text("", encoding="utf-8")
    with pytest.raises(StageError, match="vasp_std is not found on PATH"):
        opened(settings, tmp_path)
