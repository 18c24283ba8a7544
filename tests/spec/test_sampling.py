"""Ensemble, pressure, temperatures and tail of the sampling: what fits together."""

from __future__ import annotations

import pytest

from ilmlip.errors import SpecError
from ilmlip.spec.load import load

NPT = ["quickstart", "sampling.ensemble=npt", "sampling.pressure=1.01325"]


@pytest.mark.parametrize(
    ("words", "where", "says"),
    [
        (["sampling.ensemble=npt"], "sampling.pressure", "is missing; npt needs it"),
        (["sampling.pressure=1"], "sampling.pressure", "has no meaning for nvt"),
        (["sampling.ensemble=nve"], "sampling.ensemble", "nvt"),
        (["sampling.temperatures=[300,300]"], "sampling.temperatures", "has one twice"),
        (["sampling.temperatures=[300,0]"], "sampling.temperatures", "greater than 0"),
        (["sampling.tail=perhaps"], "sampling.tail", "bool"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(words: list[str], where: str, says: str) -> None:
    with pytest.raises(SpecError) as error:
        load(["quickstart", *words])
    assert where in str(error.value)
    assert says in str(error.value)


def test_a_vacuum_is_a_pressure() -> None:
    """0 bar is stated, and is not the same as none."""
    assert load([*NPT, "sampling.pressure=0"]).sampling.pressure == 0


def test_temperatures_take_the_place_of_the_temperature() -> None:
    assert load(["quickstart"]).sampling.all_temperatures() == (300.0,)
    found = load(["quickstart", "sampling.temperatures=[350,400]"]).sampling
    assert found.all_temperatures() == (350.0, 400.0)
