"""Files as others write them: read whole, in their own units, or refused with the place."""

from __future__ import annotations

import bz2
import gzip
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from labelled_pairs import import_file, pair, several, take
from vasp_standin import vasprun

from ilmlip.errors import SpecError, StageError
from ilmlip.spec.files import Reading
from ilmlip.spec.label_units import FORCE, STRESS, spelled
from ilmlip.units import BOHR, HARTREE


def text_of(folder: Path, frames: list[Atoms] | None = None) -> str:
    path = folder / "plain.xyz"
    write(path, frames or several(), format="extxyz")
    return path.read_text(encoding="utf-8")


def imported(folder: Path, text: str | bytes, name: str = "set.xyz", **reading: Any) -> list[Any]:
    """The frames that a file with this text gives."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return import_file(path, folder / "work", **reading)[1]


# --- units


def test_hartree_and_hartree_per_bohr_with_angstrom(tmp_path: Path) -> None:
    """As CP2K and ORCA are converted: three units, of which none follows from another."""
    turned = several()
    for atoms in turned:
        atoms.calc.results["energy"] /= HARTREE
        atoms.calc.results["forces"] = atoms.calc.results["forces"] * BOHR / HARTREE
    _, frames = take(
        tmp_path, turned, energy_unit="Ha", forces_unit="hartree/bohr", stress_key=None
    )
    for one, other in zip(frames, several(), strict=True):
        np.testing.assert_allclose(one.forces, other.get_forces(), atol=1e-6)
        np.testing.assert_allclose(one.positions, other.positions, atol=1e-7)
        assert one.energy == pytest.approx(other.get_potential_energy(), abs=1e-9)


def test_a_cell_in_another_unit_than_the_positions(tmp_path: Path) -> None:
    turned = several()
    for atoms in turned:
        atoms.set_cell(atoms.cell / 10, scale_atoms=False)
    _, frames = take(tmp_path, turned, cell_unit="nm")
    np.testing.assert_allclose(frames[0].cell, 8 * np.eye(3))
    np.testing.assert_allclose(frames[0].positions, pair().positions, atol=1e-7)


def test_a_virial_in_another_unit_than_the_energy(tmp_path: Path) -> None:
    turned = several()
    for atoms in turned:
        atoms.info["virial"] = -atoms.get_stress(voigt=False) * atoms.get_volume() / HARTREE
        del atoms.calc.results["stress"]
    _, frames = take(
        tmp_path, turned, stress_key="virial", stress_is="virial", stress_sign="compression",
        virial_unit="Hartree",
    )  # fmt: skip
    np.testing.assert_allclose(frames[0].stress, pair().get_stress(), atol=1e-9)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Ha/Bohr", "Hartree/Bohr"), ("hartree/a0", "Hartree/Bohr"), ("eV/ang", "eV/Å"),
        ("ev/A", "eV/Å"), ("Ry/bohr", "Ry/Bohr"), ("kcal/mol/Angstrom", "kcal/mol/Å"),
        ("kJ/mol/nm", "kJ/mol/nm"), ("kcal/mol", "kcal/mol"), ("GPA", "GPa"), ("eV/A^3", "eV/Å³"),
        ("ev/Angstrom**3", "eV/Å³"), ("Ha/bohr^3", "Hartree/Bohr³"), ("furlong", "furlong"),
    ],
)  # fmt: skip
def test_units_in_other_spellings(said: str, meant: str) -> None:
    assert spelled(said) == meant


def test_what_units_are_worth() -> None:
    assert FORCE["Hartree/Bohr"] == pytest.approx(51.4220674763)
    assert STRESS["kbar"] == pytest.approx(6.241509e-4)
    assert STRESS["Ry/Bohr³"] == pytest.approx(13.605693 / 0.529177**3, rel=1e-5)
    with pytest.raises(ValueError, match=r"unknown unit; there are eV/Å, "):
        Reading(forces_unit="furlong")


def test_a_virial_has_no_default_sign() -> None:
    with pytest.raises(SpecError, match=r"stress_sign: must be stated for a virial: .*QUIP/GAP"):
        Reading(stress_key="virial", stress_is="virial")


# --- everything is read


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.rstrip("\n"),
        lambda text: text.replace("\n8\n", "\n\n8\n", 1),
        lambda text: "\n \n" + text.replace("\n8\n", "\n\t\n\n8\n") + "\n\n",
        lambda text: text.replace("    ", "\t"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace("energy=", "note=\"Å of a day\" energy=", 1),
    ],
)  # fmt: skip
def test_every_frame_of_a_file_is_read(spoil: Any, tmp_path: Path) -> None:
    frames = imported(tmp_path, spoil(text_of(tmp_path)))
    assert len(frames) == 6
    assert [f.positions[7, 0] for f in frames] == pytest.approx([7.2 + 0.008 * i for i in range(6)])


@pytest.mark.parametrize(("end", "squeeze"), [(".gz", gzip.compress), (".bz2", bz2.compress)])
def test_a_compressed_file(end: str, squeeze: Any, tmp_path: Path) -> None:
    packed = squeeze(text_of(tmp_path).encode())
    assert len(imported(tmp_path, packed, f"set.xyz{end}")) == 6
    with pytest.raises(StageError, match="set"):
        imported(tmp_path, packed[: len(packed) // 2], f"set.xyz{end}")


def test_columns_in_another_order(tmp_path: Path) -> None:
    lines = text_of(tmp_path, [pair()]).splitlines()
    head = lines[1].replace(
        "species:S:1:pos:R:3:forces:R:3", "id:I:1:forces:R:3:species:S:1:pos:R:3"
    )
    rows = [row.split() for row in lines[2:]]
    turned = [" ".join([str(i), *r[4:], *r[:4]]) for i, r in enumerate(rows)]
    (frame,) = imported(tmp_path, "\n".join([lines[0], head, *turned]))
    np.testing.assert_allclose(frame.forces, pair().get_forces(), atol=1e-7)
    np.testing.assert_allclose(frame.positions, pair().positions, atol=1e-7)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda text: text + "Total time 12 s\n", "line 61 is 'Total time 12 s', where the number"),
        (lambda text: text.replace("\n8\n", "\n# part 2\n8\n", 1), "line 11 is '# part 2'"),
        (lambda text: text.replace("\n8\n", "\n9\n", 1), "where the number of atoms"),
        (lambda text: text[: text.rindex("Li")], r"frame 5 \(from 0\), is cut short: .* 7 of 8 atoms"),
        (lambda text: text[:-20], r"frame 5 \(from 0\), has 6 columns in line 60"),
        (lambda text: text.replace("\nF", "\n\nF", 1), "line 4 is blank inside a frame"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_refused(spoil: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(StageError, match=said):
        imported(tmp_path, spoil(text_of(tmp_path)))


def test_a_last_frame_that_is_cut_short_may_be_left_out(tmp_path: Path) -> None:
    text = text_of(tmp_path)
    assert len(imported(tmp_path, text[: text.rindex("Li")], on_bad="drop")) == 5


def test_a_file_with_an_at_sign_in_its_name(tmp_path: Path) -> None:
    path = tmp_path / "set@2.traj"
    write(path, several(), format="traj")
    assert len(import_file(path, tmp_path / "work")[1]) == 6


def test_trajectories_joined_into_one_file(tmp_path: Path) -> None:
    """ASE reads the first of them."""
    path = tmp_path / "set.traj"
    write(path, several())
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(StageError, match="holds 2 trajectories"):
        import_file(path, tmp_path / "work")


# --- labels that are missing, or no numbers


ENERGY = r"energy=\S+"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (r"energy=", "energi=", "has no 'energy' (dft.files.energy_key)"),
        (ENERGY, "energy=*******", "has '*******' as 'energy' (dft.files.energy_key)"),
        (ENERGY, "energy=", "as 'energy' (dft.files.energy_key)"),
        (ENERGY, 'energy="1.0 2.0"', "has 2 numbers as 'energy'"),
        (ENERGY, "energy=nan", "not a finite number: energy"),
        ('stress="', 'pressure="', "has no 'stress' (dft.files.stress_key)"),
        ('stress="', 'stress="abc ', "as 'stress' (dft.files.stress_key), which is not a number"),
        ('Lattice="8.0', 'Lattice="8,0 x', "Lattice"),
    ],
)  # fmt: skip
def test_a_bad_label_is_named_and_may_be_left_out(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    text = text_of(tmp_path)
    third = [at for at in range(len(text)) if text.startswith("8\nLattice", at)][2]
    spoiled = text[:third] + re.sub(old, new, text[third:], count=1)
    assert spoiled != text
    with pytest.raises(StageError, match=r"1 of 6 frames are not fit: set\.xyz, frame 2") as error:
        imported(tmp_path, spoiled, stress_key="stress")
    assert said in str(error.value)
    path = tmp_path / "set.xyz"
    found, frames = import_file(path, tmp_path / "work", stress_key="stress", on_bad="drop")
    assert len(frames) == 5
    assert [one.startswith("set.xyz, frame 2 (from 0), ") for one in found.values["dropped"]] == [
        True
    ]


def test_a_force_that_is_not_a_number_names_line_and_column(tmp_path: Path) -> None:
    lines = text_of(tmp_path).split("\n")
    lines[13] = " ".join([*lines[13].split()[:5], "*****", lines[13].split()[6]])
    with pytest.raises(StageError, match=r"frame 1 .* has '\*{5}' in line 14 for 'forces'"):
        imported(tmp_path, "\n".join(lines))


def test_six_numbers_under_the_name_stress(tmp_path: Path) -> None:
    """ASE's reader takes nine only."""
    text = text_of(tmp_path, [pair()])
    start = text.index('stress="')
    end = text.index('"', start + 8)
    six = " ".join(f"{x}" for x in pair().get_stress())
    (frame,) = imported(tmp_path, f'{text[:start]}stress="{six}{text[end:]}', stress_key="stress")
    np.testing.assert_allclose(frame.stress, pair().get_stress(), atol=1e-12)


