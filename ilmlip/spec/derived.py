"""Configurations derived from sampled frames: short dynamics, relaxation, volume scans, rattles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ilmlip.errors import SpecError
from ilmlip.record import Record, field
from ilmlip.spec.own import check_own

Kind = Literal["frames", "aimd", "relax", "volume_scan", "rattle"]
Source = Literal["frames", "aimd", "relax"]


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

    densities: tuple[float, float] | None = field(
        "Lowest and highest density; or give `relative`", unit="g/cm³", default=None
    )
    relative: tuple[float, float] | None = field(
        "Lowest and highest density as a fraction of the liquid's, that of an ideal mixture of the "
        "salts (of a crystal: its own); or give `densities`",
        default=None,
        later=True,
    )
    points: int = field("Densities, equally spaced", ge=2, le=1000)

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if (self.densities is None) == (self.relative is None):
            raise SpecError(
                "dataset.derived",
                "a volume scan needs either densities (g/cm³) or relative (fractions of the "
                "liquid's density); give exactly one",
            )
        low, high = self.densities or self.relative or (0.0, 0.0)
        if not 0 < low < high:
            raise SpecError(
                "dataset.derived",
                f"{'densities' if self.densities else 'relative'} {[low, high]} of a volume scan: "
                "give a lower one above 0 and a higher one",
            )
        return self

    def ends(self) -> tuple[float, float]:
        """Lowest and highest density, g/cm³. Raises ValueError if they are still relative."""
        if self.densities is None:
            raise ValueError("the scan's densities are relative to a liquid that is not given")
        return self.densities

    def absolute(self, density: float) -> VolumeScan:
        """The same scan in g/cm³, of a liquid of `density` (g/cm³)."""
        if self.relative is None:
            return self
        low, high = self.relative
        return VolumeScan(densities=(low * density, high * density), points=self.points)


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
        "configuration; null: the last step of aimd and relax, all of the others; empty (aimd, "
        "relax): none, other entries are made of it",
        default=None,
    )
    frames: int | None = field(
        "Of how many of a trajectory's labelled frames, equally spaced; null: of all",
        ge=1,
        default=None,
    )
    frames_in_all: int | None = field(
        "Of how many of a composition's labelled frames, equally spaced over those of all "
        "temperatures; instead of `frames`",
        ge=1,
        default=None,
        later=True,
    )
    of: Source | None = field(
        "What volume_scan and rattle start from: frames (of the force field), or the last step "
        "taken of aimd or relax; null: of aimd or relax if the data set has such an entry, else "
        "of the frames",
        default=None,
        later=True,
    )

    @model_validator(mode="after")
    def _fits_the_kind(self) -> Self:
        check_own(self, "dataset.derived", "kind", _OF_KIND)
        if self.frames is not None and self.frames_in_all is not None:
            raise SpecError(
                "dataset.derived", f"{self.kind} has frames and frames_in_all; give one of them"
            )
        if self.of is not None and self.kind not in ("volume_scan", "rattle"):
            raise SpecError(
                "dataset.derived",
                f"{self.kind} has `of`, which belongs to volume_scan and rattle; leave it out",
            )
        if self.take == () and self.kind not in ("aimd", "relax"):
            raise SpecError("dataset.derived", f"{self.kind} takes no step; leave the entry out")
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

    def source(self, parts: Sequence[Derived]) -> Derived | None:
        """The entry of `parts` whose last taken step this one starts from; None: the frames.

        Raises SpecError if `of` names a kind that has no entry.
        """
        if self.kind not in ("volume_scan", "rattle") or self.of == "frames":
            return None
        kinds = ("aimd", "relax") if self.of is None else (self.of,)
        found = next((part for kind in kinds for part in parts if part.kind == kind), None)
        if found is None and self.of is not None:
            raise SpecError(
                "dataset.derived",
                f"{self.kind} is of {self.of}, and there is no such entry; add one (with take: [] "
                "its own steps stay out of the data set)",
            )
        return found

    def step(self) -> int:
        """The step that others start from: the last one taken, or the last of all."""
        return max(self.take or (self.last() or 0,))


def check_parts(parts: Sequence[Derived]) -> None:
    """Raise SpecError if an entry starts from one that is missing, or is of no use."""
    sources = [part.source(parts) for part in parts]
    for part in parts:
        if part.take == () and part not in sources:
            raise SpecError(
                "dataset.derived",
                f"{part.kind} takes no step, and nothing is made of it; give `take`, or leave the "
                "entry out",
            )
    if parts and all(part.take == () for part in parts):
        raise SpecError("dataset.derived", "takes nothing into the data set; give `take`")


def picked(sizes: Sequence[int], part: Derived) -> list[int]:
    """Which frames an entry is made of, counted through groups of `sizes` frames."""
    if part.kind == "frames":
        return list(range(sum(sizes)))
    if part.frames_in_all is not None:
        return spread(sum(sizes), part.frames_in_all)
    found: list[int] = []
    first = 0
    for size in sizes:
        found += [first + i for i in spread(size, part.frames)]
        first += size
    return found


def spread(there: int, wanted: int | None) -> list[int]:
    """Which of `there` frames are taken, equally spaced; all if `wanted` is none."""
    if wanted is None or wanted >= there:
        return list(range(there))
    return [(i * there + there // 2) // wanted for i in range(wanted)]
