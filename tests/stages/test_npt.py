"""NPT: equilibration ends at the temperature and pressure, sampling keeps frames of changing cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from classical import Classical, give, whole
from pydantic import ValidationError

from ilmlip.chemistry.boxes import ion_names, read, read_one
from ilmlip.chemistry.forcefield import scaled_forcefield, topology
from ilmlip.engines import lammps
from ilmlip.spec.sampling import Minimise, Npt
from ilmlip.stages import equilibrate, sample
from ilmlip.stages.base import Given

PRESSURE = 1000.0
"""bar: what keeps a box of three pairs from boiling in a run this short."""


@pytest.fixture(scope="module")
def settled(classical: Classical, tmp_path_factory: pytest.TempPathFactory) -> Given:
    folder = Path(tmp_path_factory.mktemp("npt"))
    params = equilibrate.Params(
        **classical.dynamics,
        pressure=PRESSURE,
        tail=True,
        barostat_time=1000.0,
        settle=2000.0,
        stages=(
            Minimise(minimise=True),
            Npt(duration=1000.0, temperature=(300, 500), pressure=(1e4, 1e4)),
            Npt(duration=1000.0, temperature=(500, 400), pressure=(1e4, 2000.0)),
        ),
    )
    return give(
        equilibrate.STAGE, params, folder / "equilibrate",
        forcefield=classical.forcefield, structure=classical.build,
    )  # fmt: skip


@pytest.fixture(scope="module")
def sampled(
    classical: Classical, settled: Given, tmp_path_factory: pytest.TempPathFactory
) -> Given:
    params = sample.Params(
        **classical.dynamics,
        pressure=PRESSURE,
        tail=True,
        barostat_time=1000.0,
        duration=2000.0,
        interval=200.0,
    )
    return give(
        sample.STAGE, params, Path(tmp_path_factory.mktemp("npt")) / "sample",
        forcefield=classical.forcefield, structure=settled,
    )  # fmt: skip


def ramps(text: str) -> list[list[float]]:
    """Start and end of temperature and of pressure of each stretch of NPT."""
    words = [line.split() for line in text.splitlines() if line.startswith("fix npt")]
    return [[float(w[i]) for i in (5, 6, 9, 10)] for w in words]


def test_equilibration_ends_at_temperature_and_pressure(settled: Given) -> None:
    """From where the protocol ended; half of the time on the way, half of it there."""
    text = (settled.path / lammps.INPUT).read_text(encoding="utf-8")
    assert "fix nvt" not in text and "fix box" not in text
    found = ramps(text.partition("# to the temperature and pressure of the sampling")[2])
    assert found[0] == [400, 375, PRESSURE, PRESSURE]
    assert found[3:] == [[325, 300, PRESSURE, PRESSURE]] + 4 * [[300, 300, PRESSURE, PRESSURE]]


def test_the_density_is_the_one_it_ended_at(settled: Given) -> None:
    atoms = read_one(settled.path / "structure.extxyz", 0)
    density = atoms.get_masses().sum() / atoms.get_volume() * 1.66053906660
    assert settled.values["density"] == pytest.approx(density, rel=1e-4)
    assert 0.5 < density < 2.5  # a liquid, or nearly


def test_frames_have_cubic_cells_that_change(classical: Classical, sampled: Given) -> None:
    path = sampled.path / "trajectory.extxyz"
    frames = read(path)
    assert len(frames) == sampled.values["n_frames"] == 10
    edges = np.array([atoms.cell.lengths() for atoms in frames])
    np.testing.assert_allclose(edges, edges[:, :1].repeat(3, axis=1), rtol=1e-6)
    assert len(np.unique(edges[:, 0].round(6))) == 10
    whole(path, classical.ions)


def test_thermo_follows_the_cell(sampled: Given) -> None:
    rows = np.genfromtxt(sampled.path / "thermo.csv", delimiter=",", names=True)
    assert rows["time_fs"].tolist() == list(range(0, 2001, 100))
    frames = read(sampled.path / "trajectory.extxyz")
    mass = frames[0].get_masses().sum() * 1.66053906660
    densities = [mass / atoms.get_volume() for atoms in frames]
    np.testing.assert_allclose(rows["density_g_cm3"][2::2], densities, rtol=2e-4)
    assert np.ptp(rows["density_g_cm3"]) > 1e-3


def test_long_runs_are_cut_so_that_the_mesh_follows(classical: Classical) -> None:
    atoms = read_one(classical.build.path / "structure.extxyz", 0)
    box = topology(scaled_forcefield(classical.ions, 0.8), ion_names(atoms))

    def parts(duration: float) -> int:
        params = sample.Params(
            **classical.dynamics, pressure=1.0, barostat_time=1e3, duration=duration, interval=1e3
        )
        text = sample.lammps_input(params, box)
        assert ramps(text) == [[300, 300, 1, 1]] * text.count("unfix npt")
        return text.count("unfix npt")

    assert parts(1e4) == 4
    assert parts(1e6) == 20


def test_a_density_or_a_pressure(classical: Classical) -> None:
    """What it ends at: a density, a pressure, or the volume that it has. Never two of them."""
    common = {**classical.dynamics, "stages": (), "settle": 1e3, "barostat_time": 1e3}
    said = "a density or keep_volume, for NVT, or a pressure, for NPT"
    for wrong in ({}, {"density": 1.4, "pressure": 1.0}, {"density": 1.4, "keep_volume": True}):
        with pytest.raises(ValidationError, match=said):
            equilibrate.Params(**common, **wrong)
