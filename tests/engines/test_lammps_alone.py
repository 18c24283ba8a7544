"""The run of one ion alone: shipped ions conserve energy, broken ones do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ion_data import Change, changed, shipped_ion

from ilmlip.chemistry.check import BOND_RANGE
from ilmlip.chemistry.forcefield import scaled_forcefield, topology
from ilmlip.chemistry.ion import load_ion
from ilmlip.engines.lammps_alone import Run, alone, tolerance
from ilmlip.errors import StageError
from ilmlip.spec.shipped import options

pytestmark = pytest.mark.engine


def run(path: Path, work: Path, scale: float = 0.8) -> Run:
    ion = load_ion(path)
    box = topology(scaled_forcefield({ion.name: ion}, scale), [ion.name])
    return alone(box, np.array(ion.geometry().positions), work)


@pytest.mark.parametrize("name", [n for n in options("ion") if n != "li"])
def test_shipped_ions_conserve_energy(name: str, tmp_path: Path) -> None:
    found = run(shipped_ion(name), tmp_path)
    assert found.conserves and found.stretch < BOND_RANGE
    assert 0.01 * found.tolerance < found.fluctuation  # the tolerance is no barn door
    assert abs(found.drift) < 0.1 * found.tolerance


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("pf6", lambda d: d["angle_types"].update({"F-P-F": [90.0, 1165e3]})),
        ("ntf2", lambda d: d["angle_types"].update({"NBT-SBT-OBT": [113.6, 789e3]})),
        ("pf6", lambda d: d["bond_types"].update({"P-F": [1.606, 3100e3]})),
        ("emim", lambda d: d["bond_types"].update({"CT-HT": [1.084, 2845e3]})),
    ],
)
def test_constants_a_thousand_times_too_large(name: str, change: Change, tmp_path: Path) -> None:
    path = changed(name, change, tmp_path)
    try:
        found = run(path, tmp_path)
    except StageError as error:
        assert "atoms" in error.reason or "infinite" in error.reason
    else:
        assert not found.conserves


def test_a_constant_a_thousand_times_too_small(tmp_path: Path) -> None:
    path = changed("pf6", lambda d: d["bond_types"].update({"P-F": [1.606, 3.1]}), tmp_path)
    found = run(path, tmp_path)
    assert found.stretch > BOND_RANGE


def test_the_fluctuation_goes_with_the_square_of_the_frequency(tmp_path: Path) -> None:
    """Four times the constant: four times (ω Δt)², and so is the tolerance."""
    ions = [load_ion(shipped_ion("bf4"))]
    ions.append(
        load_ion(changed("bf4", lambda d: d["bond_types"]["B-F"].__setitem__(1, 12940.0), tmp_path))
    )
    boxes = [topology(scaled_forcefield({"BF4": ion}, 0.8), ["BF4"]) for ion in ions]
    assert tolerance(boxes[1]) == pytest.approx(4 * tolerance(boxes[0]))
