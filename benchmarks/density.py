"""Densities of neat ionic liquids: ilmlip's NPT against OpenMM, experiment and the paper.

`--quick` runs everything for a few hundred steps. Finished pieces stay in benchmarks/.density and
are not computed again.
"""

from __future__ import annotations

import csv
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read

from benchmarks.openmm_npt import run
from benchmarks.report import Table
from ilmlip.execute.claims import Claims
from ilmlip.execute.worker import do
from ilmlip.observables.series import mean_and_error
from ilmlip.plan.compile import Frames
from ilmlip.plan.graph import Plan
from ilmlip.spec.load import load
from ilmlip.spec.types import Spec
from ilmlip.store import Result, Store
from ilmlip.units import AMU_PER_A3

FOLDER = Path(__file__).with_name(".density")
PS = 1000.0
SALT = "EMIMPF6"
EXPERIMENT = {
    353.0: 1.422,  # 353.15 K, 0.1 MPa
    "expansion": math.log(1.428 / 1.370) / (422.7 - 352.7),  # at 10 MPa
}
"""Taguchi et al., J. Chem. Eng. Data (2009), as in ILThermo: g/cm³, and 1/K."""


@dataclass(frozen=True)
class Liquid:
    """One neat liquid at one temperature."""

    system: str
    salt: str
    pairs: int
    temperature: float
    pressure: float
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
    tail: bool = True

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
            "sampling.grid_spacing=19.0"
            if self.system.startswith("fomim")
            else "sampling.grid_spacing=12.0",
            "dataset.frames=4",
            "dataset.every=1",
            "dataset.validation_fraction=0.25",
        ]


def sampled(liquid: Liquid) -> tuple[Spec, Result]:
    """The trajectory of a liquid by ilmlip's own tasks, from the store if it is there."""
    spec = load(liquid.words())
    plan = Plan("density")
    key = Frames(plan, spec).sampled(liquid.salt, 0, liquid.temperature)
    store, claims = Store(FOLDER), Claims(FOLDER)
    store.prepare()
    for task in plan:
        began = time.monotonic()
        if do(store, claims, task) == "failed":
            failure = store.failure(task.key)
            raise RuntimeError(f"{task.stage}: {failure.reason if failure else 'failed'}")
        print(f"{task.stage} {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    found = store.result(key)
    if found is None:
        raise RuntimeError(f"{key} is not in the store")
    return spec, found


def density(result: Result) -> tuple[float, float]:
    """Mean density of a trajectory and its error, g/cm³."""
    rows = np.genfromtxt(result.path / "thermo.csv", delimiter=",", names=True)
    return mean_and_error(rows["density_g_cm3"])


def openmm_density(liquid: Liquid, steps: int) -> tuple[float, float]:
    """Mean density by OpenMM from the equilibrated box, on the same parameters.

    The first fifth is left out.

    Langevin dynamics and a Monte Carlo barostat: other algorithms, the same ensemble.
    """
    spec = load(liquid.words())
    plan = Plan("density")
    Frames(plan, spec).sampled(liquid.salt, 0, liquid.temperature)
    key = next(task.key for task in plan if task.stage == "equilibrate")
    start = Store(FOLDER).result(key)
    if start is None:
        raise RuntimeError(f"{key} is not in the store")
    name = f"openmm-{start.key}-{steps}.csv"
    if not (FOLDER / name).exists():
        frame = read(start.path / "structure.extxyz", index=-1)
        if not isinstance(frame, Atoms):
            raise TypeError("the trajectory's last frame is no single one")
        run(frame, spec, liquid.pressure, steps, FOLDER / name, temperature=liquid.temperature,
            cutoff=liquid.cutoff)  # fmt: skip
    with (FOLDER / name).open() as rows:
        values = [float(row["density_g_cm3"]) for row in csv.DictReader(rows)]
    return mean_and_error(values[len(values) // 5 :])


def main(quick: bool) -> Table:
    """Everything, one after the other."""
    rows: list[tuple[str, ...]] = []
    raise NotImplementedError(json.dumps([quick, rows, AMU_PER_A3, Sequence.__name__]))


WARM = Liquid("li_pf6_emim_pf6", SALT, 100, 353.0, 1.0, 80 * PS, 30 * PS, 0.8, 600.0, 12 * PS)

if __name__ == "__main__":
    print(density(sampled(WARM)[1]))
