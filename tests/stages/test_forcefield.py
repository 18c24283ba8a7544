"""The stage forcefield: a file that holds every term, and charges that cancel."""

from __future__ import annotations

import json

import pytest
from classical import Classical
from pydantic import ValidationError

from ilmlip.chemistry.forcefield import scaled_forcefield
from ilmlip.stages import forcefield


def test_the_file_is_the_force_field(classical: Classical) -> None:
    made = forcefield.read_forcefield(classical.forcefield)
    assert made == scaled_forcefield(classical.spec.system.ions, 0.8)
    assert classical.forcefield.values == {"charges": {"EMIM": 0.8, "Li": 0.8, "PF6": -0.8}}


def test_the_file_is_plain_json(classical: Classical) -> None:
    data = json.loads((classical.forcefield.path / forcefield.FILE).read_text(encoding="utf-8"))
    assert data["fudge"] == 0.5
    assert set(data["ions"]) == {"EMIM", "Li", "PF6"}


@pytest.mark.parametrize("scale", [0.0, -0.8, 1.2])
def test_a_charge_scale_out_of_range(classical: Classical, scale: float) -> None:
    with pytest.raises(ValidationError, match="charge_scale"):
        forcefield.Params(ions=classical.spec.system.ions, charge_scale=scale)


def test_name_and_source_of_an_ion_are_not_parameters(classical: Classical) -> None:
    """Another source text computes nothing anew."""
    ions = classical.spec.system.ions
    params = forcefield.Params(ions=ions, charge_scale=0.8).model_dump()
    assert all("source" not in ion and "name" not in ion for ion in params["ions"].values())
