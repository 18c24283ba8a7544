"""Imported labels: units and signs, ions recognised, and every check with an example that fails it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from labelled_pairs import COMPOSITIONS, IONS, import_file, pair, several, take, volumes

from ilmlip.chemistry.labelled import read_frames
from ilmlip.errors import SpecError, StageError
from ilmlip.hashing import file_digest
from ilmlip.spec.files import Reading
from ilmlip.spec.label_units import ENERGY, LENGTH, STRESS
from ilmlip.stages import imported
from ilmlip.stages.base import Given, Inputs
from ilmlip.stages.dataset import STAGE as DATASET
from ilmlip.stages.dataset import Chosen
from ilmlip.stages.dataset import Params as DatasetParams

ARGYRODITE = Path(__file__).parents[3] / "shared" / "data" / "datasets" / "argyrodite"


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    given_frames = several()
    found, frames = take(tmp_path, given_frames)
    assert found.values["frames"] == {"LiPF6": [0, 1, 2, 3, 4, 5]}
    for one, atoms in zip(frames, given_frames, strict=True):
        assert one.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-12)
        np.testing.assert_allclose(one.forces, atoms.get_forces(), atol=1e-7)
        np.testing.assert_allclose(one.stress, atoms.get_stress(), atol=1e-12)
        assert sorted(one.ions()) == ["Li", "PF6"]
        assert [one.ion_types[i] for i in (0, 1, 7)] == ["PF6", "PF6", "Li"]


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    energy=st.sampled_from(sorted(ENERGY)),
    length=st.sampled_from(sorted(LENGTH)),
    stress=st.sampled_from(sorted(STRESS)),
    sign=st.sampled_from(["tension", "compression"]),
    virial=st.booleans(),
)
def test_units_and_signs_are_undone(
    tmp_path: Path, energy: str, length: str, stress: str, sign: str, virial: bool
) -> None:
    """The same set in any unit and sign is the same set."""
    turned = []
    for atoms in volumes():
        one = Atoms(
            atoms.symbols,
            positions=atoms.positions / LENGTH[length],
            cell=atoms.cell.array / LENGTH[length],
            pbc=True,
        )
        one.info["e"] = atoms.get_potential_energy() / ENERGY[energy]
        one.arrays["f"] = atoms.get_forces() * LENGTH[length] / ENERGY[energy]
        full = atoms.get_stress(voigt=False) * (1 if sign == "tension" else -1)
        factor = atoms.get_volume() / ENERGY[energy] if virial else 1 / STRESS[stress]
        one.info["s"] = full * factor
        turned.append(one)
    _, plain = take(tmp_path, volumes())
    _, frames = take(
        tmp_path,
        turned,
        energy_key="e",
        forces_key="f",
        stress_key="s",
        energy_unit=energy,
        length_unit=length,
        stress_unit=stress,
        stress_sign=sign,
        stress_is="virial" if virial else "stress",
    )
    for one, other in zip(frames, plain, strict=True):
        assert one.energy == pytest.approx(other.energy, abs=1e-6)
        np.testing.assert_allclose(one.positions, other.positions, atol=1e-6)
        np.testing.assert_allclose(one.forces, other.forces, atol=1e-5)
        np.testing.assert_allclose(one.stress, other.stress, atol=1e-8)


def nan(frames: list[Atoms]) -> None:
    frames[2].calc.results["forces"][0, 0] = np.nan


def twin(frames: list[Atoms]) -> None:
    frames[2] = frames[4].copy()
    frames[2].calc = frames[4].calc


def far(frames: list[Atoms]) -> None:
    frames[2].calc.results["energy"] += 20.0


def pushed(frames: list[Atoms]) -> None:
    frames[2].calc.results["forces"][:, 0] += 0.02


def open_box(frames: list[Atoms]) -> None:
    frames[2].pbc = (True, True, False)


def torn(frames: list[Atoms]) -> None:
    frames[2].positions[1] += (1.5, 0, 0)


BAD: tuple[tuple[Callable[[list[Atoms]], None], str], ...] = (
    (nan, "not a finite number"),
    (twin, "once more"),
    (far, "from the median of its composition"),
    (pushed, "net force of 0.02"),
    (open_box, "not periodic in three directions"),
    (torn, "none of the ions"),
)


@pytest.mark.parametrize(("spoil", "said"), BAD)
def test_a_bad_frame_is_refused_or_left_out(
    spoil: Callable[[list[Atoms]], None], said: str, tmp_path: Path
) -> None:
    frames = several()
    spoil(frames)
    with pytest.raises(StageError, match=said) as error:
        take(tmp_path, frames)
    assert "1 of 6 frames" in str(error.value)
    assert "given.extxyz, frame 2 (from 0), " in str(error.value) or spoil is twin
    found, kept = take(tmp_path, frames, on_bad="drop")
    assert len(kept) == 5
    assert len(found.values["dropped"]) == 1 and said in found.values["dropped"][0]


def test_energies_that_are_no_numbers_leave_the_others_alone(tmp_path: Path) -> None:
    frames = several()
    for atoms in frames[:4]:
        atoms.calc.results["energy"] = np.nan
    for atoms in frames[4:]:
        atoms.calc.results["energy"] = -5000.0
    found, kept = take(tmp_path, frames, on_bad="drop")
    assert len(kept) == 2 and len(found.values["dropped"]) == 4


def test_a_frame_is_named_by_its_number_in_its_file(tmp_path: Path) -> None:
    frames = several()
    pushed(frames)
    with pytest.raises(StageError, match=r"given\.extxyz, frame 2 \(from 0\), has a net force"):
        take(tmp_path, frames, stride=2)


def test_another_salt_is_no_composition_of_the_spec(tmp_path: Path) -> None:
    lonely = pair()[:7]
    lonely.calc = SinglePointCalculator(
        lonely, energy=0.0, forces=np.zeros((7, 3)), stress=np.zeros(6)
    )
    with pytest.raises(
        StageError, match=r"F6P\) is of no composition of the spec; there are LiPF6"
    ):
        take(tmp_path, [lonely])


def test_two_boxes_of_one_composition(tmp_path: Path) -> None:
    """The ratio of ions counts, not the size of the box; and bonds go through its walls."""
    large = pair().repeat((2, 1, 1))
    large.positions += (3.7, 0, 0)
    large.wrap()
    large.calc = SinglePointCalculator(
        large, energy=0.0, forces=np.zeros((16, 3)), stress=np.zeros(6)
    )
    found, frames = take(tmp_path, [large])
    assert found.values["frames"] == {"LiPF6": [0]}
    assert sorted(frames[0].ions()) == ["Li", "Li", "PF6", "PF6"]


def test_a_composition_may_be_stated(tmp_path: Path) -> None:
    frames = several()
    for atoms in frames:
        atoms.info["mixture"] = "LiPF6"
    assert take(tmp_path, frames, composition_key="mixture")[0].values["frames"]["LiPF6"]
    frames[1].info["mixture"] = "NaCl"
    with pytest.raises(StageError, match="says 'NaCl'; there are LiPF6"):
        take(tmp_path, frames, composition_key="mixture")


def test_a_key_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"no 'dft_energy' \(dft\.files\.energy_key\); there are "):
        take(tmp_path, several(), energy_key="dft_energy")


def test_stress_against_the_energys_derivative(tmp_path: Path) -> None:
    (slope,) = take(tmp_path, volumes())[0].values["stress_slopes"]
    assert slope["frames"] == 6
    assert slope["slope"] == pytest.approx(1.0, abs=1e-6)
    assert slope["offset_eV_A3"] == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(StageError, match=r"sign is the other: dft\.files\.stress_sign=tension"):
        take(tmp_path, volumes(), stress_sign="compression")
    in_gpa = volumes()
    for atoms in in_gpa:
        atoms.calc.results["stress"] = -atoms.calc.results["stress"] / STRESS["GPa"]
    with pytest.raises(StageError, match=r"stress_unit=GPa dft\.files\.stress_sign=compression"):
        take(tmp_path, in_gpa)


def test_a_file_that_changed(tmp_path: Path) -> None:
    path = tmp_path / "given.extxyz"
    write(path, several(), format="extxyz")
    params = imported.Params(
        reading=Reading(), sha256=("0" * 64,), compositions=COMPOSITIONS, ions=IONS
    )
    with pytest.raises(StageError, match="has changed"):
        imported.run(params, Inputs({}, how={"paths": [str(path)]}), tmp_path)


def test_what_is_no_data_is_told(tmp_path: Path) -> None:
    path = tmp_path / "notes.extxyz"
    path.write_text("not a number of atoms\n", encoding="utf-8")
    params = imported.Params(
        reading=Reading(), sha256=(file_digest(path),), compositions=COMPOSITIONS, ions=IONS
    )
    with pytest.raises(
        StageError, match=r"notes.extxyz: line 1 is 'not a number of atoms', where the"
    ):
        imported.run(params, Inputs({}, how={"paths": [str(path)]}), tmp_path)


def test_programs_formats_have_ases_units() -> None:
    with pytest.raises(SpecError, match="has no meaning for vasp-xml"):
        Reading(format="vasp-xml", stress_sign="compression")


def test_the_last_frames_are_tested_on(tmp_path: Path) -> None:
    found, _ = take(tmp_path, several())
    given_frames = Given("imported-k1-0", tmp_path / "work", found.values)

    def made(role: str, **chosen: Any) -> dict[str, int]:
        folder = tmp_path / f"{role}{len(chosen)}"
        folder.mkdir()
        params = DatasetParams(
            role=role,
            validation_fraction=0.25 if role == "train" else 0.0,
            imported=Chosen(compositions=("LiPF6",), test_fraction=0.34, **chosen),
        )
        DATASET.run(params, Inputs({"imported": (given_frames,)}), folder)
        return {p.stem: len(read_frames(p)) for p in folder.glob("*.extxyz")}

    assert made("train") == {"train": 3, "val": 1}
    assert made("test") == {"test": 2}
    assert made("train", frames=3) == {"train": 2, "val": 1}
    last = read_frames(tmp_path / "test0" / "test.extxyz")
    assert [f.positions[7, 0] for f in last] == pytest.approx([8 * 0.904, 8 * 0.905])


def argyrodite(tmp_path: Path, **reading: Any) -> dict[str, Any]:
    paths = [ARGYRODITE / "600K.extxyz", ARGYRODITE / "eos.extxyz"]
    params = imported.Params(
        reading=Reading(stress_key="stress", **reading),
        sha256=tuple(map(file_digest, paths)),
        compositions={"Li6PS5Cl": {"Li": 24, "P": 4, "S": 20, "Cl": 4}},
        ions={},
    )
    how = {"paths": [str(path) for path in paths]}
    return dict(imported.run(params, Inputs({}, how=how), tmp_path).values)


def test_argyrodite(tmp_path: Path) -> None:
    if not ARGYRODITE.is_dir():
        pytest.skip(f"{ARGYRODITE} is not there")
    values = argyrodite(tmp_path)
    assert len(values["frames"]["Li6PS5Cl"]) == 96 and not values["dropped"]
    (slope,) = values["stress_slopes"]
    assert slope["frames"] == 11
    assert slope["slope"] == pytest.approx(1.0, abs=0.1)
    with pytest.raises(StageError, match="stress_sign=tension"):
        argyrodite(tmp_path, stress_sign="compression")
    with pytest.raises(StageError, match="not the derivative"):
        argyrodite(tmp_path, stress_unit="GPa")


def test_the_sign_of_the_stress_without_an_equation_of_state(tmp_path: Path) -> None:
    """PS4 vibrates in a crystal of lithium: its virial tells the sign, not the size."""
    path = ARGYRODITE / "600K.extxyz"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    crystal: dict[str, Any] = {
        "ions": {}, "compositions": {"Li6PS5Cl": {"Li": 24, "P": 4, "S": 20, "Cl": 4}},
        "stress_key": "stress",
    }  # fmt: skip
    right, _ = import_file(path, tmp_path / "work", **crystal)
    assert right.values["warnings"] == []
    for wrong, hint in (
        ({"stress_sign": "compression"}, "stress_sign=tension"),
        ({"stress_unit": "kbar"}, "stress_unit=eV/Å³"),
    ):
        found, _ = import_file(path, tmp_path / "work", **crystal, **wrong)
        assert hint in "; ".join(found.values["warnings"])
