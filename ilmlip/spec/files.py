"""Labelled frames that exist already: what the spec's section `dft.files` holds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ilmlip.record import Record, field

Key = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,79}$")]


class Files(Record):
    """Files of labelled frames, and how their labels are to be read."""

    paths: tuple[Annotated[str, Field(min_length=1, max_length=500)], ...] = field(
        "Files, in the order of time; relative to the spec's folder", min_length=1
    )
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
    stride: int = field("Every how-many-th frame is taken", ge=1, default=1)
    most_spread: float = field(
        "Greatest distance of a frame's energy per atom from the median of its composition",
        unit="eV",
        gt=0,
        default=1.0,
    )
    most_net_force: float = field(
        "Greatest net force on a frame, per atom", unit="eV/Å", gt=0, default=0.01
    )
    on_bad: Literal["refuse", "drop"] = field(
        "What a frame that fails a check does: refuse the set, or be left out and named",
        default="refuse",
    )
