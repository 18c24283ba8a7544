import dataclasses
import json

import numpy as np
import pytest
import toy
from ase.io import read, write
from ase.stress import voigt_6_to_full_3x3_stress

from ilmlip.chemistry.labelled import read_frames
from ilmlip.engines import nequip
from ilmlip.stages import evaluate
from ilmlip.stages.base import Given

pytest_plugins = ("toy_fixtures",)


@pytest.fixture(scope="module")
def evaluated(trained, toy_sets, tmp_path_factory) -> Given:
    work = tmp_path_factory.mktemp("evaluate")
    inputs = toy.inputs(model=trained, dataset=toy_sets["test"])
    made = evaluate.run(evaluate.Params(kind="nequip"), inputs, work)
    assert made.files == ("predictions.npz", "errors.json")
    return Given("evaluate", work, made.values)


@pytest.mark.engine
def test_errors_are_those_of_a_direct_computation_with_ase(evaluated, trained, toy_sets):
    from nequip.integrations.ase import NequIPCalculator

    calculator = NequIPCalculator._from_saved_model(
        trained.path / "model.ckpt", chemical_species_to_atom_type_map=True
    )
    energies, forces, by_element = [], [], {"F": [], "Li": [], "P": []}
    stress = []
    by_ion = {"Li": [], "PF": []}
    for frame in read_frames(toy_sets["test"].path / "test.extxyz"):
        atoms = frame.atoms()
        atoms.calc = calculator
        energies.append((atoms.get_potential_energy() - frame.energy) / len(atoms) * 1e3)
        error = np.abs(atoms.get_forces() - frame.forces) * 1e3
        forces.append(error)
        full = voigt_6_to_full_3x3_stress(frame.stress)
        stress.append(np.abs(atoms.get_stress(voigt=False) - full).ravel() * 1e3)
        for element, errors in by_element.items():
            errors.append(error[np.array(frame.symbols) == element])
        for ion, sums in by_ion.items():
            own = np.array(frame.ion_types) == ion
            sums.append(atoms.get_potential_energies()[own].sum() / 4)  # four of each
    values = evaluated.values
    assert values["energy_mae"] == pytest.approx(np.mean(np.abs(energies)), abs=1e-2)
    assert values["force_mae"] == pytest.approx(np.mean(np.concatenate(forces)), abs=1e-2)
    assert values["stress_mae"] == pytest.approx(np.mean(np.concatenate(stress)), abs=1e-3)
    for element, errors in by_element.items():
        expected = np.mean(np.concatenate(errors))
        assert values[f"force_mae_{element}"] == pytest.approx(expected, abs=1e-2)
    for ion, sums in by_ion.items():
        assert values["ion_energies"][ion] == pytest.approx(np.mean(sums), abs=1e-4)
    assert values["n_frames"] == 3


@pytest.mark.engine
def test_files_hold_what_the_values_say(evaluated):
    assert (
        json.loads((evaluated.path / "errors.json").read_text(encoding="utf-8")) == evaluated.values
    )
    with np.load(evaluated.path / "predictions.npz", allow_pickle=False) as arrays:
        error = (arrays["energy"] - arrays["energy_reference"]) / arrays["n_atoms"]
        assert evaluated.values["energy_mae"] == pytest.approx(np.mean(np.abs(error)) * 1e3)
        assert arrays["forces"].shape == arrays["forces_reference"].shape == (36, 3)
        assert arrays["stress"].shape == arrays["stress_reference"].shape == (3, 6)
        assert arrays["symbols"].shape == (36,)
        assert arrays["atomic_energy"].sum() == pytest.approx(arrays["energy"].sum(), abs=1e-4)


@pytest.mark.engine
def test_stress_is_the_derivative_of_the_energy(trained, toy_sets):
    """By central differences over strained cells, all six components, in the sign of tension."""
    frame = read_frames(toy_sets["test"].path / "test.extxyz")[0]
    model = nequip.load(trained.path)
    step, volume = 1e-3, abs(np.linalg.det(frame.cell))
    found = []
    for i, j in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)):
        energies = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[i, j] += sign * step / 2
            strain[j, i] += sign * step / 2
            strained = dataclasses.replace(
                frame, positions=frame.positions @ strain, cell=frame.cell @ strain
            )
            energies.append(model.predict([strained])[0].energy)
        found.append((energies[0] - energies[1]) / (2 * step) / volume)
    predicted = model.predict([frame])[0].stress
    assert np.abs(predicted).max() > 1e-4
    np.testing.assert_allclose(predicted, found, atol=0.02 * np.abs(predicted).max())


@pytest.mark.engine
def test_stress_of_those_frames_that_have_one(trained, toy_sets, tmp_path):
    (tmp_path / "data").mkdir()
    frames = read(toy_sets["test"].path / "test.extxyz", index=":")
    del frames[0].calc.results["stress"]
    write(tmp_path / "data" / "test.extxyz", frames)
    given = toy.inputs(model=trained, dataset=Given("dataset-some", tmp_path / "data", {}))
    made = evaluate.run(evaluate.Params(kind="nequip"), given, tmp_path)
    assert made.values["stress_mae"] > 0
    with np.load(tmp_path / "predictions.npz") as arrays:
        assert np.isnan(arrays["stress_reference"]).all(axis=1).tolist() == [True, False, False]
