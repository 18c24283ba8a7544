"""Densities of neat ionic liquids: ilmlip's NPT against OpenMM and experiment.

`--quick` runs everything for a few hundred steps. Finished pieces stay in benchmarks/.density and
are not computed again.
"""

from __future__ import annotations

import csv
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.units import kB
from numpy.typing import NDArray

from benchmarks import openmm_npt
from benchmarks.report import Table
from ilmlip.chemistry.boxes import ion_names, read
from ilmlip.chemistry.forcefield import Box, topology
from ilmlip.engines import lammps
from ilmlip.execute.claims import Claims
from ilmlip.execute.worker import do
from ilmlip.observables.series import mean_and_error
from ilmlip.plan.compile import Frames
from ilmlip.plan.graph import Plan
from ilmlip.spec.load import load
from ilmlip.stages.base import Given
from ilmlip.stages.forcefield import read_forcefield
from ilmlip.store import Result, Store
from ilmlip.units import AMU_PER_A3, BAR
from tests.engines.lj_tail import mean_field

FOLDER = Path(__file__).with_name(".density")
PS = 1000.0
OPENMM_STEPS = 14_000
"""Of 3 fs; the first fifth is left out."""

ISOBAR = {352.7: 1.428, 372.8: 1.410, 392.9: 1.393, 412.9: 1.377, 432.6: 1.360}
"""g/cm³ at 10 MPa by K; Taguchi et al., J. Chem. Eng. Data (2009), as in ILThermo."""
MEASURED = 1.422
"""g/cm³ at 353.15 K and 0.1 MPa, same source."""
UNCERTAIN = 0.013
"""g/cm³, as stated there."""
MPA_10 = 0.006
"""g/cm³ that 10 MPa add (1.428 − 1.422 at 353 K)."""
SOFT = MPA_10 / MEASURED / 99.0
"""1/bar, the compressibility between 1 and 100 bar."""


@dataclass(frozen=True)
class Liquid:
    """One neat liquid at one temperature and pressure."""

    system: str
    salt: str
    pairs: int
    temperature: float
    """K."""
    pressure: float
    """bar."""
    duration: float
    """fs that are averaged over."""
    settle: float
    """fs at temperature and pressure ahead of it."""
    charge_scale: float
    hot: float
    """K that the packed box is brought to first."""
    compress: float
    """fs of the packed box under high pressure, hot, and once more to cool."""
    cutoff: float = 12.0
    """Å."""
    tail: bool = True
    spacing: float = 12.0
    """Å, of the grid that ions are packed on."""

    def words(self) -> list[str]:
        """The spec, as one types it."""
        stages = (
            "[{minimise: true},"
            f"{{duration: {self.compress}, temperature: [{self.hot}, {self.hot}], "
            f"pressure: [1000, 1000]}},"
            f"{{duration: {self.compress}, temperature: [{self.hot}, {self.temperature}], "
            f"pressure: [1000, {self.pressure}]}}]"
        )
        return [
            f"system={self.system}",
            f"system.charge_scale={self.charge_scale}",
            f"compositions.salts=[{self.salt}]",
            f"compositions.pairs={self.pairs}",
            f"compositions.fractions=[{self.salt}]",
            f"compositions.training=[[{self.salt}]]",
            "sampling.ensemble=npt",
            f"sampling.pressure={self.pressure}",
            f"sampling.tail={str(self.tail).lower()}",
            f"sampling.cutoff={self.cutoff}",
            f"sampling.temperature={self.temperature}",
            f"sampling.equilibration.stages={stages}",
            "sampling.equilibration.time_scale=1.0",
            f"sampling.settle={self.settle}",
            f"sampling.duration={self.duration}",
            f"sampling.interval={self.duration / 10}",
            f"sampling.grid_spacing={self.spacing}",
            "dataset.frames=4",
            "dataset.every=1",
            "dataset.validation_fraction=0.25",
        ]


WARM = Liquid(
    system="li_pf6_emim_pf6", salt="EMIMPF6", pairs=100, temperature=353.0, pressure=1.0,
    duration=80 * PS, settle=30 * PS, charge_scale=0.8, hot=600.0, compress=12 * PS,
)  # fmt: skip
HOT = replace(WARM, temperature=423.0, duration=60 * PS, settle=20 * PS)
UNSCALED = replace(
    WARM, pairs=20, cutoff=10.0, duration=80 * PS, settle=15 * PS, compress=8 * PS, charge_scale=1.0
)  # fmt: skip

FLUOROUS = Liquid(
    system="fomim_c4f9co2", salt="FOMIMC4F9CO2", pairs=10, temperature=300.0, pressure=1.01325,
    duration=120 * PS, settle=60 * PS, charge_scale=0.7, hot=600.0, compress=25 * PS, cutoff=10.0,
    spacing=24.0,
)  # fmt: skip
PAPER = 1.70
"""g/cm³ at 300 K: [F-OMIM][C4F9CO2] by OPLS-AA in the paper, about."""


