"""The slope of ρ(T), against lines that are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilmlip.observables.expansion import thermal_expansion

T = np.array([300.0, 312.0, 325.0, 332.0, 350.0, 362.0])


def test_an_exact_line() -> None:
    found = thermal_expansion(T, 1.61 - 1.03e-3 * (T - 300), np.full(6, 1e-3), 300)
    assert found.density.value == pytest.approx(1.61)
    assert found.slope.value == pytest.approx(-1.03e-3)
    assert found.expansion.value == pytest.approx(1.03e-3 / 1.61)
    assert found.chi2 == pytest.approx(0, abs=1e-12)
    assert found.freedom == 4
    other = thermal_expansion(T, 1.61 - 1.03e-3 * (T - 300), np.full(6, 1e-3), 350)
    assert other.expansion.value == pytest.approx(1.03e-3 / (1.61 - 0.0515))


@pytest.mark.parametrize("stated", [True, False])
def test_errors_are_calibrated(stated: bool) -> None:
    rng = np.random.default_rng(1)
    errors = np.linspace(1e-3, 3e-3, 6) if stated else np.full(6, 2e-3)
    off = []
    for _ in range(400):
        rho = 1.61 - 1.03e-3 * (T - 300) + errors * rng.normal(size=6)
        found = thermal_expansion(T, rho, errors if stated else None, 320)
        off.append(
            [
                (found.density.value - 1.5894) / found.density.error,
                (found.slope.value + 1.03e-3) / found.slope.error,
                (found.expansion.value - 1.03e-3 / 1.5894) / found.expansion.error,
            ]
        )
        assert (found.chi2 is None) is not stated
    # without stated errors the spread is that of Student's t of 4 degrees of freedom, √2
    expected = 1.0 if stated else np.sqrt(2)
    np.testing.assert_allclose(np.std(off, axis=0), expected, rtol=0.15)


def test_two_points_with_errors() -> None:
    found = thermal_expansion([300, 350], [1.6, 1.55], [3e-3, 4e-3], 300)
    assert found.slope.value == pytest.approx(-1e-3)
    assert found.slope.error == pytest.approx(5e-3 / 50)
    assert found.density.error == pytest.approx(3e-3)
    assert found.freedom == 0


def test_the_error_of_the_expansion_knows_that_of_the_density() -> None:
    """Against derivatives by differences, where the slope is steep and the densities uncertain."""
    rho, errors, h = np.array([1.6, 1.0]), np.array([0.03, 0.04]), 1e-6

    def alpha(densities: np.ndarray) -> float:
        return thermal_expansion([300, 350], densities, errors, 300).expansion.value

    steps = h * np.eye(2)
    gradient = np.array([(alpha(rho + step) - alpha(rho - step)) / (2 * h) for step in steps])
    found = thermal_expansion([300, 350], rho, errors, 300).expansion.error
    assert found == pytest.approx(np.linalg.norm(gradient * errors), rel=1e-5)


@given(st.floats(0.1, 10), st.floats(0.1, 10))
def test_units_scale(heat: float, mass: float) -> None:
    rho, errors = np.array([1.6, 1.58, 1.55]), np.array([1e-3, 2e-3, 1e-3])
    one = thermal_expansion(T[:3], rho, errors, 300)
    other = thermal_expansion(heat * T[:3], mass * rho, mass * errors, heat * 300)
    assert other.slope.value == pytest.approx(one.slope.value * mass / heat)
    assert other.expansion.value == pytest.approx(one.expansion.value / heat)
    assert other.expansion.error == pytest.approx(one.expansion.error / heat)


@pytest.mark.parametrize(
    ("t", "rho", "errors", "message"),
    [
        ([], [], [], "shape"),
        ([300.0], [1.6], [0.1], "at least 2"),
        ([300.0, 300.0], [1.6, 1.5], [0.1, 0.1], "at least 2"),
        ([300.0, 350.0], [1.6, 1.5], None, "at least 3"),
        ([300.0, 350.0], [1.6], [0.1, 0.1], "shape"),
        ([300.0, 350.0], [1.6, np.nan], [0.1, 0.1], "not finite"),
        ([300.0, 350.0], [1.6, 1.5], [0.1, 0.0], "above zero"),
    ],
)
def test_refuses(
    t: list[float], rho: list[float], errors: list[float] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        thermal_expansion(t, rho, errors, 300)


def test_the_paper_s_densities_give_its_slope() -> None:
    """Table S15, AIMD+VS, both rows: the text has −1.03e-3 g/cm³/K, without an error."""
    temperatures = [299.9, 325.0, 349.9, 312.0, 331.9, 361.9]
    found = thermal_expansion(temperatures, [1.611, 1.592, 1.566, 1.598, 1.584, 1.545], None, 300)
    assert abs(found.slope.value + 1.03e-3) < found.slope.error
