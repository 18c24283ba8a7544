"""SPC/E water by LAMMPS, whose numbers are published: the observables find them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import units
from numpy.typing import NDArray

from ilmlip.engines import lammps
from ilmlip.observables.compressibility import fluctuation_compressibility
from ilmlip.observables.series import mean_and_error
from ilmlip.observables.structure import first_shell, rdf
from ilmlip.observables.transport import diffusion

MOLECULES, TEMPERATURE = 216, 298.15
DENSITY, KAPPA, D = 0.994, 46.1e-6, 2.54e-4
"""g/cm³, 1/bar and Å²/fs (2.54e-9 m²/s) of SPC/E at 298 K and 1 bar: Vega and Abascal, Phys. Chem.
Chem. Phys. 13, 19663 (2011); written from memory."""
INPUT = """\
units metal
atom_style full
pair_style lj/cut/coul/long 9.0
pair_modify tail yes
bond_style harmonic
angle_style harmonic
kspace_style pppm 1e-4
read_data system.data
pair_coeff 1 1 {epsilon} 3.166
pair_coeff 1 2 0 1
pair_coeff 2 2 0 1
bond_coeff 1 20 1.0
angle_coeff 1 3 109.47
special_bonds lj/coul 0 0 0.5
neigh_modify every 2 delay 4 check yes
minimize 1e-4 1e-3 200 2000
velocity all create {hot} 11 dist gaussian
fix rigid all shake 1e-5 50 0 b 1 a 1
timestep 0.002
thermo 25
thermo_style custom {columns}
fix 1 all nvt temp {hot} {temperature} 0.1
run 5000
unfix 1
fix 1 all npt temp {temperature} {temperature} 0.2 iso 1 1 2.0
run 10000
run 40000
unfix 1
fix 1 all nvt temp {temperature} {temperature} 0.5
dump 1 all custom 50 dump.lammpstrj id xu yu zu
dump_modify 1 sort id
run 15000
"""


def data_file() -> str:
    """Molecules on a cubic grid, each turned at random."""
    side, random = 3.107, np.random.default_rng(5)
    half = np.deg2rad(109.47) / 2
    legs = np.array([[np.sin(half), np.cos(half), 0], [-np.sin(half), np.cos(half), 0]])
    atoms, bonds, angles = [], [], []
    for m in range(MOLECULES):
        centre = side * (np.array(np.unravel_index(m, (6, 6, 6))) + 0.5)
        turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
        places = [centre, *(centre + legs @ turn.T)]
        for i, place in enumerate(places):
            kind, charge = (1, -0.8476) if i == 0 else (2, 0.4238)
            atoms.append(f"{3 * m + i + 1} {m + 1} {kind} {charge} " + " ".join(map(str, place)))
        o = 3 * m + 1
        bonds += [f"{2 * m + 1} 1 {o} {o + 1}", f"{2 * m + 2} 1 {o} {o + 2}"]
        angles.append(f"{m + 1} 1 {o + 1} {o} {o + 2}")
    box = "\n".join(f"0 {6 * side} {axis}lo {axis}hi" for axis in "xyz")
    head = (
        f"water\n\n{len(atoms)} atoms\n{len(bonds)} bonds\n{len(angles)} angles\n"
        f"2 atom types\n1 bond types\n1 angle types\n\n{box}\n\nMasses\n\n1 15.9994\n2 1.008\n"
    )
    parts = {"Atoms": atoms, "Bonds": bonds, "Angles": angles}
    return head + "".join(f"\n{name}\n\n" + "\n".join(rows) + "\n" for name, rows in parts.items())


def run(folder: Path) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Densities (g/cm³) of 80 ps of NPT, oxygens (frames, molecules, 3) of 30 ps of NVT, its edge."""
    (folder / lammps.DATA).write_text(data_file(), encoding="utf-8")
    text = INPUT.format(
        epsilon=0.1553 * units.kcal / units.mol, temperature=TEMPERATURE, hot=2 * TEMPERATURE,
        columns=" ".join(lammps.THERMO),
    )  # fmt: skip
    (folder / lammps.INPUT).write_text(text, encoding="utf-8")
    lammps.run(folder)
    thermo = lammps.read_thermo(folder / lammps.LOG)
    density = thermo[:, lammps.THERMO.index("density")]
    frames = list(lammps.read_dump(folder / "dump.lammpstrj"))
    places = np.array([frame.values for frame in frames])[:, ::3]
    last = 15000 // 25 + 1
    return density[-last - 40000 // 25 : -last], places, float(np.ravel(frames[0].lengths)[0])


@pytest.mark.slow
@pytest.mark.engine
def test_spc_e_water(tmp_path: Path) -> None:
    density, places, edge = run(tmp_path)
    mean = mean_and_error(density)
    assert mean.value == pytest.approx(DENSITY, abs=max(3 * mean.error, 0.006))
    volumes = MOLECULES * 18.0154 / 0.602214 / density
    kappa = fluctuation_compressibility(volumes, TEMPERATURE)
    assert kappa.error < 0.4 * KAPPA
    assert abs(kappa.value - KAPPA) < 3 * kappa.error
    everyone = np.arange(MOLECULES)
    shell = first_shell(rdf(places[::10], edge * np.eye(3), everyone, everyone, edge / 2))
    assert shell.peak == pytest.approx(2.75, abs=0.06)
    assert shell.number.value == pytest.approx(4.5, abs=0.7)
    found = diffusion(places, 100.0, window=(700.0, 1700.0))
    # of a box of this size: larger ones are some percent faster (Yeh and Hummer, 2004)
    assert found.coefficient.value == pytest.approx(D, rel=0.15)