def brief(liquid: Liquid) -> Liquid:
    """The same with few ions, for a moment."""
    return replace(
        liquid, pairs=min(20, liquid.pairs), duration=400.0, settle=100.0, compress=200.0
    )


class Run:
    """The trajectory of a liquid by ilmlip's own tasks, from the store if it is there."""

    def __init__(self, liquid: Liquid) -> None:
        self.liquid, self.spec = liquid, load(liquid.words())
        plan = Plan("density")
        Frames(plan, self.spec).sampled(liquid.salt, 0, liquid.temperature)
        store, claims = Store(FOLDER), Claims(FOLDER)
        store.prepare()
        self.results: dict[str, Result] = {}
        for task in plan:
            began = time.monotonic()
            end, found = do(store, claims, task), store.result(task.key)
            if end not in ("done", "there") or found is None:
                failure = store.failure(task.key)
                raise RuntimeError(f"{task.key}: {end}: {failure.reason if failure else ''}")
            print(f"{task.stage} {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
            self.results[task.stage] = found

    @cached_property
    def densities(self) -> NDArray[np.float64]:
        """g/cm³, every 100 fs."""
        path = self.results["sample"].path / "thermo.csv"
        return np.asarray(np.genfromtxt(path, delimiter=",", names=True)["density_g_cm3"])

    @cached_property
    def density(self) -> tuple[float, float]:
        """Mean density and its error, g/cm³."""
        return mean_and_error(self.densities)

    @cached_property
    def frames(self) -> list[Atoms]:
        """Those kept of the trajectory."""
        return read(self.results["sample"].path / "trajectory.extxyz")

    @cached_property
    def start(self) -> Atoms:
        """The end of the equilibration."""
        return read(self.results["equilibrate"].path / "structure.extxyz")[-1]

    def box(self) -> Box:
        """Its atoms and their terms."""
        forcefield = self.results["forcefield"]
        given = Given(forcefield.key, forcefield.path, forcefield.values)
        return topology(read_forcefield(given), ion_names(self.start))

    def compressibility(self) -> float:
        """1/bar, from the fluctuation of the volume: ⟨δV²⟩/(V kT)."""
        volumes = self.frames[0].get_masses().sum() * AMU_PER_A3 / self.densities
        kt = kB * self.liquid.temperature
        return float(volumes.var() / volumes.mean() / kt * BAR)

    def tail(self) -> float:
        """bar that the tail correction adds."""
        volume = float(np.mean([atoms.get_volume() for atoms in self.frames]))
        return mean_field(self.box(), volume, self.liquid.cutoff)[1]

    def took(self) -> str:
        """Minutes of equilibration and sampling."""
        stages = (self.results[name] for name in ("equilibrate", "sample"))
        return f"{sum(r.seconds for r in stages) / 60:.0f} min"


# --- beside OpenMM


def openmm_rows(run: Run, steps: int) -> dict[str, NDArray[np.float64]]:
    """OpenMM's NPT from the equilibrated box on: its columns, the first fifth left out."""
    path = FOLDER / f"openmm-{run.results['equilibrate'].key}-{steps}.csv"
    if not path.exists():
        openmm_npt.sample(run.start, run.spec, steps, path)
    with path.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    kept = rows[len(rows) // 5 :]
    return {name: np.array([float(row[name]) for row in kept]) for name in openmm_npt.COLUMNS}


def lammps_labels(
    frames: Sequence[Atoms], run: Run
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Potential energy (eV), and pressure without its kinetic part (bar), of each frame."""
    box, sampling = run.box(), run.spec.sampling
    how = lammps.Interactions(sampling.cutoff, sampling.kspace_accuracy, sampling.tail)
    energies, pressures = [], []
    for atoms in frames:
        with tempfile.TemporaryDirectory() as name:
            work = Path(name)
            data = lammps.data_file(box, atoms.positions, atoms.cell.lengths())
            (work / lammps.DATA).write_text(data, encoding="utf-8")
            (work / lammps.INPUT).write_text(lammps.label_input(box, how), encoding="utf-8")
            lammps.run(work)
            label = lammps.read_label(work)
        energies.append(label.energy)
        pressures.append(-label.stress[:3].mean() / BAR)
    return np.array(energies), np.array(pressures)


# --- experiment


def measured_expansion() -> float:
    """1/K: least squares of ln ρ over the isobar's temperatures."""
    kelvin, density = np.array(list(ISOBAR)), np.array(list(ISOBAR.values()))
    return -float(np.polyfit(kelvin, np.log(density), 1)[0])


def measured_density(temperature: float) -> float:
    """g/cm³ at 1 bar: the isobar between its points, less what 10 MPa add."""
    for (t0, d0), (t1, d1) in pairwise(ISOBAR.items()):
        if t0 <= temperature <= t1:
            return d0 + (d1 - d0) * (temperature - t0) / (t1 - t0) - MPA_10
    raise ValueError(f"{temperature} K is outside {min(ISOBAR)} to {max(ISOBAR)} K")


# --- the table


def pm(value: float, error: float, digits: int = 4) -> str:
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def percent(value: float, reference: float) -> str:
    return f"{100 * (value / reference - 1):+.1f} %"


def main(quick: bool) -> Table:
    """Everything that is not there yet, one after the other."""
    fit = brief if quick else (lambda liquid: liquid)
    warm, hot, unscaled, fluorous = (Run(fit(liquid)) for liquid in (WARM, HOT, UNSCALED, FLUOROUS))
    rows = [
        *beside_openmm(warm, 1000 if quick else OPENMM_STEPS),
        *pressures(warm),
        *beside_experiment(warm, hot, unscaled),
        beside_paper(fluorous),
    ]
    columns = ("", "ilmlip (LAMMPS)", "beside it", "what that is", "difference", "took")
    return Table("density", ("lammps", "openmm"), columns, rows)


def beside_openmm(run: Run, steps: int) -> list[tuple[str, ...]]:
    """Means over two independent runs in NPT."""
    thermo = np.genfromtxt(
        run.results["sample"].path / "thermo.csv", delimiter=",", names=True
    )  # fmt: skip
    theirs = openmm_rows(run, steps)
    rows = []
    for name, column, digits in (
        ("density, g/cm³", "density_g_cm3", 4),
        ("potential energy, eV", "potential_eV", 2),
        ("temperature, K", "temperature_K", 1),
    ):
        mine, other = mean_and_error(thermo[column]), mean_and_error(theirs[column])
        apart, error = mine[0] - other[0], math.hypot(mine[1], other[1])
        took = run.took() if not rows else ""
        rows.append(
            (f"{run.liquid.temperature:g} K: {name}", pm(*mine, digits), pm(*other, digits),
             f"OpenMM, {steps * openmm_npt.TIMESTEP:g} ps", pm(apart, error, digits), took)
        )  # fmt: skip
    return rows


def beside_experiment(warm: Run, hot: Run, unscaled: Run) -> list[tuple[str, ...]]:
    """Densities at two temperatures, their expansion, and the density with unscaled charges."""
    rows = []
    for run in (warm, hot, unscaled):
        liquid = run.liquid
        name = f"{liquid.temperature:g} K, charges × {liquid.charge_scale:g}, {liquid.pairs} pairs"
        measured = measured_density(liquid.temperature)
        rows.append(
            (f"{name}: density, g/cm³", pm(*run.density), pm(measured, UNCERTAIN, 3), "experiment",
             percent(run.density[0], measured), run.took())
        )  # fmt: skip
    warmer = hot.liquid.temperature - warm.liquid.temperature
    expansion = math.log(warm.density[0] / hot.density[0]) / warmer
    error = math.hypot(*(run.density[1] / run.density[0] for run in (warm, hot))) / warmer
    return [
        *rows,
        ("expansion −d ln ρ/dT, 10⁻⁴/K", pm(1e4 * expansion, 1e4 * error, 1),
         f"{1e4 * measured_expansion():.1f}", "experiment, 10 MPa",
         percent(expansion, measured_expansion()), ""),
    ]  # fmt: skip


def beside_paper(run: Run) -> tuple[str, ...]:
    """The density of [F-OMIM][C4F9CO2] beside the paper's own by the force field."""
    liquid = run.liquid
    name = f"[F-OMIM][C4F9CO2], {liquid.temperature:g} K, charges × {liquid.charge_scale:g}"
    return (
        f"{name}, {liquid.pairs} pairs: density, g/cm³", pm(*run.density), f"≈ {PAPER:.2f}",
        "the paper, OPLS-AA", percent(run.density[0], PAPER), run.took(),
    )  # fmt: skip


def pressures(run: Run) -> list[tuple[str, ...]]:
    """What both say of the same frames, and what the tail correction does."""
    energies, ours = lammps_labels(run.frames, run)
    other, theirs = openmm_npt.labels(run.frames, run.spec)
    apart, more = ours - theirs, energies - other
    off, error = float(apart.mean()), float(apart.std(ddof=1) / math.sqrt(len(apart)))
    soft, tail = run.compressibility(), run.tail()
    return [
        (f"potential energy of the same {len(apart)} frames, eV", f"{energies.mean():.2f}",
         f"{other.mean():.2f}", "OpenMM", f"{more.mean():+.3f} ± {more.std(ddof=1):.3f}", ""),
        (f"virial of the same {len(apart)} frames, bar", f"{ours.mean():.0f}",
         f"{theirs.mean():.0f}", "OpenMM, −dU/dV", f"{off:+.0f} ± {error:.0f}", ""),
        ("the same in density, by the compressibility", "", "", "", f"{100 * soft * off:+.2f} %", ""),
        ("compressibility from ⟨δV²⟩, 10⁻⁵/bar", f"{1e5 * soft:.1f}", f"{1e5 * SOFT:.1f}",
         "experiment", "", ""),
        (f"tail correction beyond {run.liquid.cutoff:g} Å, bar", f"{tail:.0f}", "", "",
         f"{-100 * soft * tail:+.1f} % of ρ", ""),
    ]  # fmt: skip
