"""Dynamics with a model by LAMMPS: what ASE says, step for step."""

import numpy as np
import pytest
from ase.units import kB
from test_model_dynamics import NPT, NVE, NVT, Dies, KilledError, Springs, argon

from ilmlip.engines import lammps_model, model_dynamics
from ilmlip.engines.model_dynamics import RESTART, TRAJECTORY, Every, read_thermo, read_trajectory
from ilmlip.engines.moves import start_velocities
from ilmlip.engines.thermo import THERMO
from ilmlip.spec.ensemble import Guards
from ilmlip.units import BAR

pytestmark = pytest.mark.engine

EVERY = Every(thermo=5, frame=20, restart=50)


def tilted():
    """A box that has no right angle, turned away from LAMMPS's axes, a little out of its minimum."""
    atoms = argon()
    shear = np.array([[1.0, 0.05, -0.1], [0.15, 1.1, 0.03], [0.02, -0.2, 0.95]])
    atoms.set_cell(atoms.cell.array @ shear, scale_atoms=True)
    return atoms


def run(work, made, *, engine="lammps", calculator=None, guards=Guards(), earlier=None, atoms=None):  # noqa: B008
    work.mkdir()
    start = argon() if atoms is None else atoms
    given = calculator or Springs(argon(), 0.05)
    return model_dynamics.run(start, given, made, 7, EVERY, guards, work, earlier, engine)


def both(tmp_path, made, name):
    for engine in ("ase", "lammps"):
        assert not run(tmp_path / engine, made, engine=engine, atoms=tilted()).reason
    return [getattr(model_dynamics, f"read_{name}")(tmp_path / e / f) for e, f in FILES[name]]


FILES = {
    "thermo": [("ase", THERMO), ("lammps", THERMO)],
    "trajectory": [("ase", TRAJECTORY), ("lammps", TRAJECTORY)],
}


def test_constant_energy_is_the_trajectory_of_ase(tmp_path):
    ours, theirs = (list(frames) for frames in both(tmp_path, NVE, "trajectory"))
    assert len(ours) == len(theirs) == 11
    for one, two in zip(ours, theirs, strict=True):
        assert one.info == two.info
        assert np.abs(one.positions - two.positions).max() < 1e-6
        assert np.abs(one.get_forces() - two.get_forces()).max() < 1e-6
    ours, theirs = (read_thermo(tmp_path / e / f) for e, f in FILES["thermo"])
    for name, column in ours.items():
        assert np.allclose(column, theirs[name], rtol=1e-5, atol=1e-6), name


def test_lammps_gets_energy_and_the_whole_virial(tmp_path):
    """Its own pressure tensor of a tilted box is ASE's stress, turned onto its axes."""
    atoms = tilted()
    atoms.calc = Springs(argon(), 0.05)
    start_velocities(atoms, 60.0, 7)
    mover = lammps_model.Mover(atoms, NVE, tmp_path)
    mover.step()
    found = [mover._lammps.get_thermo(f"p{i}{j}") for i, j in ("xx", "yy", "zz", "xy", "xz", "yz")]
    turn = mover._prism.rot_mat
    stress = turn.T @ atoms.get_stress(voigt=False, include_ideal_gas=True) @ turn
    wanted = [-stress[pair] / BAR for pair in lammps_model.VOIGT]
    assert np.abs(stress - np.diag(np.diag(stress))).max() > 100 * BAR  # all six are there to see
    assert np.allclose(found, wanted, rtol=1e-6, atol=1e-6 * np.abs(wanted).max())
    energy = mover._lammps.get_thermo("pe")
    assert energy == pytest.approx(atoms.get_potential_energy(), rel=1e-9)
    assert mover.get_conserved_energy() == pytest.approx(atoms.get_total_energy(), rel=1e-7)
    mover.close()


@pytest.mark.parametrize("made", [NVT, NPT], ids=["nvt", "npt"])
def test_a_killed_run_goes_on_as_one_that_was_not(made, tmp_path):
    run(tmp_path / "whole", made)
    with pytest.raises(KilledError):
        run(tmp_path / "killed", made, calculator=Dies(argon(), 130))
    assert (tmp_path / "killed" / RESTART).is_file()
    again = run(tmp_path / "again", made, earlier=tmp_path / "killed")
    assert (again.begun, again.steps, again.reason) == (100, 200, "")
    whole, other = (read_thermo(tmp_path / name / THERMO) for name in ("whole", "again"))
    for name, column in whole.items():
        assert np.allclose(column, other[name], rtol=1e-6, atol=1e-6), name
    frames = [list(read_trajectory(tmp_path / name / TRAJECTORY)) for name in ("whole", "again")]
    for one, two in zip(*frames, strict=True):
        assert np.abs(one.positions - two.positions).max() < 1e-6


@pytest.mark.parametrize("made", [NVT, NPT], ids=["nvt", "npt"])
def test_thermostat_and_barostat_keep_what_was_asked_for(made, tmp_path):
    run(tmp_path / "a", made.model_copy(update={"duration": 4000.0}))
    columns = {name: column[100:] for name, column in read_thermo(tmp_path / "a" / THERMO).items()}
    assert columns["temperature_K"].mean() == pytest.approx(60.0, rel=0.05)
    if made.kind == "nvt":
        assert np.ptp(columns["conserved_eV"]) < 0.02 * columns["kinetic_eV"].mean()
    else:
        assert columns["pressure_bar"].mean() == pytest.approx(100.0, abs=100.0)
        # springs of stiffness K and length l: energy / volume = n K l² (dV/3V)² / 2, n springs in a
        # volume; that makes the bulk modulus, and that the volume's variance kT V / B
        density, volume = columns["density_g_cm3"], argon().get_volume()
        modulus = (6 * 32 / volume) * (2 * 0.05) * (5.4**2 / 2) / 9
        expected = density.mean() * np.sqrt(kB * 60.0 / (modulus * volume))
        assert 0.5 < density.std() / expected < 1.6


def test_a_guard_ends_the_run(tmp_path):
    ended = run(tmp_path / "a", NVT, guards=Guards(temperature=1.0))
    assert ended.steps == 10 and ended.reason.startswith("temperature ")