# --- compositions


def test_a_stated_composition_is_compared_with_the_atoms(tmp_path: Path) -> None:
    from ilmlip.stages.imported import same_label

    assert same_label("1.0", 1) and same_label("0.5", "0.50") and not same_label("0.4", 1.0)
    assert not same_label("1.0", True)
    ions = {"Li": ("Li",), "PF6": ("P", *["F"] * 6), "Cl": ("Cl",)}
    frames = several()
    for atoms in frames:
        atoms.info["mixture"] = 0.4
    path = tmp_path / "said.xyz"
    write(path, frames, format="extxyz")
    reading = {"composition_key": "mixture", "ions": ions}
    wanted = {"1.0": {"Li": 1, "PF6": 1}, "0.4": {"Li": 5, "PF6": 2, "Cl": 3}}
    with pytest.raises(StageError, match=r"says '0\.4' .*\(F6LiP\) are of composition 1\.0"):
        import_file(path, tmp_path / "work", compositions=wanted, **reading)
    path.write_text(
        path.read_text(encoding="utf-8").replace("mixture=0.4", "mixture=1"), encoding="utf-8"
    )
    found, _ = import_file(path, tmp_path / "work", compositions=wanted, **reading)
    assert len(found.values["frames"]["1.0"]) == 6


# --- programs' own files


