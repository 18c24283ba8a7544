import numpy as np
import pytest

from ilmlip.observables.errors import (
    energy_errors,
    force_errors,
    ion_energies,
    means,
    standard_error,
    stress_errors,
)


def test_energy_errors_are_per_atom_in_mev():
    found = energy_errors(np.array([1.0, 2.0]), np.array([0.9, 2.4]), np.array([10, 20]))
    # +10 and -20 meV/atom
    assert found["energy_mae"] == pytest.approx(15.0)
    assert found["energy_bias"] == pytest.approx(-5.0)
    assert found["energy_rmse"] == pytest.approx(np.sqrt(250.0))
    assert found["energy_mae_stderr"] == pytest.approx(5.0)


def test_force_errors_weigh_every_component_alike():
    reference = [np.zeros((2, 3)), np.zeros((1, 3))]
    predicted = [np.array([[0.003, 0, 0], [0, -0.006, 0]]), np.array([[0.0, 0.0, 0.009]])]
    found = force_errors(predicted, reference, [["Li", "F"], ["F"]])
    assert found["force_mae"] == pytest.approx(2.0)  # 18 meV/Å over 9 components
    assert found["force_mae_Li"] == pytest.approx(1.0)
    assert found["force_mae_F"] == pytest.approx(2.5)
    assert found["force_rmse"] == pytest.approx(np.sqrt((9 + 36 + 81) / 9))
    assert found["force_mae_Li_stderr"] == 0.0
    assert found["force_rmse_F"] == pytest.approx(np.sqrt((36 + 81) / 6))


def test_stress_errors_are_over_nine_components():
    predicted = np.array([[0.009, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0.0045]])
    found = stress_errors(predicted, np.zeros((2, 6)))
    assert found["stress_mae"] == pytest.approx(1.0)  # 9 of nine, and twice 4.5 of nine, meV/Å³
    assert found["stress_rmse"] == pytest.approx(np.sqrt((81 + 2 * 20.25) / 18))
    assert found["stress_mae_stderr"] == 0.0


def test_ion_energies_are_means_over_the_ions_of_a_frame():
    atomic = [np.array([1.0, 2.0, 3.0, 5.0]), np.array([4.0])]
    ids = [np.array([0, 0, 1, 2]), np.array([0])]
    types = [["PF", "PF", "Li", "Li"], ["Li"]]
    found = ion_energies(atomic, ids, types)
    np.testing.assert_allclose(found["Li"], [4.0, 4.0])
    np.testing.assert_allclose(found["PF"], [3.0])
    assert means(found)[0] == {"Li": 4.0, "PF": 3.0}


def test_standard_error():
    values = np.array([1.0, 2.0, 3.0, 6.0])
    assert standard_error(values) == pytest.approx(values.std(ddof=1) / 2)
    assert standard_error(values[:1]) == 0.0
