"""Labelled frames that exist already: what the spec's section `dft.files` holds."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ilmlip.errors import SpecError
from ilmlip.record import Record, field

Key = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,79}$")]


NATIVE = ("vasp", "espresso", "cp2k", "castep", "aims", "gpaw", "siesta", "abinit")
"""Beginnings of ASE's names of the formats of programs, whose labels ASE brings to its own units."""


class Reading(Record):
    """How labels are read from files, and what is refused."""

    format: Annotated[str, Field(pattern=r"^[a-z0-9-]{0,40}$")] = field(
        "Format by ASE's name, such as extxyz, vasp-out, vasp-xml, espresso-out; empty: guessed",
        default="",
    )
    energy_key: Key = field("Where the energy stands", default="energy")
    forces_key: Key = field("Where the forces stand", default="forces")
    stress_key: Key | None = field("Where the stress or virial stands; null: nowhere", default=None)
    stress_is: Literal["stress", "virial"] = field(
        "What stands there: stress, per volume, or virial, not divided by the volume",
        default="stress",
    )
    stress_sign: Literal["tension", "compression"] = field(
        "Which stress is positive: that of a stretched box (tension, as ASE has it) or of a "
        "compressed one (as VASP has it); a virial follows the same words",
        default="tension",
    )
    stress_order: Literal["xx_yy_zz_yz_xz_xy", "xx_yy_zz_xy_yz_zx"] = field(
        "Order of six components; nine are always row by row",
        default="xx_yy_zz_yz_xz_xy",
    )
    energy_unit: Literal["eV", "Hartree", "Ry", "kcal/mol", "kJ/mol"] = field(
        "Unit of energies, and of those in forces and stress", default="eV"
    )
    length_unit: Literal["Å", "Bohr", "nm"] = field(
        "Unit of positions and cells, and of lengths in forces", default="Å"
    )
    stress_unit: Literal["eV/Å³", "GPa", "kbar", "bar", "Hartree/Bohr³", "Ry/Bohr³"] = field(
        "Unit of a stress (that of a virial is energy_unit)", default="eV/Å³"
    )
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
    def _programs_formats_are_ase_s(self) -> Self:
        if not self.format.startswith(NATIVE):
            return self
        for name in ("stress_is", "stress_sign", "stress_order", "energy_unit", "length_unit",
                     "stress_unit"):  # fmt: skip
            if getattr(self, name) != type(self).model_fields[name].default:
                raise SpecError(
                    f"dft.files.{name}",
                    f"has no meaning for {self.format}: ASE reads it into eV, Å and tension as "
                    "positive; leave it out",
                )
        return self


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
