"""The tasks from ions to configurations: what is built, equilibrated and sampled, each once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from ilmlip.chemistry.crystal import Crystal
from ilmlip.hashing import digest, plain
from ilmlip.plan.add import About, add
from ilmlip.plan.graph import Plan
from ilmlip.spec.mixtures import Composition, box_density, composition_label, ion_counts
from ilmlip.spec.types import Spec

TRAINING, TESTING = 0, 1
"""The two independent structures of a composition."""
LARGEST_SEED = 10**8
"""LAMMPS takes seeds of up to eight digits everywhere."""


@dataclass(frozen=True)
class Configuration:
    """A frame to label or to derive a series from."""

    trajectory: str
    """Key of the task that makes it."""
    frame: int
    """Its number there."""
    temperature: float
    """K, of dynamics from it."""
    seed: int
    """Of what is random in a series from it."""


class Configurations:
    """Makes the tasks from ions to trajectories, each on demand and once; points may share them."""

    def __init__(self, plan: Plan, spec: Spec) -> None:
        self.plan, self.spec = plan, spec
        self.forcefield = cache(self._forcefield)
        self.sampled = cache(self._sampled)
        self.configurations = cache(self._configurations)

    def _forcefield(self) -> str:
        system = self.spec.system
        return add(
            self.plan, "forcefield", {"ions": system.ions, "charge_scale": system.charge_scale}
        )

    def _counts(self, x: Composition) -> dict[str, int]:
        return ion_counts(self.spec.system, self.spec.compositions, x)

    def _seed(self, x: Composition, structure: int, temperature: float) -> int:
        """Another seed for each structure and temperature, whatever else the study holds."""
        sampling = self.spec.sampling
        name = ["structure", sampling.seed, composition_label(x), structure]
        name += [temperature] if sampling.temperatures else []
        return 1 + int(digest("ilmlip.seed", name), 16) % (LARGEST_SEED - 1)

    def _sampled(self, x: Composition, structure: int, temperature: float) -> str:
        """The trajectory of one structure at one temperature: built, equilibrated, sampled."""
        forcefield = self.forcefield()
        sampling, counts = self.spec.sampling, self._counts(x)
        seed = self._seed(x, structure, temperature)
        about: About = {"composition": composition_label(x), "structure": structure}
        geometry = {name: self.spec.system.ions[name].geometry() for name in counts}
        built = add(
            self.plan,
            "build",
            {"counts": counts, "ions": geometry, "spacing": sampling.grid_spacing, "seed": seed},
            about=about,
        )
        dynamics = {
            "temperature": temperature,
            "timestep": sampling.timestep,
            "thermostat_time": sampling.thermostat_time,
            "cutoff": sampling.cutoff,
            "kspace_accuracy": sampling.kspace_accuracy,
            "seed": seed,
            "tail": sampling.tail,
            "pressure": sampling.pressure,
        }
        npt = sampling.ensemble == "npt"
        keeps = not npt and sampling.density == "equilibrated"
        equilibrated = add(
            self.plan,
            "equilibrate",
            {
                **dynamics,
                "stages": self._protocol(),
                "barostat_time": sampling.barostat_time,
                "density": None
                if npt or keeps
                else box_density(self.spec.system, self.spec.compositions, x),
                "settle": sampling.settle,
                "keep_volume": keeps,
            },
            {"forcefield": (forcefield,), "structure": (built,)},
            about=about,
        )
        return add(
            self.plan,
            "sample",
            {
                **dynamics,
                "duration": sampling.duration,
                "interval": sampling.interval,
                "barostat_time": sampling.barostat_time if npt else None,
            },
            {"forcefield": (forcefield,), "structure": (equilibrated,)},
            about={**about, "T": temperature, "system": self.spec.system.name},
        )

    def _configurations(self, x: Composition, role: int) -> tuple[tuple[Configuration, ...], ...]:
        """The frames of a composition that are labelled, by temperature.

        They are equally spaced in the trajectory of one structure; each temperature gives as many.
        With `test: same_trajectory` those to test on are the frames after those trained on. Of a
        crystal each is an arrangement of its own.
        """
        if self.spec.system.crystal is not None:
            return (self._cells(self.spec.system.crystal, x, role),)
        structure, first = self._place(role)
        found = []
        for temperature in self.spec.sampling.all_temperatures():
            trajectory = self.sampled(x, structure, temperature)
            seed = self._seed(x, structure, temperature)
            numbers = [self._frame(first + i) for i in range(self.spec.dataset.frames)]
            found.append(
                tuple(Configuration(trajectory, n, temperature, seed + n) for n in numbers)
            )
        return tuple(found)

    def _cells(self, crystal: Crystal, x: Composition, role: int) -> tuple[Configuration, ...]:
        """Disordered cells of a crystal, each with a seed of its own."""
        units, temperature = self.spec.compositions.pairs, self.spec.sampling.temperature
        found = []
        for number in range(self.spec.dataset.frames):
            name = ["crystal", self.spec.sampling.seed, composition_label(x), role, number]
            seed = 1 + int(digest("ilmlip.seed", name), 16) % (LARGEST_SEED - 1)
            key = add(
                self.plan,
                "crystal",
                {
                    "crystal": crystal.of(composition_label(x)),
                    "counts": self._counts(x),
                    "repeats": crystal.cells(units),
                    "seed": seed,
                },
                about={"composition": composition_label(x), "structure": role},
            )
            found.append(Configuration(key, 0, temperature, seed))
        return tuple(found)

    def _place(self, role: int) -> tuple[int, int]:
        """The structure that a role's frames come from, and the first of its labelled frames."""
        if self.spec.compositions.test_structure == "none":
            return (TRAINING, 0)
        later = role == TESTING and self.spec.dataset.test == "same_trajectory"
        return (TRAINING, self.spec.dataset.frames) if later else (role, 0)

    def _frame(self, labelled: int) -> int:
        """Number in the trajectory of a labelled frame."""
        return (labelled + 1) * self.spec.dataset.every - 1

    def _protocol(self) -> list[dict[str, Any]]:
        """The stages of the equilibration with their durations scaled to whole time steps."""
        sampling = self.spec.sampling
        scale, step = sampling.equilibration.time_scale, sampling.timestep
        found = []
        for part in plain(list(sampling.equilibration.stages)):
            if "duration" in part:
                part["duration"] = max(1, round(part["duration"] * scale / step)) * step
            found.append(part)
        return found
