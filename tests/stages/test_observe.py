"""The stages observe and observe_report on made-up runs whose answers are known."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.io import write
from chemistry.test_bonds import IONS, named
from scipy import constants

from ilmlip.chemistry.boxes import density
from ilmlip.chemistry.boxes import write as write_box
from ilmlip.engines.model_dynamics import TRAJECTORY
from ilmlip.engines.thermo import THERMO
from ilmlip.observables.periodic import minimum_image
from ilmlip.stages import ion_averages, observe, observe_report
from ilmlip.stages.base import Given, Inputs
from ilmlip.stages.ion_averages import Ions

STEP = 0.05
"""Å in each direction between two frames, of a random walk; D = STEP²/(2 · 100 fs)."""
NPT = {
    "kind": "npt", "temperature": 300.0, "timestep": 1.0, "duration": 1e5, "pressure": 1.0,
    "thermostat_time": 50.0, "barostat_time": 500.0,
}  # fmt: skip


def walk(frames: int, factor: Any = 1.0) -> list[Atoms]:
    """Each ion a random walker as a whole, with two boxes in a row as one.

    factor (frames,): how much longer each step is.
    """
    rng = np.random.default_rng(3)
    steps = rng.normal(scale=STEP, size=(frames, 32, 3))
    steps *= np.broadcast_to(factor, frames)[:, None, None]
    return moved_by(steps)


def moved_by(steps: np.ndarray) -> list[Atoms]:
    """Frames of ions that take steps (frames, ions, 3)."""
    start = named(4) * (1, 2, 2)
    ion = start.arrays["ion_id"] + 8 * (np.arange(len(start)) // 32)
    steps[0] = 0
    found = []
    for k, moved in enumerate(np.cumsum(steps, axis=0)):
        frame = Atoms(start.numbers, start.positions + moved[ion], cell=start.cell, pbc=True)
        frame.wrap()
        frame.info = {"step": 100 * k, "time_fs": 100.0 * k}
        found.append(frame)
    return found


def given(folder: Path, frames: list[Atoms], rho: Any = None) -> tuple[Given, Given]:
    folder.mkdir()
    with (folder / TRAJECTORY).open("wb") as out:
        for frame in frames:
            text = io.StringIO()
            write(text, frame, format="extxyz")
            out.write(gzip.compress(text.getvalue().encode()))
    time = np.array([frame.info["time_fs"] for frame in frames])
    rho = np.full(len(time), density(frames[0])) if rho is None else rho
    head = "time_fs,density_g_cm3"
    np.savetxt(folder / THERMO, np.column_stack([time, rho]), "%.9g", ",", header=head, comments="")
    (folder / "start").mkdir()
    write_box(folder / "start" / "structure.extxyz", named(4))
    return Given("md", folder, {}), Given("start", folder / "start", {})


def observed(
    folder: Path, frames: list[Atoms], rho: Any = None, ended: Any = None, **run: Any
) -> dict[str, Any]:
    md, start = given(folder, frames, rho)
    md = Given(md.key, md.path, ended or {})
    params = observe.Params.model_validate({"run": NPT | run, "supercell": (1, 2, 2), "ions": IONS})
    work = folder / "work"
    work.mkdir()
    return dict(observe.run(params, Inputs({"md": (md,), "structure": (start,)}), work).values)


def test_walking_ions(tmp_path: Path) -> None:
    """D within three errors of the walk's; no bond breaks; the conductivity is that of its ions."""
    found = observed(tmp_path / "a", walk(1600))
    expected = STEP**2 / 200 * 1e-5
    for ion in ("Li", "PF6"):
        assert found[f"regime_{ion}"] == "diffusive"
        value, error = found[f"diffusion_{ion}"], found[f"diffusion_{ion}_stderr"]
        assert abs(value - expected) < 3 * error < 0.9 * expected
    assert found["bonds_broken"] == 0  # walkers that meet form some
    for name in ("lifetime_continuous_Li_PF6", "s_0", "compressibility_s_0"):
        assert 0 < found[f"{name}_stderr"] < found[name]
    # κ_T = S(0)/(ρ k T) by another path, 1/bar
    ions_per_m3 = 32 / (walk(1)[0].get_volume() * 1e-30)
    by_hand = found["s_0"] / (ions_per_m3 * constants.k * 300) * 1e5
    assert found["compressibility_s_0"] == pytest.approx(by_hand, rel=1e-6)
    # of one salt the masses set it: no number, with an error of rounding, is made of that
    assert not any(name.startswith("transference") for name in found)
    assert {"compressibility", "transference"} <= set(found["reasons"])
    assert "masses" in found["reasons"]["transference"]


