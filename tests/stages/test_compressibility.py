"""The stage compressibility: a made-up Tait liquid, a ladder that broke, one that is too short."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

from ilmlip.chemistry.boxes import density
from ilmlip.engines.model_dynamics import TRAJECTORY
from ilmlip.engines.thermo import THERMO
from ilmlip.spec.ensemble import Run
from ilmlip.stages import compressibility
from ilmlip.stages.base import Given, Inputs
from ilmlip.units import BAR, KELVIN

KAPPA, C = 6.5e-5, 0.09
ATOMS = Atoms("Ar100", positions=np.zeros((100, 3)), cell=[16.0] * 3, pbc=True)
LADDER = Run(
    kind="npt", temperature=300.0, timestep=1.0, duration=4000.0, settle=4000.0,
    pressures=tuple(1.0 + 1000.0 * i for i in range(10)), thermostat_time=50.0, barostat_time=500.0,
)  # fmt: skip
ABOUT = {
    "model": "0.4", "seed": 1, "composition": "0.4", "kind": "npt", "temperature": 300.0, "replica": 0,
}  # fmt: skip


def given(folder: Path, name: str, until: float = 1e9) -> Given:
    """A run whose volume follows the Tait equation, with the fluctuations of its compressibility.

    While it settles, the volume is wrong.
    """
    rng = np.random.default_rng(5)
    path = folder / name
    path.mkdir()
    v0 = ATOMS.get_volume()
    time = np.arange(0, LADDER.whole() + 1, 10.0)
    rung = np.minimum((np.maximum(time - 1, 0) // LADDER.span()).astype(int), 9)
    p = np.array(LADDER.pressures)[rung]
    volume = v0 * (1 - C * np.log1p(KAPPA * (p - 1) / C))
    spread = np.sqrt(KAPPA / (1 + KAPPA * (p - 1) / C) * v0 * KELVIN * 300 / BAR)
    volume += rng.normal(size=len(time)) * spread
    settling = (time - 1) % LADDER.span() < LADDER.settle - 1
    volume[settling] *= 1.2
    rho = density(ATOMS) * v0 / volume
    there = time <= until
    table = np.column_stack([time, rho])[there]
    np.savetxt(path / THERMO, table, "%.10g", ",", header="time_fs,density_g_cm3", comments="")
    text = io.StringIO()
    write(text, ATOMS, format="extxyz")
    (path / TRAJECTORY).write_bytes(gzip.compress(text.getvalue().encode()))
    return Given(name, path, {"stable": True})


def found(folder: Path, *runs: Given) -> tuple[list[dict[str, str]], list[dict[str, str]], str]:
    params = compressibility.Params.model_validate(
        {"runs": [ABOUT] * len(runs), "ladder": [LADDER] * len(runs)}
    )
    inputs = Inputs({"md": runs}, {}, {"md": tuple(range(len(runs)))})
    work = folder / "work"
    work.mkdir()
    output = compressibility.run(params, inputs, work)
    assert set(output.files) == {path.name for path in work.iterdir()}
    tables = [
        list(csv.DictReader((work / name).open(encoding="utf-8"))) for name in output.files[:2]
    ]
    return tables[0], tables[1], (work / output.files[2]).read_text(encoding="utf-8")


def test_a_tait_liquid(tmp_path: Path) -> None:
    """Both ways find the compressibility that made the volumes, and agree within their errors."""
    (fit,), ladder, page = found(tmp_path, given(tmp_path, "whole"))
    for name in ("tait", "fluctuation"):
        value, error = float(fit[f"{name}_1_bar"]), float(fit[f"{name}_stderr"])
        assert abs(value - KAPPA) < 3 * error < 0.5 * KAPPA
    assert abs(float(fit["apart"])) < 3
    assert float(fit["chi2"]) < 25 and fit["freedom"] == "7" and fit["reasons"] == ""
    assert len(ladder) == 10
    expected = density(ATOMS) / (1 - C * np.log1p(KAPPA * 9000 / C))
    assert float(ladder[-1]["density_g_cm3"]) == pytest.approx(expected, rel=0.01)
    assert "6.5" in page or "6." in page


def test_what_broke_and_what_is_too_short(tmp_path: Path) -> None:
    """Pressures that were not held to their end do not count; the page says what is missing."""
    broke = given(tmp_path, "broke", until=5 * LADDER.span() + 7000)
    short = given(tmp_path, "short", until=2 * LADDER.span())
    fits, ladder, page = found(tmp_path, broke, short)
    assert [fit["pressures"] for fit in fits] == ["5", "2"]
    assert fits[0]["tait_1_bar"] and not fits[1]["tait_1_bar"]
    assert "5 of 10 pressures were done" in page
    assert "no Tait equation: 2 pressures; at least 4 are needed" in fits[1]["reasons"]
    assert len(ladder) == 7


def test_a_run_that_broke_at_once(tmp_path: Path) -> None:
    (fit,), ladder, _ = found(tmp_path, given(tmp_path, "none", until=100))
    assert fit["pressures"] == "0" and not ladder
    assert fit["reasons"] == "0 of 10 pressures were done"
