"""Labelled frames that exist already: what the spec's section `dft.files` holds."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ilmlip.errors import SpecError
from ilmlip.record import Record, field
from ilmlip.spec.label_units import FORCE, STRESS, spelled

Key = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,79}$")]


NATIVE = ("vasp", "espresso", "cp2k", "castep", "aims", "gpaw", "siesta", "abinit")
"""Beginnings of ASE's names of the formats of programs, whose labels ASE brings to its own units."""
SIGNS = (
    "tension (virial = stress × volume, positive when the box is stretched, as ASE's stress is) or "
    "compression (virial = −stress × volume, as QUIP/GAP, GPUMD/NEP, dpdata/DeePMD, MACE and "
    "LAMMPS have it)"
)
"""The two conventions of a virial, and who uses which."""


def _force(value: str) -> str:
    return _known(value, FORCE)


def _stress(value: str) -> str:
    return _known(value, STRESS)


def _known(value: str, units: dict[str, float]) -> str:
    if value not in units:
        raise ValueError(f"unknown unit; there are {', '.join(units)}")
    return value


EnergyUnit = Annotated[
    Literal["eV", "meV", "Hartree", "Ry", "kcal/mol", "kJ/mol"], BeforeValidator(spelled)
]
LengthUnit = Annotated[Literal["Å", "Bohr", "nm"], BeforeValidator(spelled)]
ForceUnit = Annotated[str, BeforeValidator(spelled), AfterValidator(_force)]
StressUnit = Annotated[str, BeforeValidator(spelled), AfterValidator(_stress)]


class Reading(Record):
    """How labels are read from files, and what is refused."""

    format: Annotated[str, Field(pattern=r"^[a-z0-9-]{0,40}$")] = field(
        "Format by ASE's name, such as extxyz, vasp-out, vasp-xml, espresso-out; empty: guessed",
        default="",
    )
    energy_key: Key | None = field(
        "Where the energy stands; null: free_energy, which forces derive from, else energy",
        default=None,
    )
    forces_key: Key = field("Where the forces stand", default="forces")
    stress_key: Key | None = field("Where the stress or virial stands; null: nowhere", default=None)
    stress_is: Literal["stress", "virial"] = field(
        "What stands there: stress, per volume, or virial, not divided by the volume",
        default="stress",
    )
    stress_sign: Literal["tension", "compression"] | None = field(
        "Which stress is positive: that of a stretched box (tension, as ASE has it) or of a "
        "compressed one (as VASP has it); null: tension, and for a virial it must be stated",
        default=None,
    )
    stress_order: Literal["xx_yy_zz_yz_xz_xy", "xx_yy_zz_xy_yz_zx"] = field(
        "Order of six components; nine are always row by row",
        default="xx_yy_zz_yz_xz_xy",
    )
    energy_unit: EnergyUnit = field("Unit of energies", default="eV")
    length_unit: LengthUnit = field("Unit of positions", default="Å")
    forces_unit: ForceUnit | None = field(
        "Unit of forces, such as eV/Å or Hartree/Bohr; null: energy_unit / length_unit",
        default=None,
    )
    cell_unit: LengthUnit | None = field("Unit of the cell; null: length_unit", default=None)
    stress_unit: StressUnit = field(
        "Unit of a stress, such as eV/Å³, GPa, kbar or Hartree/Bohr³", default="eV/Å³"
    )
    virial_unit: EnergyUnit | None = field("Unit of a virial; null: energy_unit", default=None)
    composition_key: Key | None = field(
        "Key that names a frame's composition; null: recognised from its molecules or its formula",
        default=None,
    )
    stride: int = field("Every how-many-th frame of a file is taken", ge=1, default=1)
    most_spread: float = field(
        "Greatest distance of a frame's energy per atom from the median of its composition",
        unit="eV",
        gt=0,
        default=1.0,
    )
    most_net_force: float = field(
        "Greatest net force on a frame, per atom", unit="eV/Å", gt=0, default=0.01
    )
    most_slope_error: float = field(
        "How far from 1 the slope of the stress against dE/dV may be, where frames allow to tell",
        gt=0,
        le=1,
        default=0.2,
    )
    on_bad: Literal["refuse", "drop"] = field(
        "What a frame that fails a check does: refuse the set, or be left out and named",
        default="refuse",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.format.startswith(NATIVE):
            for name in CONVERTED:
                if getattr(self, name) != type(self).model_fields[name].default:
                    raise SpecError(
                        f"dft.files.{name}",
                        f"has no meaning for {self.format}: ASE reads it into eV, Å and tension as "
                        "positive; leave it out",
                    )
        elif self.stress_key and self.stress_is == "virial" and self.stress_sign is None:
            raise SpecError("dft.files.stress_sign", f"must be stated for a virial: {SIGNS}")
        return self


CONVERTED = ("stress_is", "stress_sign", "stress_order", "energy_unit", "length_unit", "forces_unit",
             "cell_unit", "stress_unit", "virial_unit")  # fmt: skip
"""What ASE has converted already in a program's own format."""


class Files(Reading):
    """Files of labelled frames, and how they are read and divided."""

    paths: tuple[Annotated[str, Field(min_length=1, max_length=1000)], ...] = field(
        "Files, in the order of time; relative to the spec's folder"
    )
    sha256: tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...] = field(
        "SHA-256 of each file; empty: whatever they hold (`freeze` writes them)", default=()
    )
    frames: int | None = field(
        "At most so many frames of each composition are trained and validated on, equally spaced; "
        "null: all",
        ge=2,
        default=None,
    )
    test_fraction: float = field(
        "Share of each composition's frames to test on: the last ones", ge=0, lt=1, default=0.2
    )

    @model_validator(mode="after")
    def _names_files(self) -> Self:
        if not self.paths:
            raise SpecError(
                "dft.files.paths", "is empty; name files, such as dft.files.paths=[labelled.extxyz]"
            )
        return self

    def reading(self) -> Reading:
        """Only how they are read."""
        return Reading(**{name: getattr(self, name) for name in Reading.model_fields})
