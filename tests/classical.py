"""One small box, packed, equilibrated and sampled by the real stages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from ilmlip.chemistry.boxes import ion_names, read
from ilmlip.chemistry.forcefield import scaled_forcefield, topology
from ilmlip.chemistry.ion import Ion
from ilmlip.spec.sampling import Minimise, Npt
from ilmlip.spec.types import Spec
from ilmlip.stages import build, equilibrate, forcefield, sample
from ilmlip.stages.base import Given, Inputs, Stage

COUNTS = {"EMIM": 2, "Li": 1, "PF6": 3}
DENSITY = 1.5
TIME_SCALE = 0.0002


def give(stage: Stage, params: object, folder: Path, **roles: Given) -> Given:
    """Run a stage in a folder of its own; the result as an input of the next."""
    folder.mkdir()
    made = stage.run(params, Inputs({role: (given,) for role, given in roles.items()}), folder)
    for name in made.files:
        assert (folder / name).is_file()
    return Given(stage.name, folder, made.values)


def whole(path: Path, ions: Mapping[str, Ion]) -> None:
    """Every ion of every frame is in one piece: no bond is off by more than thermal motion."""
    for atoms in read(path):
        box = topology(scaled_forcefield(ions, 0.8), ion_names(atoms))
        for i, j, length, _ in box.bonds:
            assert np.linalg.norm(atoms.positions[i] - atoms.positions[j]) == pytest.approx(
                length, abs=0.25
            )


class Classical:
    """The stages' parameters and results for one box."""

    def __init__(self, folder: Path, spec: Spec) -> None:
        self.spec, self.folder = spec, folder
        ions, sampling = spec.system.ions, spec.sampling
        self.ions = ions
        self.dynamics = {
            "temperature": 300.0,
            "timestep": 1.0,
            "thermostat_time": 100.0,
            "cutoff": sampling.cutoff,
            "kspace_accuracy": sampling.kspace_accuracy,
            "seed": 11,
        }
        self.forcefield = give(
            forcefield.STAGE,
            forcefield.Params(ions=ions, charge_scale=spec.system.charge_scale),
            folder / "forcefield",
        )
        self.build = give(
            build.STAGE,
            build.Params(
                counts=COUNTS,
                ions={name: ions[name].geometry() for name in COUNTS},
                spacing=sampling.grid_spacing,
                seed=11,
            ),
            folder / "build",
        )
        self.protocol = tuple(
            part
            if isinstance(part, Minimise)
            else part.model_copy(update={"duration": part.duration * TIME_SCALE})
            for part in sampling.equilibration.stages
        )
        assert sum(isinstance(part, Npt) for part in self.protocol) == 8
        self.equilibrate_params = equilibrate.Params(
            **self.dynamics,
            stages=self.protocol,
            barostat_time=1000.0,
            density=DENSITY,
            settle=1000.0,
        )
        self.equilibrate = give(
            equilibrate.STAGE,
            self.equilibrate_params,
            folder / "equilibrate",
            forcefield=self.forcefield,
            structure=self.build,
        )
        self.sample_params = sample.Params(**self.dynamics, duration=2000.0, interval=100.0)
        self.sample = self.sampled(folder / "sample")

    def sampled(self, folder: Path) -> Given:
        """The sampling run, in a folder of its own."""
        return give(
            sample.STAGE,
            self.sample_params,
            folder,
            forcefield=self.forcefield,
            structure=self.equilibrate,
        )
