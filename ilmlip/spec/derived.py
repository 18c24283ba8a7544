"""Configurations derived from sampled frames: short dynamics, relaxation, volume scans, rattles."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ilmlip.errors import SpecError
from ilmlip.record import Record, field
from ilmlip.spec.own import check_own

Kind = Literal["frames", "aimd", "relax", "volume_scan", "rattle"]


class Aimd(Record):
    """Dynamics by the labels' own engine in the frame's cell: velocity Verlet, rescaled."""

    steps: int = field("Time steps", ge=1, le=10000, default=50)
    timestep: float = field("Time step", unit="fs", gt=0, le=5, default=1.0)
    temperature: float | None = field(
        "Temperature; null: that of the frame's sampling", unit="K", gt=0, default=None
    )
    tolerance: float = field(
        "Velocities are rescaled when the temperature is further off than this",
        unit="K",
        gt=0,
        default=10.0,
    )


class Relax(Record):
    """Relaxation of the positions by the labels' own engine in the frame's cell (BFGS)."""

    steps: int = field("Most steps", ge=1, le=10000, default=10)


class VolumeScan(Record):
    """Uniform scaling of the molecules' centres, the molecules rigid."""

    densities: tuple[float, float] = field("Lowest and highest density", unit="g/cm³")
    points: int = field("Densities, equally spaced", ge=2, le=1000)

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if not 0 < self.densities[0] < self.densities[1]:
            raise SpecError(
                "dataset.derived",
                f"densities {list(self.densities)} g/cm³: give a lower one above 0 and a higher one",
            )
        return self


class Rattle(Record):
    """Independent normal displacements of all atoms."""

    amplitude: float = field("Standard deviation of each coordinate", unit="Å", gt=0, le=1)
    count: int = field("Configurations made of each frame", ge=1, le=1000)


_OF_KIND = {
    "aimd": ("aimd",),
    "relax": ("relax",),
    "volume_scan": ("volume_scan",),
    "rattle": ("rattle",),
}


class Derived(Record):
    """One kind of configurations of a data set, made of the sampled frames."""

    kind: Kind = field("frames: the sampled frames themselves; or what is made of each of them")
    aimd: Aimd | None = field("Settings of aimd", default=None)
    relax: Relax | None = field("Settings of relax", default=None)
    volume_scan: VolumeScan | None = field("Settings of volume_scan", default=None)
    rattle: Rattle | None = field("Settings of rattle", default=None)
    take: tuple[Annotated[int, Field(ge=0)], ...] | None = field(
        "Steps that go into the data set, from 0, the frame itself (aimd, relax) or the first "
        "configuration; null: the last step of aimd and relax, all of the others",
        default=None,
        min_length=1,
    )
    frames: int | None = field(
        "Of how many of a trajectory's labelled frames, equally spaced; null: of all",
        ge=1,
        default=None,
    )

    @model_validator(mode="after")
    def _fits_the_kind(self) -> Self:
        check_own(self, "dataset.derived", "kind", _OF_KIND)
        last = self.last()
        wrong = [step for step in self.take or () if last is not None and step > last]
        if wrong:
            raise SpecError(
                "dataset.derived",
                f"takes step {wrong[0]} of {self.kind}; the last one is {last}",
            )
        return self

    def last(self) -> int | None:
        """The number of the last configuration of a series; None for the frames themselves."""
        if self.aimd is not None:
            return self.aimd.steps
        if self.relax is not None:
            return self.relax.steps
        if self.volume_scan is not None:
            return self.volume_scan.points - 1
        return self.rattle.count - 1 if self.rattle is not None else None

    def taken(self) -> tuple[int, ...]:
        """The steps that go into the data set."""
        last = self.last()
        if last is None:
            return ()
        if self.take is not None:
            return self.take
        return (last,) if self.kind in ("aimd", "relax") else tuple(range(last + 1))


def spread(there: int, wanted: int | None) -> list[int]:
    """Which of `there` frames are taken, equally spaced; all if `wanted` is none."""
    if wanted is None or wanted >= there:
        return list(range(there))
    return [(i * there + there // 2) // wanted for i in range(wanted)]