FREE, EXTRAPOLATED = -0.1, -0.09
"""The stand-in's two energies differ by 0.01 eV."""


def standin(steps: int = 6, most: int = 60, calculations: int = 1) -> str:
    text = vasprun(pair(), steps).replace(
        "<parameters>", f'<parameters><i type="int" name="NELM">{most}</i>'
    )
    start = text.index("<calculation>")
    end = text.index("</modeling>")
    more = "".join(
        text[start:end].replace("0.9000000000", f"0.9{i:02d}0000000") for i in range(calculations)
    )
    return text[:start] + more + text[end:]


def lj_free_energy() -> float:
    atoms = pair()
    atoms.calc = LennardJones(sigma=1.6, epsilon=0.05, rc=3.5, smooth=True)
    return float(atoms.get_potential_energy())


@pytest.mark.parametrize("format", ["", "vasp-xml"])
def test_vasprun_gives_the_energy_that_forces_derive_from(format: str, tmp_path: Path) -> None:
    name = "vasprun.xml"
    (frame,) = imported(tmp_path, standin(), name, format=format)
    assert frame.energy == pytest.approx(lj_free_energy(), abs=1e-8)
    (stated,) = imported(tmp_path, standin(), name, format=format, energy_key="energy")
    assert stated.energy == pytest.approx(lj_free_energy() + 0.01, abs=1e-8)


def test_vasprun_with_an_unconverged_step(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"frame 0 .*did not converge.*NELM=6"):
        imported(tmp_path, standin(most=6), "vasprun.xml")


def test_vasprun_that_is_cut_or_goes_on(tmp_path: Path) -> None:
    text = standin(calculations=3)
    assert len(imported(tmp_path, text, "vasprun.xml")) == 3
    cut = text[: text.rindex('<varray name="stress">')]
    with pytest.raises(StageError, match=r"1 of 3 frames .*cut off inside a step"):
        imported(tmp_path, cut, "vasprun.xml")
    assert len(imported(tmp_path, cut, "vasprun.xml", on_bad="drop")) == 2
    with pytest.raises(StageError, match="has content after its end"):
        imported(tmp_path, text + text, "vasprun.xml", on_bad="drop")


