import json

import numpy as np
import pytest
import toy
from ase.calculators.singlepoint import SinglePointCalculator

from ilmlip.stages import dataset, evaluate, fit_linear
from ilmlip.stages.base import Given


def only_offsets(atoms):
    """The same frame, its energy being that of its ions alone."""
    _, first = np.unique(atoms.arrays["ion_id"], return_index=True)
    energy = sum(toy.OFFSET[atoms.arrays["ion_type"][i]] for i in first)
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=0 * atoms.positions)
    return atoms


def make(folder, role, *compositions):
    given = [
        toy.label(folder, only_offsets(toy.frame(counts, i)), f"{role}-{n}-{i}")
        for n, counts in enumerate(compositions)
        for i in range(4)
    ]
    work = folder / f"set-{role}"
    work.mkdir(parents=True)
    params = dataset.Params(role=role, validation_fraction=0.25 if role == "train" else 0)
    return Given(role, work, dataset.run(params, toy.inputs(labels=given), work).values)


A, B, C = {"Li": 1, "K": 3, "PF": 4}, {"Li": 2, "K": 2, "PF": 4}, {"Li": 4, "PF": 4}


@pytest.mark.parametrize(("compositions", "rank"), [((A,), 1), ((A, B), 2)])
def test_two_compositions_determine_every_mixture(tmp_path, compositions, rank):
    training = make(tmp_path / "a", "train", *compositions)
    solved = fit_linear.run(fit_linear.Params(), toy.inputs(dataset=training), tmp_path)
    assert solved.values["rank"] == rank
    assert json.loads((tmp_path / "linear.json").read_text(encoding="utf-8")) == solved.values
    linear = Given("linear", tmp_path, solved.values)
    test = make(tmp_path / "b", "test", C)
    work = tmp_path / "evaluate"
    work.mkdir()
    found = evaluate.run(
        evaluate.Params(kind="linear"), toy.inputs(model=linear, dataset=test), work
    ).values
    assert (found["energy_mae"] < 1e-6) == (rank == 2)
    difference = solved.values["energies"]["K"] - solved.values["energies"]["Li"]
    if rank == 2:
        assert difference == pytest.approx(toy.OFFSET["K"] - toy.OFFSET["Li"])
    assert not [name for name in found if name.startswith("force")]
    assert set(found["ion_energies"]) == {"Li", "PF"}


def test_an_ion_that_was_not_trained_on_has_no_energy(tmp_path):
    training = make(tmp_path / "a", "train", C)
    solved = fit_linear.run(fit_linear.Params(), toy.inputs(dataset=training), tmp_path)
    test = make(tmp_path / "b", "test", A)
    found = evaluate.run(
        evaluate.Params(kind="linear"),
        toy.inputs(model=Given("linear", tmp_path, solved.values), dataset=test),
        tmp_path,
    ).values
    assert found["ion_energies"]["K"] == 0.0
