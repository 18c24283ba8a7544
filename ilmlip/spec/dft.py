"""The engine of the labels and its settings: what the spec's section `dft` holds.

The settings of an engine are also the parameters of the tasks that use it, so everything here but
the retries changes keys. Where programs and pseudopotentials lie is the machine's affair (profile).
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ilmlip.errors import SpecError
from ilmlip.record import Record, field
from ilmlip.spec.files import Files
from ilmlip.spec.own import check_own

Engine = Literal["opls", "gfn1_xtb", "qe_pbe_d3", "cp2k_pbe_d3", "gpaw_pbe_d3", "vasp_pbe", "files"]

QUANTUM = ("gfn1_xtb", "qe_pbe_d3", "cp2k_pbe_d3", "gpaw_pbe_d3", "vasp_pbe", "files")
"""Engines whose energies are those of electrons: the atoms' own energies are most of them.

Of imported labels it is not known, and most are."""

PBE = ("qe_pbe_d3", "cp2k_pbe_d3", "gpaw_pbe_d3", "vasp_pbe")
"""Engines of PBE, which state their dispersion."""

Element = Annotated[str, Field(pattern=r"^[A-Z][a-z]?$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}$")]
Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Mesh = tuple[
    Annotated[int, Field(ge=1, le=64)],
    Annotated[int, Field(ge=1, le=64)],
    Annotated[int, Field(ge=1, le=64)],
]


class Opls(Record):
    """The force field itself."""

    cutoff: float = field("Cutoff of Lennard-Jones and real-space Coulomb", unit="Å", gt=0)
    kspace_accuracy: float = field("Relative accuracy of PPPM forces", gt=0)


class Xtb(Record):
    """GFN1-xTB by tblite."""

    scf_accuracy: float = field("Accuracy of the self-consistent charges", gt=0)
    electronic_temperature: float = field("Temperature of the occupations", unit="K", gt=0)


class Pseudopotential(Record):
    """One element's file of a family."""

    file: FileName = field(
        "Name of the file in the family's folder; for VASP that of the folder that holds POTCAR"
    )
    md5: Md5 = field("MD5 of the file")


class D3(Record):
    """Grimme's D3 dispersion with its parameters for PBE."""

    damping: Literal["d3", "d3bj"] = field(
        "Damping: zero damping (d3) or Becke and Johnson's (d3bj)"
    )
    three_body: bool = field("Whether the three-body (Axilrod-Teller-Muto) term is included")


class Qe(Record):
    """Quantum ESPRESSO's pw.x with PBE."""

    ecutwfc: float = field("Cutoff of the wavefunctions", unit="Ry", gt=0, le=1000)
    ecutrho: float = field("Cutoff of the density", unit="Ry", gt=0, le=10000)
    conv_thr: float = field("Convergence of the energy", unit="Ry", gt=0, lt=1)
    kpoints: Mesh = field("Monkhorst-Pack mesh; 1, 1, 1 is Γ alone, by the faster Γ algorithms")
    family: FileName = field("Family of pseudopotentials: the folder's name")
    pseudopotentials: dict[Element, Pseudopotential] = field("File and MD5 by element")

    @model_validator(mode="after")
    def _density_holds_wavefunctions(self) -> Self:
        if self.ecutrho < 4 * self.ecutwfc:
            raise SpecError(
                "dft.qe.ecutrho",
                f"is {self.ecutrho:g} Ry, below four times ecutwfc ({self.ecutwfc:g} Ry); "
                f"set at least {4 * self.ecutwfc:g}",
            )
        return self


class Cp2k(Record):
    """CP2K's Quickstep with PBE and GTH pseudopotentials, at Γ."""

    cutoff: float = field("Cutoff of the finest grid", unit="Ry", gt=0, le=5000)
    rel_cutoff: float = field("Cutoff that a Gaussian is mapped by", unit="Ry", gt=0, le=1000)
    eps_scf: float = field("Convergence of the wavefunction", gt=0, lt=1)
    basis: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,60}$")] = field("Basis set")
    potential: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,60}$")] = field("Pseudopotential")
    xc_derivative: Literal["pw", "spline2_smooth"] = field(
        "Density gradients of the functional: plane waves (pw), which ring where the density is "
        "sharp, so that forces depend on where the grid lies, or smoothed splines",
        default="pw",
        later=True,
    )


class Gpaw(Record):
    """GPAW's plane waves with PBE and its own projector-augmented waves."""

    cutoff: float = field("Cutoff of the wavefunctions", unit="eV", gt=0, le=10000)
    energy_convergence: float = field(
        "Convergence of the energy, per valence electron", unit="eV", gt=0, lt=1
    )
    density_convergence: float = field(
        "Convergence of the density, electrons per valence electron", gt=0, lt=1
    )
    kpoints: Mesh = field("Monkhorst-Pack mesh, centred on Γ; 1, 1, 1 is Γ alone")