def one_d(found: dict[str, Any], frames_per_step: float = 1.0) -> None:
    """D is that of steps of STEP, within three errors."""
    expected = frames_per_step * STEP**2 / 200 * 1e-5
    for ion in ("Li", "PF6"):
        assert found[f"regime_{ion}"] == "diffusive"
        value, error = found[f"diffusion_{ion}"], found[f"diffusion_{ion}_stderr"]
        assert abs(value - expected) < 3 * error < 0.9 * expected


def test_only_the_second_half_counts(tmp_path: Path) -> None:
    """Ions that move five times as far while the run equilibrates."""
    factor = np.where(np.arange(700) <= 350, 5.0, 1.0)
    one_d(observed(tmp_path / "a", walk(700, factor)))


def test_a_ladder_is_observed_at_its_first_pressure(tmp_path: Path) -> None:
    """Settling there (5 times as far) and the pressures above (a seventh as far) do not count."""
    frames = np.arange(701)
    factor = np.select([frames <= 100, frames <= 450], [5.0, 1.0], 1 / 7)
    rho = np.select([frames <= 100, frames <= 450], [1.0, 1.5], 2.0)
    rho += np.random.default_rng(1).normal(scale=0.001, size=701)
    ladder = {
        "pressures": (1.0, 1e4), "pressure": None, "settle": 1e4, "duration": 3.5e4, "timestep": 1.0,
    }  # fmt: skip
    # and what happened at the later pressure does not take it away
    later = {"stable": False, "reason": "temperature 4000 K is above 3000 K", "steps": 70_000}
    found = observed(tmp_path / "a", walk(701, factor), rho, later, **ladder)
    one_d(found)
    assert found["density"] == pytest.approx(1.5, abs=0.001)
    assert not found["drifts"] and "structure" not in found["reasons"]


def test_conductivity_and_transference_where_they_are_diffusive() -> None:
    """Three kinds of independent walkers, from their paths alone; of two kinds no transference."""
    rng = np.random.default_rng(5)
    charges, masses = (
        {"Li": 1.0, "EMIM": 1.0, "PF6": -1.0},
        {"Li": 7.0, "EMIM": 111.0, "PF6": 145.0},
    )
    paths = {name: np.cumsum(rng.normal(scale=STEP, size=(6000, 4, 3)), axis=0) for name in charges}
    cells, times = np.broadcast_to(20 * np.eye(3), (6000, 3, 3)), 100.0 * np.arange(6000)

    def moving(*names: str) -> tuple[dict[str, Any], dict[str, str]]:
        own, reasons = {name: paths[name] for name in names}, {}
        ions = Ions(cells, times, own, own, {name: masses[name] for name in names})
        z = {name: charges[name] for name in names}
        return ion_averages.moving(ions, z, 300.0, {}, reasons), reasons

    found, reasons = moving("Li", "EMIM", "PF6")
    assert found["regime_conductivity"] == "diffusive" and not reasons
    alone, error = (found[f"conductivity_nernst_einstein{end}"] for end in ("", "_stderr"))
    together = found["conductivity"]
    assert abs(together - alone) < 4 * np.hypot(error, found["conductivity_stderr"])
    assert sum(found[f"transference_{name}"] for name in charges) == pytest.approx(1)
    found, reasons = moving("EMIM", "PF6")
    assert reasons == {"transference": ion_averages.SET_BY_MASSES}
    assert not any(name.startswith("transference") for name in found)


def test_what_does_not_diffuse_has_no_number(tmp_path: Path) -> None:
    """Ions that fly straight on: the reason in the place of D and of the conductivity."""
    steps = np.random.default_rng(4).normal(scale=0.02, size=(32, 3)) * np.ones((400, 1, 1))
    found = observed(tmp_path / "a", moved_by(steps))
    for name in ("Li", "PF6", "conductivity"):
        assert found[f"regime_{name}"] == "superdiffusive"
    assert not any(name.startswith(("diffusion", "conductivity", "transf")) for name in found)
    for name in ("diffusion_Li", "diffusion_PF6", "conductivity"):
        assert "superdiffusive: the displacement grows as t^2.00" in found["reasons"][name]
    assert found["reasons"]["conductivity_nernst_einstein"] == "Li, PF6: no D"


def test_a_run_that_became_unstable_has_no_averages(tmp_path: Path) -> None:
    """Only whether bonds hold; a run that its wall time ended is a shorter one."""
    ended = {"stable": False, "reason": "temperature 4000 K is above 3000 K", "steps": 19_900}
    found = observed(tmp_path / "a", walk(200), None, ended)
    assert set(found) <= {
        "bonds_hold", "bonds_broken", "bonds_formed", "first_broken", "first_broken_ps", "reasons",
    }  # fmt: skip
    why = "the run became unstable at 19.9 ps: temperature 4000 K is above 3000 K"
    assert set(found["reasons"].values()) == {why}
    late = {"stable": False, "reason": "wall time 2 h is above 1 h", "steps": 19_900}
    assert observed(tmp_path / "b", walk(200), None, late)["density"] > 0