def with_free_energy(atoms: Atoms, gap: float) -> Atoms:
    results = dict(atoms.calc.results) | {"free_energy": atoms.get_potential_energy() - gap}
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


@pytest.mark.parametrize("name", ["set.xyz", "set.traj", "set.json", "set.db"])
def test_ases_own_files_have_a_free_energy(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    write(path, [with_free_energy(atoms, 0.02) for atoms in several()])
    _, frames = import_file(path, tmp_path / "work")
    assert frames[0].energy == pytest.approx(pair().get_potential_energy() - 0.02)


def test_a_frame_without_the_free_energy_of_the_others(tmp_path: Path) -> None:
    frames = [with_free_energy(atoms, 0.02) for atoms in several()[:4]] + several()[4:]
    with pytest.raises(StageError, match=r"2 of 6 .*frame 4 .*has no 'free_energy', which other"):
        take(tmp_path, frames)
    same = [with_free_energy(atoms, 0.0) for atoms in several()[:4]] + several()[4:]
    assert len(take(tmp_path, same)[1]) == 6


# --- the same configuration twice


def turned(atoms: Atoms, kind: str) -> Atoms:
    """The same configuration in other coordinates; forces and positions belong together."""
    rng = np.random.default_rng(3)
    results = dict(atoms.calc.results)
    positions, order = atoms.positions.copy(), np.arange(len(atoms))
    if kind == "images":
        positions += rng.integers(-2, 3, (len(atoms), 3)) @ atoms.cell.array
    elif kind == "shift":
        positions += (1.234, -7.7, 3.21)
    elif kind == "order":
        order = np.array([0, 3, 1, 2, 6, 5, 4, 7])
    elif kind == "all":
        positions += rng.integers(-2, 3, (len(atoms), 3)) @ atoms.cell.array + (0.5, 3, 9)
        order = np.array([7, 3, 1, 0, 6, 5, 4, 2])
    elif kind == "noise":
        positions = np.round(positions, 3)
    made = Atoms(
        np.array(atoms.get_chemical_symbols())[order], positions[order], cell=atoms.cell, pbc=True
    )
    results["forces"] = results["forces"][order]
    made.calc = SinglePointCalculator(made, **results)
    return made


@pytest.mark.parametrize("kind", ["same", "images", "shift", "order", "all", "noise"])
def test_a_twin_in_other_coordinates(kind: str, tmp_path: Path) -> None:
    frames = [*several(), turned(several()[2], kind)]
    with pytest.raises(StageError, match=r"1 of 7 .*frame 6 .*is .*frame 2 \(from 0\) once more"):
        take(tmp_path, frames)
    assert len(take(tmp_path, frames, on_bad="drop")[1]) == 6


def test_what_is_nearly_a_twin_is_none(tmp_path: Path) -> None:
    frames = several()
    frames += [turned(atoms, "shift") for atoms in several()]
    for atoms in frames[6:]:
        atoms.positions[7, 2] += 0.01
    mirrored = turned(several()[0], "same")
    mirrored.positions[[0, 7]] = mirrored.positions[[7, 0]]
    assert len(take(tmp_path, frames)[1]) == 12


# --- size


def test_importing_takes_a_time_that_grows_with_the_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames that are compared atom by atom, and structures that are compared for equal shapes."""
    from ilmlip.chemistry import twins
    from ilmlip.observables import label_checks

    compared: list[int] = []
    for module, name in ((twins, "_same"), (label_checks, "_close")):
        real = getattr(module, name)

        def counted(*args: Any, real: Any = real) -> bool:
            compared.append(1)
            return bool(real(*args))

        monkeypatch.setattr(module, name, counted)
    rng = np.random.default_rng(0)
    frames = []
    for _ in range(300):
        atoms = pair()
        atoms.set_cell(atoms.cell * (1 + 0.01 * rng.normal()), scale_atoms=True)
        atoms.positions += rng.normal(0, 0.05, (8, 3))
        atoms.calc = pair().calc
        frames.append(atoms)
    assert len(take(tmp_path, frames)[1]) == 300
    assert len(compared) < 3 * 300  # all pairs would be 45,000