class Vasp(Record):
    """VASP with PBE and projector-augmented waves."""

    encut: float = field("Cutoff of the wavefunctions", unit="eV", gt=0, le=10000)
    ediff: float = field("Convergence of the energy", unit="eV", gt=0, lt=1)
    kpoints: Mesh = field("Monkhorst-Pack mesh, centred on Γ")
    sigma: float = field("Width of the Gaussian smearing", unit="eV", gt=0, le=1)
    family: FileName = field("Family of pseudopotentials: the folder's name")
    pseudopotentials: dict[Element, Pseudopotential] = field(
        "By element, the folder that holds POTCAR and the MD5 of that file"
    )


class Rung(Record):
    """What another try changes, after a label did not converge. Never part of a key."""

    mixing: float | None = field(
        "Share of the new density that is mixed in", gt=0, le=1, default=None
    )
    max_steps: int | None = field("Most steps of self-consistency", ge=1, le=10000, default=None)


_OF_ENGINE = {
    "opls": ("cutoff", "kspace_accuracy"),
    "gfn1_xtb": ("scf_accuracy", "electronic_temperature"),
    "qe_pbe_d3": ("qe",),
    "cp2k_pbe_d3": ("cp2k",),
    "gpaw_pbe_d3": ("gpaw",),
    "vasp_pbe": ("vasp",),
    "files": ("files",),
}
"""Settings that one engine needs and the others do not have."""


class Dft(Record):
    """The engine that labels frames with energy, forces and stress."""

    engine: Engine = field(
        "Engine: opls (the force field itself), gfn1_xtb (tight binding), qe_pbe_d3, cp2k_pbe_d3, "
        "gpaw_pbe_d3 or vasp_pbe (density functional theory), or files (labels that exist already)"
    )
    cutoff: float | None = field(
        "opls: cutoff of Lennard-Jones and real-space Coulomb", unit="Å", gt=0, default=None
    )
    kspace_accuracy: float | None = field(
        "opls: relative accuracy of PPPM forces", gt=0, lt=1, default=None
    )
    scf_accuracy: float | None = field(
        "gfn1_xtb: accuracy of the self-consistent charges; smaller is tighter, 1 is usual",
        gt=0,
        le=1000,
        default=None,
        later=True,
    )
    electronic_temperature: float | None = field(
        "gfn1_xtb: temperature of the occupations", unit="K", gt=0, default=None, later=True
    )
    qe: Qe | None = field("Settings of qe_pbe_d3", default=None, later=True)
    cp2k: Cp2k | None = field("Settings of cp2k_pbe_d3", default=None, later=True)
    gpaw: Gpaw | None = field("Settings of gpaw_pbe_d3", default=None, later=True)
    vasp: Vasp | None = field("Settings of vasp_pbe", default=None, later=True)
    files: Files | None = field("Files of labelled frames (files)", default=None, later=True)
    dispersion: Literal["none", "d3", "d3bj"] | None = field(
        "Dispersion of the PBE engines, the same in all of them: none, D3 with zero damping (d3) or "
        "with Becke and Johnson's (d3bj)",
        default=None,
        later=True,
    )
    three_body: bool = field(
        "Whether D3 includes the three-body (Axilrod-Teller-Muto) term",
        default=True,
        later=True,
    )
    stress: bool = field("Whether labels carry the stress", default=True, later=True)
    e0: Literal["isolated", "regression", "none"] | None = field(
        "Energies of the elements that models start from: isolated (single atoms by the same "
        "settings, kept as they are), regression (least squares over the training frames), none "
        "(zero); null: as model.shifts says",
        default=None,
        later=True,
    )
    atom_box: float = field(
        "Edge of the cubic box of an isolated atom",
        unit="Å",
        ge=5,
        le=100,
        default=30.0,
        later=True,
    )
    retries: tuple[Rung, ...] = field(
        "What to try, one after the other, when a label does not converge; no part of any key",
        default=(),
        max_length=10,
        later=True,
    )

    @model_validator(mode="after")
    def _fits_the_engine(self) -> Self:
        check_own(self, "dft", "engine", _OF_ENGINE)
        self._check_dispersion()
        if self.e0 == "isolated" and self.engine in ("opls", "files"):
            raise SpecError(
                "dft.e0",
                f"is isolated, and {self.engine} gives no energy to a single atom; set "
                "dft.e0=regression",
            )
        return self

    def _check_dispersion(self) -> None:
        of_pbe = self.engine in PBE
        if of_pbe and self.dispersion is None:
            raise SpecError(
                "dft.dispersion", f"is missing; {self.engine} needs it: none, d3 or d3bj"
            )
        if not of_pbe and self.dispersion is not None:
            raise SpecError(
                "dft.dispersion",
                f"is of {', '.join(PBE)}, and dft.engine is {self.engine}; leave it out",
            )

    def d3(self) -> D3 | None:
        """The dispersion that labels include; None without."""
        if self.dispersion is None or self.dispersion == "none":
            return None
        return D3(damping=self.dispersion, three_body=self.three_body)