def test_a_run_too_short_has_one_reason(tmp_path: Path) -> None:
    found = observed(tmp_path / "a", walk(4))
    whys = {why for name, why in found["reasons"].items()}
    assert whys == {
        "run too short: 2 lines of thermo.csv count, 8 are needed",
        "run too short: 2 frames count, 8 are needed",
    }


def test_a_bond_that_breaks(tmp_path: Path) -> None:
    frames = walk(40)
    for frame in frames[7:]:
        bond = minimum_image(frame.positions[[3]] - frame.positions[[0]], frame.cell.array)[0]
        frame.positions[3] = frame.positions[0] + 1.8 * bond
    found = observed(tmp_path / "a", frames)
    assert found["bonds_hold"] is False and found["bonds_broken"] == 1
    assert found["first_broken"] == "P0–F3 broke at 0.7 ps (2.88 Å)"
    assert "broke for good at 0.7 ps" in found["reasons"]["transport"]
    healed = walk(200)
    vector = healed[7].positions[[3]] - healed[7].positions[[0]]
    healed[7].positions[3] += minimum_image(vector, healed[7].cell.array)[0]
    found = observed(tmp_path / "b", healed)
    assert found["bonds_broken"] == 1 and "regime_Li" in found


def test_a_density_that_falls(tmp_path: Path) -> None:
    frames = walk(60)
    rho = np.linspace(1.5, 1.2, 60) + np.random.default_rng(1).normal(scale=0.01, size=60)
    found = observed(tmp_path / "a", frames, rho)
    assert found["drifts"] is True
    assert found["drift_g_cm3_ps"] == pytest.approx(-0.3 / 5.9, rel=0.3)
    assert "density" not in observed(tmp_path / "b", frames, rho, kind="nvt", pressure=None)


def test_what_does_not_fit(tmp_path: Path) -> None:
    """The run of another box: said, and the density is there all the same."""
    found = observed(tmp_path / "a", [frame[:-8] for frame in walk(40)])
    assert found["reasons"]["ions"] == "the run has other atoms than its start"
    assert found["density"] > 0


def test_all_runs_in_one_table(tmp_path: Path) -> None:
    about = {"model": "0.4", "seed": 1, "composition": "0.4", "kind": "npt", "replica": 0}
    runs = [about | {"temperature": t} for t in (300.0, 350.0, 400.0)]
    given = []
    for i, run in enumerate(runs):
        folder = tmp_path / str(i)
        folder.mkdir()
        np.savez(folder / observe.CURVES, g_Li_PF6_r=np.arange(3.0), g_Li_PF6=np.arange(3.0))
        values = {
            "density": 1.5 - 1e-3 * (run["temperature"] - 300), "density_stderr": 0.002,
            "bonds_hold": i == 0, "first_broken": "P0–F3 broke at 0.7 ps (2.88 Å)",
            "reasons": {"transport": "too short"},
        }  # fmt: skip
        given.append(Given(f"observe-{i}", folder, values))
    measured = [
        {"temperature": t, "pressure": 1, "density": d, "error": 0.01}
        for t, d in ((340, 1.47), (360, 1.43), (390, 1.40))
    ]
    about = {"runs": runs, "measured": {"0.4": measured}, "source": "Somebody (1999)"}
    params = observe_report.Params.model_validate(about)
    output = observe_report.run(params, Inputs({"observed": tuple(given)}), tmp_path)
    assert output.values == {"runs": 3, "bonds_hold": 1}
    page = (tmp_path / output.files[1]).read_text(encoding="utf-8")
    assert "| Y |" in page and "**N**: P0–F3 broke" in page
    assert "transport: too short" in page
    assert "Experiment: Somebody (1999)" in page and "| 1.45 ± 0.01 |" in page
    assert "1.47 ± 0.01 (at 340 K)" in page and "1.4 ± 0.01 (at 390 K)" in page
    assert (tmp_path / "densities.png").stat().st_size > 5000
    assert "-1 ± 0.028" in page and "6.67 ±" in page  # dρ/dT in 1e-3 g/cm³/K, α in 1e-4/K
    with (tmp_path / output.files[0]).open(encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["quantity"] == "density"]
    assert [(row["temperature"], row["value"], row["stderr"]) for row in rows][1] == (
        "350.0", "1.45", "0.002",
    )  # fmt: skip
