"""Models from outside, evaluated beside the study's own: the spec's `analysis.models`."""

from __future__ import annotations

import json
import re
import zipfile
from functools import lru_cache
from importlib.util import find_spec
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field

from ilmlip.errors import SpecError
from ilmlip.record import Record, field

PACKAGED, COMPILED = ".nequip.zip", ".nequip.pt2"
CalculatorName = Literal["emt", "lj", "gfn1_xtb", "gfn2_xtb", "chgnet"]
"""The registry of calculators; engines/outside.py makes each. A spec names no other code."""
PARAMETERS: dict[str, tuple[str, ...]] = {
    "emt": (),
    "lj": ("sigma", "epsilon", "rc", "smooth"),
    "gfn1_xtb": ("accuracy", "electronic_temperature"),
    "gfn2_xtb": ("accuracy", "electronic_temperature"),
    "chgnet": (),
}
"""What each takes, by ASE's names and in ASE's units (Å, eV; tblite: K)."""
EXTRAS = {"chgnet": "chgnet"}
"""The Python package of a calculator that does not come with ilmlip."""
OutsideName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
MOST = 1_000_000
"""Bytes of a file's description of itself that are read."""


class Calculator(Record):
    """A calculator of ASE by name, or a file by what it holds: all that the numbers depend on."""

    calculator: CalculatorName | None = field(
        "Calculator by name: emt and lj (ASE), gfn1_xtb and gfn2_xtb (tblite), chgnet",
        default=None,
    )
    parameters: dict[str, bool | int | float] = field(
        "Its parameters by ASE's names, such as {sigma: 3.4, epsilon: 0.01, rc: 10} for lj",
        default={},
    )
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = field(
        "SHA-256 of the file; empty: whatever it holds (`freeze` writes it)", default=""
    )


class Outside(Calculator):
    """A model from outside: a file of nequip's, or a calculator of ASE."""

    package: Annotated[str, Field(max_length=1000)] | None = field(
        "A packaged model (.nequip.zip) or one compiled for ASE (.nequip.pt2), relative to the "
        "spec's folder. To evaluate it runs the code that lies in it",
        default=None,
    )

    def check(self, where: str) -> None:
        """Raise SpecError, naming `where`, for what is not one model with parameters of its own."""
        if (self.package is None) == (self.calculator is None):
            raise SpecError(where, "give either a package or a calculator")
        if self.package is not None and not self.package.endswith((PACKAGED, COMPILED)):
            raise SpecError(
                f"{where}.package",
                f"{self.package} is neither a {PACKAGED} nor a {COMPILED} file, which "
                "nequip-package and nequip-compile make",
            )
        if self.calculator is not None and self.sha256:
            raise SpecError(f"{where}.sha256", "is of a file, and a calculator has none")
        known = PARAMETERS[self.calculator] if self.calculator else ()
        for name in self.parameters:
            if name not in known:
                raise SpecError(
                    f"{where}.parameters.{name}",
                    f"is no parameter of {self.calculator or 'a package'}; it takes "
                    f"{', '.join(known) or 'none'}",
                )

    def identified(self) -> Calculator:
        """Only what the numbers depend on: no path."""
        return Calculator(**{name: getattr(self, name) for name in Calculator.model_fields})


def lacks_calculator(name: str) -> str:
    """What to install for a calculator; empty if it is there."""
    package = EXTRAS.get(name)
    if package is None or find_spec(package) is not None:
        return ""
    return f"{name} is not installed; pip install {package}"


@lru_cache(maxsize=64)
def elements_of_file(path: str, _sha256: str) -> tuple[str, ...]:
    """The elements that a packaged or compiled model knows, by what its file says of itself.

    Nothing in the file is run. Raises ValueError for one that is not of nequip's.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = _packaged(archive) if path.endswith(PACKAGED) else _compiled(archive)
    except (OSError, zipfile.BadZipFile, zipfile.LargeZipFile, RuntimeError) as error:
        raise ValueError(f"is no zip file ({error})") from None
    if not found or not all(re.fullmatch(r"[A-Z][a-z]?", name) for name in found):
        raise ValueError("does not say which elements it knows")
    return found


def _packaged(archive: zipfile.ZipFile) -> tuple[str, ...]:
    data = _described(archive, "/model/package_metadata.txt", yaml.safe_load)
    types = data.get("atom_types") if isinstance(data, dict) else None
    return tuple(map(str, types.values())) if isinstance(types, dict) else ()


def _compiled(archive: zipfile.ZipFile) -> tuple[str, ...]:
    data = _described(archive, ".wrapper_metadata.json", json.loads)
    return tuple(str(data.get("type_names", "")).split()) if isinstance(data, dict) else ()


def _described(archive: zipfile.ZipFile, ending: str, read: Any) -> Any:
    """The one member of a file that describes it."""
    members = [info for info in archive.infolist() if info.filename.endswith(ending)]
    if len(members) != 1 or members[0].file_size > MOST:
        raise ValueError(f"is not a model of nequip's: it has no {ending.strip('/.')}")
    try:
        return read(archive.read(members[0]).decode())
    except (ValueError, yaml.YAMLError, RecursionError):
        raise ValueError(f"is damaged: {ending.strip('/.')} cannot be read") from None
