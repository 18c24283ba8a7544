"""What every stage that labels shares: the engine and its settings, and tries one after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pydantic import model_validator

from ilmlip.chemistry.boxes import read_one
from ilmlip.chemistry.forcefield import ForceField
from ilmlip.engines.labelling import MODULES, NotConvergedError, Session, open_session
from ilmlip.errors import StageError
from ilmlip.grammar import counted
from ilmlip.record import Record, field
from ilmlip.spec.dft import D3, Cp2k, Gpaw, Opls, Qe, Rung, Vasp, Xtb
from ilmlip.stages.base import Inputs
from ilmlip.stages.costs import LAWS, kpoints_of
from ilmlip.stages.forcefield import read_forcefield

if TYPE_CHECKING:
    from ase import Atoms

    from ilmlip.engines.labelling import Labelled

T = TypeVar("T")


class Labelling(Record):
    """By which engine, with which settings."""

    opls: Opls | None = field("The force field as engine", default=None)
    xtb: Xtb | None = field("GFN1-xTB as engine", default=None, later=True)
    qe: Qe | None = field("pw.x as engine", default=None, later=True)
    cp2k: Cp2k | None = field("CP2K as engine", default=None, later=True)
    gpaw: Gpaw | None = field("GPAW as engine", default=None, later=True)
    vasp: Vasp | None = field("VASP as engine", default=None, later=True)
    dispersion: D3 | None = field("Dispersion that labels include", default=None, later=True)
    stress: bool = field("Whether the label carries the stress", default=True, later=True)

    @model_validator(mode="after")
    def _one_engine(self) -> Self:
        if sum(getattr(self, name) is not None for name in MODULES) != 1:
            raise ValueError(f"give exactly one of {', '.join(MODULES)}")
        return self

    def engine(self) -> str:
        """The name of the engine's settings."""
        return next(name for name in MODULES if getattr(self, name) is not None)

    def seconds(self, atoms: float) -> float:
        """Wall time of one label of so many atoms, roughly, on one core."""
        name = self.engine()
        return LAWS[name].of(atoms, kpoints_of(getattr(self, name)))

    def open(self, inputs: Inputs, work: Path) -> Session:
        """The engine at work; opls takes role `forcefield`."""
        field_: ForceField | None = None
        if self.opls is not None:
            field_ = read_forcefield(inputs.one("forcefield"))
        settings = getattr(self, self.engine())
        return open_session(self.engine(), settings, work, field_, self.dispersion)

    def quantities(self, found: Labelled) -> dict[str, Any]:
        """What a label keeps, by ASE's names. Raises StageError if it lacks a stress it needs."""
        kept: dict[str, Any] = {"energy": found.energy, "forces": found.forces}
        if self.stress:
            if found.stress is None:
                raise StageError(
                    f"{self.engine()} gave no stress; set dft.stress=false to do without"
                )
            kept["stress"] = found.stress
        return kept


def frame_of(inputs: Inputs, number: int) -> Atoms:
    """A frame of role `trajectory`. Raises StageError past its end."""
    try:
        return read_one(inputs.one("trajectory").path / "trajectory.extxyz", number)
    except IndexError:
        raise StageError(f"the trajectory has no frame {number}") from None


def ladder(inputs: Inputs) -> tuple[Rung, ...]:
    """What to try after a label that did not converge, as the spec's dft.retries states."""
    return tuple(Rung.model_validate(rung) for rung in inputs.how.get("retries", ()))


def tried(
    attempt: Callable[[Rung | None], T], rungs: Sequence[Rung]
) -> tuple[T, list[dict[str, Any]]]:
    """The first attempt that converges, and how those before it failed, for the result's notes.

    Raises NotConvergedError of the last one, naming how many there were.
    """
    failed: list[dict[str, Any]] = []
    for rung in (None, *rungs):
        shown = rung.model_dump(exclude_none=True) if rung is not None else {}
        try:
            found = attempt(rung)
        except NotConvergedError as error:
            failed.append({"changed": shown, "reason": error.reason})
            last = error
        else:
            return found, [*failed, {"changed": shown, "reason": ""}]
    raise NotConvergedError(
        f"{last.reason} (after {counted(len(failed), 'try')})" if rungs else last.reason,
        command=last.command,
        log=last.log,
    )
