"""Dynamics with a model: known potentials, known averages, and a run that was killed."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.units import kB

from ilmlip.engines import model_dynamics
from ilmlip.engines.model_dynamics import (
    RESTART,
    TRAJECTORY,
    Every,
    read_thermo,
    read_trajectory,
)
from ilmlip.engines.thermo import THERMO
from ilmlip.errors import StageError
from ilmlip.spec.ensemble import Guards, Run

EVERY = Every(thermo=5, frame=20, restart=50)
NVE = Run(kind="nve", temperature=60.0, timestep=2.0, duration=400.0)
NVT = Run(kind="nvt", temperature=60.0, timestep=2.0, duration=400.0, thermostat_time=40.0)
NPT = Run(
    kind="npt", temperature=60.0, timestep=2.0, duration=400.0, pressure=100.0,
    thermostat_time=40.0, barostat_time=200.0,
)  # fmt: skip
LADDER = NPT.model_copy(
    update={
        "pressure": None,
        "pressures": (0.0, 2000.0, 4000.0),
        "settle": 100.0,
        "duration": 100.0,
    }
)


def argon() -> Atoms:
    return bulk("Ar", "fcc", a=5.4, cubic=True) * (2, 2, 2)


def run(work, made, *, calculator=None, guards=Guards(), earlier=None, every=EVERY, atoms=None):  # noqa: B008
    work.mkdir()
    start = argon() if atoms is None else atoms
    return model_dynamics.run(
        start, calculator or Springs(start, 0.05), made, 7, every, guards, work, earlier
    )


class KilledError(Exception):
    pass


class Springs(Calculator):
    """Neighbours in the starting lattice joined by anharmonic springs.

    Forces sum to zero, and depend on the positions alone: no list of neighbours is kept.
    """

    implemented_properties = ("energy", "free_energy", "forces", "stress")

    def __init__(self, atoms: Atoms, k: float) -> None:
        super().__init__()
        from ase.neighborlist import neighbor_list

        self.i, self.j, self.shift = neighbor_list("ijS", atoms, 4.2)
        self.k = k
        self.length = 5.4 / np.sqrt(2)

    def calculate(self, atoms=None, properties=(), system_changes=()):
        self.atoms = atoms.copy()
        bond = atoms.positions[self.j] - atoms.positions[self.i] + self.shift @ atoms.cell.array
        size = np.linalg.norm(bond, axis=1)
        off = size - self.length
        slope = 2 * self.k * (off + 2 * off**3)
        forces = np.zeros_like(atoms.positions)
        np.add.at(forces, self.i, (slope / size)[:, None] * bond)
        virial = -0.5 * np.einsum("n,ni,nj->ij", slope / size, bond, bond)
        voigt = (-virial / atoms.get_volume()).flat[[0, 4, 8, 5, 2, 1]]
        energy = float(np.sum(self.k * (off**2 + off**4)) / 2)
        self.results = {"energy": energy, "free_energy": energy, "forces": forces, "stress": voigt}


class Dies(Springs):
    """Ends the process, as it were, after so many calculations."""

    def __init__(self, atoms: Atoms, calls: int) -> None:
        super().__init__(atoms, 0.05)
        self.left = calls

    def calculate(self, *args, **kwargs):
        self.left -= 1
        if self.left < 0:
            raise KilledError
        super().calculate(*args, **kwargs)


@pytest.mark.parametrize("made", [NVE, NVT, NPT, LADDER], ids=["nve", "nvt", "npt", "ladder"])
def test_killed_and_gone_on_is_as_never_killed(made, tmp_path):
    """Table and trajectory to the byte, whatever was written after the last restart."""
    assert run(tmp_path / "whole", made).steps == round(made.whole() / made.timestep)
    with pytest.raises(KilledError):
        run(tmp_path / "killed", made, calculator=Dies(argon(), 133))
    ended = run(tmp_path / "on", made, earlier=tmp_path / "killed")
    assert ended.begun == 100 and ended.steps >= 200 and not ended.reason
    for name in (THERMO, TRAJECTORY):
        assert (tmp_path / "on" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    steps = [frame.info["step"] for frame in read_trajectory(tmp_path / "on" / TRAJECTORY)]
    assert steps == list(range(0, ended.steps + 1, 20))


def test_an_attempt_that_ended_as_it_began_hides_no_restart(tmp_path):
    with pytest.raises(KilledError):
        run(tmp_path / "killed", NVT, calculator=Dies(argon(), 120))
    (tmp_path / "began").mkdir()
    (tmp_path / "killed").rename(tmp_path / "began" / "earlier")
    assert run(tmp_path / "on", NVT, earlier=tmp_path / "began").begun == 100


def test_a_ladder_rises_in_pressure(tmp_path):
    """Each pressure is reached, and held for its time: the mean of what counts, within 100 bar."""
    made = LADDER.model_copy(update={"settle": 2000.0, "duration": 4000.0, "timestep": 4.0})
    run(tmp_path / "a", made, every=Every(5, 10**6, 10**6))
    columns = read_thermo(tmp_path / "a" / THERMO)
    time, pressure, density = (columns[n] for n in ("time_fs", "pressure_bar", "density_g_cm3"))
    found = []
    for i, wanted in enumerate(made.pressures):
        counts = (time > i * 6000 + 2000) & (time <= (i + 1) * 6000)
        assert pressure[counts].mean() == pytest.approx(wanted, abs=100)
        found.append(density[counts].mean())
    assert found[1] > 1.01 * found[0] and found[2] > 1.01 * found[1]


def test_half_a_restart_is_not_gone_on_from(tmp_path):
    with pytest.raises(KilledError):
        run(tmp_path / "killed", NVT, calculator=Dies(argon(), 120))
    whole = (tmp_path / "killed" / RESTART).read_bytes()
    (tmp_path / "killed" / RESTART).write_bytes(whole[: len(whole) // 2])
    assert run(tmp_path / "on", NVT, earlier=tmp_path / "killed").begun is None
    (tmp_path / "killed" / RESTART).write_bytes(whole)
    (tmp_path / "killed" / TRAJECTORY).write_bytes(b"")
    assert run(tmp_path / "again", NVT, earlier=tmp_path / "killed").begun is None
    assert run(tmp_path / "new", NVT, earlier=tmp_path / "nowhere").begun is None


@pytest.mark.parametrize("made", [NVE, NVT, NPT], ids=lambda made: made.kind)
def test_what_the_equations_conserve(made, tmp_path):
    run(tmp_path / "a", made)
    conserved = read_thermo(tmp_path / "a" / THERMO)["conserved_eV"]
    kinetic = 1.5 * 31 * kB * 60
    assert np.ptp(conserved) < 0.01 * kinetic


def test_the_temperature_counts_the_momentum_that_is_conserved(tmp_path):
    """Few atoms, where 3n instead of 3n − 3 would be a seventh too hot: 60 K within 3 %."""
    made = NVT.model_copy(update={"duration": 24000.0, "timestep": 8.0})
    atoms = bulk("Ar", "fcc", a=5.4, cubic=True) * (2, 1, 1)
    calculator = Springs(atoms, 0.05)
    run(tmp_path / "a", made, calculator=calculator, atoms=atoms, every=Every(5, 10**6, 10**6))
    found = read_thermo(tmp_path / "a" / THERMO)["temperature_K"][200:]
    assert found.mean() == pytest.approx(60, rel=0.03)


def test_forces_of_the_springs_are_those_of_their_energy():
    from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress

    atoms = bulk("Ar", "fcc", a=5.4, cubic=True)
    atoms.calc = Springs(atoms, 0.05)
    atoms.rattle(0.1, seed=1)
    atoms.set_cell(atoms.cell * 1.01, scale_atoms=True)
    assert np.allclose(atoms.get_forces(), calculate_numerical_forces(atoms), atol=1e-6)
    assert np.allclose(atoms.get_stress(), calculate_numerical_stress(atoms), atol=1e-7)


@pytest.mark.slow
def test_pressure_and_volume_fluctuations_of_npt(tmp_path):
    """The mean pressure is as asked for, and κ by fluctuations as by a change of the pressure."""
    found = {}
    for pressure in (0.0, 2000.0):
        made = NPT.model_copy(update={"duration": 30000.0, "timestep": 8.0, "pressure": pressure})
        atoms = bulk("Ar", "fcc", a=5.4, cubic=True)
        work = tmp_path / f"p{pressure:g}"
        run(work, made, calculator=Springs(atoms, 0.05), atoms=atoms, every=Every(4, 10**6, 10**6))
        rows = read_thermo(work / THERMO)
        half = len(rows["step"]) // 10
        found[pressure] = rows["density_g_cm3"][half:]
        assert rows["pressure_bar"][half:].mean() == pytest.approx(pressure, abs=60)
        assert rows["temperature_K"][half:].mean() == pytest.approx(60, rel=0.04)
    mass = 4 * 39.95 * 1.66053906660
    volumes = {p: mass / rho for p, rho in found.items()}
    by_pressure = (
        (volumes[0.0].mean() - volumes[2000.0].mean())
        / (2000 * 6.241509e-7)
        / np.mean([v.mean() for v in volumes.values()])
    )
    by_fluctuation = np.mean([v.var() / v.mean() for v in volumes.values()]) / (kB * 60)
    assert by_fluctuation == pytest.approx(by_pressure, rel=0.2)


@pytest.mark.parametrize(
    ("guards", "reason"),
    [
        ({"temperature": 40.0}, r"^temperature \d+(\.\d+)? K is above 40 K"),
        ({"force": 1e-3}, r"^largest force .* eV/Å is above 0.001 eV/Å"),
        ({"densities": (0.1, 1.0)}, r"^density 1.\d+ g/cm³ is above 1 g/cm³"),
        ({"distance": 3.9}, r"^smallest distance .* Å, of Ar\d+ and Ar\d+, is below 3.9 Å"),
        ({"hours": 1e-9}, r"^wall time .* h is above 1e-09 h"),
    ],
)
def test_a_guard_that_trips_is_how_the_run_ended(guards, reason, tmp_path):
    ended = run(tmp_path / "a", NPT, guards=Guards(**guards))
    assert 0 <= ended.steps < 200
    import re

    assert re.search(reason, ended.reason)
    assert list(read_trajectory(tmp_path / "a" / TRAJECTORY))[-1].info["step"] == ended.steps


def test_a_force_that_is_no_number(tmp_path):
    class Breaks(Springs):
        def calculate(self, *args, **kwargs):
            super().calculate(*args, **kwargs)
            self.results["forces"] = self.results["forces"] * np.nan

    ended = run(tmp_path / "a", NVE, calculator=Breaks(argon(), 0.05))
    assert ended.reason.endswith("is no finite number") and ended.steps <= 10


def test_a_trajectory_that_was_cut_names_its_last_frame(tmp_path):
    run(tmp_path / "a", NVE)
    path = tmp_path / "a" / TRAJECTORY
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(StageError, match=r"breaks off after frame 9 \(from 0\)"):
        list(read_trajectory(path))
    (tmp_path / "a" / THERMO).write_text("step,time_fs\n1,2\n3\n", encoding="utf-8")
    with pytest.raises(StageError, match="is no table of a run"):
        read_thermo(tmp_path / "a" / THERMO)
