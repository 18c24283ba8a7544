"""The stage build: the ions asked for, whole, apart from each other, in a cubic box."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from classical import COUNTS, Classical, whole

from ilmlip.chemistry.boxes import ion_names, read_one
from ilmlip.errors import StageError
from ilmlip.stages import build
from ilmlip.stages.base import Inputs


def test_the_box_holds_what_was_asked_for(classical: Classical) -> None:
    atoms = read_one(classical.build.path / "structure.extxyz", 0)
    assert Counter(ion_names(atoms)) == COUNTS
    assert len(atoms) == 2 * 19 + 1 + 3 * 7
    assert atoms.pbc.all()
    assert np.ptp(atoms.cell.lengths()) == 0
    assert classical.build.values["length"] == pytest.approx(atoms.cell.lengths()[0])
    assert classical.build.values["closest_contact"] > 2.0
    whole(classical.build.path / "structure.extxyz", classical.ions)


def test_density_is_low(classical: Classical) -> None:
    atoms = read_one(classical.build.path / "structure.extxyz", 0)
    assert atoms.get_masses().sum() / atoms.get_volume() * 1.66054 < 0.3  # g/cm³


def test_a_narrow_grid_is_a_failure_with_a_remedy(classical: Classical, tmp_path: Path) -> None:
    ions = classical.spec.system.ions
    params = build.Params(
        counts=COUNTS, ions={n: ions[n].geometry() for n in COUNTS}, spacing=4.0, seed=1
    )
    with pytest.raises(StageError, match=r"use at least .*grid_spacing"):
        build.run(params, Inputs({}), tmp_path)
