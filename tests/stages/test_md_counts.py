"""Which times of a run its averages are over; none of a run that became unstable."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from ilmlip.chemistry.boxes import read
from ilmlip.engines.model_dynamics import TRAJECTORY
from ilmlip.engines.thermo import THERMO
from ilmlip.spec.ensemble import Run
from ilmlip.stages import md, md_frames
from ilmlip.stages.base import Given, Inputs

NPT: dict[str, Any] = {
    "kind": "npt", "temperature": 300.0, "timestep": 1.0, "duration": 1000.0, "thermostat_time": 100.0,
    "barostat_time": 1000.0,
}  # fmt: skip
ONE = Run(**NPT, pressure=1.0)
LADDER = Run(**NPT, pressures=(1.0, 1001.0), settle=3000.0)


def table(folder: Path, rho: np.ndarray, time: np.ndarray) -> Path:
    columns = {"step": time, "time_fs": time, "conserved_eV": 0 * time}
    columns |= dict.fromkeys(md.AVERAGED, rho)
    path = folder / THERMO
    data = np.column_stack(list(columns.values()))
    np.savetxt(path, data, "%.10g", ",", header=",".join(columns), comments="")
    return path


def test_the_last_half_and_the_first_pressure_after_it_settled(tmp_path: Path) -> None:
    """A ladder that settles for three times as long as it counts: half of it would be wrong."""
    time = np.arange(0.0, 1001.0, 10.0)
    rho = np.where(time < 500, 1.0, 1.5)
    assert md.summary(ONE, table(tmp_path, rho, time))["density_g_cm3"] == pytest.approx(1.5)
    time = np.arange(0.0, 8001.0, 10.0)
    rho = np.select([time <= 3000, time <= 4000], [1.0, 1.5], 2.0)
    found = md.summary(LADDER, table(tmp_path, rho, time))
    assert found["density_g_cm3"] == pytest.approx(1.5) and found["density_g_cm3_stderr"] < 1e-9


def test_too_short_for_an_error_is_no_mean(tmp_path: Path) -> None:
    time = np.arange(0.0, 101.0, 10.0)
    assert md.summary(ONE, table(tmp_path, 0 * time + 1, time)) == {}


def test_what_became_unstable() -> None:
    hot = {"stable": False, "reason": "temperature 4000 K is above 3000 K", "steps": 4500}
    assert md.became_unstable(ONE, hot) == f"the run became unstable at 4.5 ps: {hot['reason']}"
    assert md.became_unstable(LADDER, hot) == ""  # at its second pressure
    assert md.became_unstable(LADDER, hot | {"steps": 3500}) != ""
    late = {"stable": False, "reason": "wall time 2 h is above 1 h", "steps": 10}
    assert md.became_unstable(ONE, late) == md.became_unstable(ONE, {"stable": True}) == ""


def test_the_frame_at_which_a_run_broke_is_not_labelled(tmp_path: Path) -> None:
    """Its error would be most of the mean in dynamics."""
    with (tmp_path / TRAJECTORY).open("wb") as out:
        for time in (0.0, 100.0, 200.0, 300.0, 310.0):
            atoms = Atoms("Ar2", [[0, 0, 0], [0, 0, 3.0]], cell=[9.0] * 3, pbc=True)
            atoms.calc = SinglePointCalculator(atoms, energy=time)
            atoms.info["time_fs"] = time
            text = io.StringIO()
            write(text, atoms, format="extxyz")
            out.write(gzip.compress(text.getvalue().encode()))

    def times(values: dict[str, Any], **own: Any) -> list[float]:
        work = tmp_path / f"{len(values)} {len(own)}"
        work.mkdir()
        inputs = Inputs({"md": (Given("md", tmp_path, values),)})
        md_frames.run(md_frames.Params(count=9, **own), inputs, work)
        return [frame.info["time_fs"] for frame in read(work / md_frames.FRAMES)]

    assert times({"stable": False, "reason": "temperature"}) == [100.0, 200.0, 300.0]
    assert times({}) == [100.0, 200.0, 300.0, 310.0]
    # of a ladder those that count at its first pressure
    assert times({}, between=(100.0, 300.0)) == [200.0, 300.0]
