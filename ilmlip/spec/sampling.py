"""Classical sampling: the spec's section `sampling`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ilmlip.errors import SpecError
from ilmlip.record import Record, field

MOST_STEPS = 1e15
"""Time steps of a run: more than any computer will do, and few enough to count exactly."""


class Minimise(Record):
    """An energy minimisation."""

    minimise: Literal[True] = field("Minimise the energy")


class Npt(Record):
    """A stretch of NPT dynamics with linear ramps."""

    duration: float = field("Duration before scaling", unit="fs", gt=0)
    temperature: tuple[float, float] = field("Temperature, start and end", unit="K")
    pressure: tuple[float, float] = field("Pressure, start and end", unit="bar")


class Equilibration(Record):
    """How a packed box becomes a liquid: a protocol of stages, then the stated density."""

    time_scale: float = field("Factor on the durations of all stages", gt=0, le=1, default=1.0)
    stages: tuple[Minimise | Npt, ...] = field("The stages in sequence")
    source: str = field("Where the protocol comes from", default="")


class Sampling(Record):
    """Classical molecular dynamics that yields the configurations."""

    grid_spacing: float = field("Spacing of the grid that ions are packed on", unit="Å", gt=0)
    equilibration: Equilibration = field("From the packed box to the liquid")
    settle: float = field(
        "NVT at the density after the protocol; npt: NPT at the pressure", unit="fs", gt=0
    )
    temperature: float = field("Temperature of the sampling", unit="K", gt=0)
    timestep: float = field("Time step", unit="fs", gt=0, le=5)
    duration: float = field("Length of a sampling run", unit="fs", gt=0)
    interval: float = field("Time between frames that are kept", unit="fs", gt=0)
    thermostat_time: float = field("Nosé–Hoover damping time of the temperature", unit="fs", gt=0)
    barostat_time: float = field("Nosé–Hoover damping time of the pressure", unit="fs", gt=0)
    cutoff: float = field("Cutoff of Lennard-Jones and real-space Coulomb", unit="Å", gt=0)
    kspace_accuracy: float = field("Relative accuracy of PPPM forces", gt=0, lt=1)
    seed: int = field("Seed of packing and velocities", ge=1, le=10**8, default=1)
    ensemble: Literal["nvt", "npt"] = field(
        "nvt: at a density (`density`); npt: at the pressure", default="nvt", later=True
    )
    pressure: float | None = field("Pressure (npt)", unit="bar", default=None, later=True)
    density: Literal["molar", "equilibrated"] = field(
        "nvt: the density of the sampling, molar (an ideal mixture of the salts' molar volumes) or "
        "equilibrated (the volume that the protocol ends at, as in the paper)",
        default="molar",
        later=True,
    )
    temperatures: tuple[Annotated[float, Field(gt=0)], ...] = field(
        "Temperatures, a trajectory of each structure for each; empty: `temperature` alone",
        unit="K",
        default=(),
        later=True,
    )
    tail: bool = field(
        "Mean-field correction of energy and pressure for Lennard-Jones beyond the cutoff, where "
        "it then is cut and not shifted to zero",
        default=False,
        later=True,
    )

    @model_validator(mode="after")
    def _pressure_is_of_npt(self) -> Self:
        if self.ensemble == "npt" and self.pressure is None:
            raise SpecError("sampling.pressure", "is missing; npt needs it, such as 1.01325 bar")
        if self.ensemble == "nvt" and self.pressure is not None:
            raise SpecError(
                "sampling.pressure", "has no meaning for nvt; leave it out, or set ensemble=npt"
            )
        if len(set(self.temperatures)) < len(self.temperatures):
            raise SpecError(
                "sampling.temperatures", f"{list(self.temperatures)} has one twice; give each once"
            )
        return self

    def all_temperatures(self) -> tuple[float, ...]:
        """Every temperature that is sampled at."""
        return self.temperatures or (self.temperature,)

    @model_validator(mode="after")
    def _whole_steps(self) -> Self:
        for name in ("duration", "interval"):
            steps = getattr(self, name) / self.timestep
            if steps > MOST_STEPS:
                raise SpecError(
                    f"sampling.{name}", f"is {steps:g} time steps; at most {MOST_STEPS:g}"
                )
            if abs(steps - round(steps)) > 1e-6 * steps or round(steps) < 1:
                raise SpecError(
                    f"sampling.{name}",
                    f"{getattr(self, name):g} fs is {steps:g} steps of {self.timestep:g} fs; "
                    "give a whole number of steps",
                )
        return self

    def frames(self) -> int:
        """Frames in a trajectory."""
        return round(self.duration / self.timestep) // round(self.interval / self.timestep)
