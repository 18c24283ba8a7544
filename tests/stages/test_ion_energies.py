"""Energies per ion beside the labels' own difference, on frames whose energies are known."""

import pytest
import toy

from ilmlip.stages import dataset, ion_energies
from ilmlip.stages.base import Given, Inputs

MIXES = {"0.0": {"K": 4, "PF": 4}, "0.5": {"Li": 2, "K": 2, "PF": 4}, "1.0": {"Li": 4, "PF": 4}}
APART = {"Li": 1, "K": -1}


@pytest.fixture(scope="module")
def tests(tmp_path_factory):
    """A test set of each mixture; the ions' own energies dominate (toy.OFFSET)."""
    folder = tmp_path_factory.mktemp("sets")
    found = []
    for x, counts in MIXES.items():
        work = folder / x
        work.mkdir()
        labels = toy.labels(folder, counts, 20)
        made = dataset.run(dataset.Params(role="test"), toy.inputs(labels=labels), work)
        found.append(Given(f"dataset-{x}", work, made.values))
    return tuple(found)


def evaluation(energies):
    return Given("evaluate-x", None, {"ion_energies": energies})


def run(tests, folder, differences=(APART,)):
    evaluations = (
        evaluation({"K": -1.0, "PF": -1.0}),
        evaluation({"Li": -2.5, "K": -0.5, "PF": -2.0}),
        evaluation({"Li": -2.0, "PF": 0.0}),
    )
    names = [{"model": "0.5", "kind": "nequip", "seed": 1, "composition": x} for x in MIXES]
    params = ion_energies.Params.model_validate(
        {"entries": names, "compositions": tuple(MIXES), "differences": differences}
    )
    roles = {"evaluations": evaluations, "tests": tests}
    places = {"evaluations": (0, 1, 2), "tests": tuple(range(len(tests)))}
    return ion_energies.run(params, Inputs(roles, places=places), folder)


def test_the_labels_difference_is_that_of_the_ions(tests, tmp_path):
    made = run(tests, tmp_path)
    assert made.files == ion_energies.FILES
    # −2.0 − (−0.5) eV, and what 20 frames of a Lennard-Jones of 50 meV leave
    assert made.values["reference"]["Li-K"] == pytest.approx(-1.5, abs=0.1)
    assert 0 <= made.values["fit_mae"] < 0.2
    lines = (tmp_path / "ion_energies.csv").read_text(encoding="utf-8").splitlines()
    assert "0.5,1,ion_energy_Li,-2.250000,eV" in lines
    assert "0.5,1,ion_energy_K,-0.750000,eV" in lines
    assert "0.5,1,difference_Li-K,-1.500000,eV" in lines


def test_one_composition_determines_no_difference(tests, tmp_path):
    made = run(tests[1:2], tmp_path)
    assert made.values["reference"] == {"Li-K": None}
    assert "undetermined" in (tmp_path / "ion_energies.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("difference", "name"),
    [
        ({"EMIM": 1, "Li": -1}, "EMIM-Li"),
        ({"Cl": -1, "Li": 1, "S": 1}, "Li+S-Cl"),
        ({"A": -1, "B": 2}, "2B-A"),
    ],
)
def test_names(difference, name):
    assert ion_energies.difference_name(difference) == name
