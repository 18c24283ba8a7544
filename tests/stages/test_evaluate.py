import json

import numpy as np
import pytest
import toy

from ilmlip.chemistry.labelled import read_frames
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
    by_ion = {"Li": [], "PF": []}
    for frame in read_frames(toy_sets["test"].path / "test.extxyz"):
        atoms = frame.atoms()
        atoms.calc = calculator
        energies.append((atoms.get_potential_energy() - frame.energy) / len(atoms) * 1e3)
        error = np.abs(atoms.get_forces() - frame.forces) * 1e3
        forces.append(error)
        for element, errors in by_element.items():
            errors.append(error[np.array(frame.symbols) == element])
        for ion, sums in by_ion.items():
            own = np.array(frame.ion_types) == ion
            sums.append(atoms.get_potential_energies()[own].sum() / 4)  # four of each
    values = evaluated.values
    assert values["energy_mae"] == pytest.approx(np.mean(np.abs(energies)), abs=1e-2)
    assert values["force_mae"] == pytest.approx(np.mean(np.concatenate(forces)), abs=1e-2)
    for element, errors in by_element.items():
        expected = np.mean(np.concatenate(errors))
        assert values[f"force_mae_{element}"] == pytest.approx(expected, abs=1e-2)
    for ion, sums in by_ion.items():
        assert values["ion_energies"][ion] == pytest.approx(np.mean(sums), abs=1e-4)
    assert values["n_frames"] == 3


@pytest.mark.engine
def test_files_hold_what_the_values_say(evaluated):
    assert json.loads((evaluated.path / "errors.json").read_text()) == evaluated.values
    with np.load(evaluated.path / "predictions.npz", allow_pickle=False) as arrays:
        error = (arrays["energy"] - arrays["energy_reference"]) / arrays["n_atoms"]
        assert evaluated.values["energy_mae"] == pytest.approx(np.mean(np.abs(error)) * 1e3)
        assert arrays["forces"].shape == arrays["forces_reference"].shape == (36, 3)
        assert arrays["atomic_energy"].sum() == pytest.approx(arrays["energy"].sum(), abs=1e-4)
