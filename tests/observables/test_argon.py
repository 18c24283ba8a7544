"""Lennard-Jones liquids by LAMMPS, whose numbers are published: the observables find them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.units import kB
from numpy.typing import NDArray

from ilmlip.engines import lammps
from ilmlip.observables.compressibility import fluctuation_compressibility, tait
from ilmlip.observables.series import mean_and_error
from ilmlip.observables.structure import first_shell, rdf
from ilmlip.observables.transport import diffusion
from ilmlip.units import BAR

SIGMA, EPSILON = 3.4, 120.0 * kB
"""Å and eV: argon, as Rahman has it."""
REDUCED_BAR = EPSILON / SIGMA**3 / BAR
"""A reduced pressure of 1, bar."""
LATTICE = """\
units metal
atom_style atomic
lattice fcc {a}
region box block 0 {n} 0 {n} 0 {n}
create_box 1 box
create_atoms 1 box
mass 1 39.948
pair_style lj/cut {cutoff}
pair_coeff 1 1 {epsilon} {sigma}
pair_modify tail {tail}
velocity all create {hot} 7 dist gaussian
timestep 0.01
neigh_modify every 5 delay 0 check yes
"""


def start(density: float, n: int, cutoff: float, temperature: float, tail: str = "yes") -> str:
    """n³ cubes of four atoms at a reduced density, twice as hot as wanted: half goes into melting."""
    return LATTICE.format(
        a=SIGMA * (4 / density) ** (1 / 3), n=n, cutoff=cutoff * SIGMA, epsilon=EPSILON,
        sigma=SIGMA, tail=tail, hot=2 * temperature,
    )  # fmt: skip


def run(folder: Path, text: str) -> NDArray[np.float64]:
    """Columns of thermo output; see `lammps.THERMO`."""
    (folder / lammps.INPUT).write_text(text, encoding="utf-8")
    lammps.run(folder)
    return lammps.read_thermo(folder / lammps.LOG)


@pytest.mark.slow
@pytest.mark.engine
def test_argon_as_rahman_has_it(tmp_path: Path) -> None:
    """Phys. Rev. 136, A405 (1964): 864 atoms, 94.4 K, 1.374 g/cm³: D = 2.43e-5 cm²/s, g at 3.7 Å.

    His D has no error; runs of his length scatter by some percent, ten are allowed.
    """
    temperature, density = 94.4, 1.374 / 39.948 * 0.602214 * SIGMA**3
    text = start(density, 6, 2.25, temperature, "no") + (
        f"fix 1 all nvt temp {temperature} {temperature} 0.5\nrun 2000\nunfix 1\nfix 1 all nve\n"
        f"thermo 10\nthermo_style custom {' '.join(lammps.THERMO)}\n"
        "dump 1 all custom 5 dump.lammpstrj id xu yu zu\ndump_modify 1 sort id\nrun 6000\n"
    )
    thermo = run(tmp_path, text)
    found_temperature = thermo[:, lammps.THERMO.index("temp")].mean()
    frames = np.array([one.values for one in lammps.read_dump(tmp_path / "dump.lammpstrj")])
    found = diffusion(frames, 50.0, window=(1000.0, 3000.0))
    assert found.regime == "diffusive"
    in_cm2_s = found.coefficient.value * 0.1  # Å²/fs
    assert in_cm2_s * (temperature / found_temperature) ** 2 == pytest.approx(2.43e-5, rel=0.1)
    edge = SIGMA * (4 / density) ** (1 / 3) * 6
    everyone = np.arange(864)
    g = rdf(frames[::60], edge * np.eye(3), everyone, everyone, 10.0)
    shell = first_shell(g)
    assert shell.peak == pytest.approx(3.7, abs=0.1)
    assert shell.number.value == pytest.approx(12, abs=1)


@pytest.mark.slow
@pytest.mark.engine
def test_a_lennard_jones_liquid_as_nist_has_it(tmp_path: Path) -> None:
    """T* = 0.85: pressures of NIST's Standard Reference Simulation Website, LJ, cut at 3σ with tail.

    p*(0.776) = 0.0068(17), p*(0.780) = 0.0479(11), p*(0.820) = 0.5536(12), p*(0.860) = 1.2660(14):
    the slope between the first two, over a density of 0.778, is a κ_T of 0.125(7). Here by the
    fluctuations and by the Tait equation through one run that rises in pressure.
    """
    nist = {0.0068: 0.776, 0.25: None, 0.5536: 0.820, 0.9: None, 1.2660: 0.860}
    temperature, atoms = 0.85 * EPSILON / kB, 500
    hot = f"fix 1 all nvt temp {2 * temperature} {temperature} 0.5\nrun 3000\nunfix 1\n"
    text = start(0.776, 5, 3.0, temperature) + hot
    text += f"thermo 10\nthermo_style custom {' '.join(lammps.THERMO)}\n"
    lengths = [(2000, 16000) if not i else (2000, 5000) for i in range(len(nist))]
    for pressure, parts in zip(nist, lengths, strict=True):
        bar = pressure * REDUCED_BAR
        text += f"fix 1 all npt temp {temperature} {temperature} 0.5 iso {bar} {bar} 2.0\n"
        text += "".join(f"run {steps}\n" for steps in parts) + "unfix 1\n"
    rows = [steps // 10 + 1 for parts in lengths for steps in parts]
    density = run(tmp_path, text)[-sum(rows) :, lammps.THERMO.index("density")]
    held = np.split(density * 0.602214 / 39.948 * SIGMA**3, np.cumsum(rows)[:-1])[1::2]
    found = [mean_and_error(1 / rho) for rho in held]
    for volume, expected in zip(found, nist.values(), strict=True):
        if expected is not None:
            assert 1 / volume.value == pytest.approx(expected, rel=0.004)
    one = fluctuation_compressibility(atoms * SIGMA**3 / held[0], temperature)
    pressures = np.array(list(nist)) * REDUCED_BAR
    values, errors = np.array(found).T
    other = tait(pressures, values, errors, pressures[0]).compressibility
    assert abs(one.value - other.value) < 3 * np.hypot(one.error, other.error)
    for kappa in (one, other):
        assert kappa.error * REDUCED_BAR < 0.02
        assert abs(kappa.value * REDUCED_BAR - 0.125) < 3 * np.hypot(
            kappa.error * REDUCED_BAR, 0.007
        )
