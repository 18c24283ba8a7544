"""Private attributes of other packages that ilmlip touches: all of them, in one table.

A private attribute may vanish or change its meaning in any release. Each is checked by `need` before
it is used, so that a release without it ends in an error that names it, not in wrong physics. Tests
hold the table against the source (every access must be in it) and try what each attribute means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ilmlip.errors import StageError


@dataclass(frozen=True)
class Private:
    """Attributes of one class (or a module that is private itself)."""

    owner: str
    """Dotted name of the class."""
    names: tuple[str, ...]
    why: str
    """What they are to ilmlip."""


MOVED = ("_q", "_p")
CELL = ("_eps", "_p_eps", "_volume0", "_cell0")
CHAIN = ("_Q", "_eta", "_p_eta")
BAROSTAT_CHAIN = ("_R", "_xi", "_p_xi")

PRIVATE = (
    Private(
        "ase.md.nose_hoover_chain.NoseHooverChainNVT",
        ("_thermostat", *MOVED),
        "the thermostat and the positions and momenta that a restart sets",
    ),
    Private(
        "ase.md.nose_hoover_chain.NoseHooverChainThermostat",
        ("_num_atoms_global", *CHAIN),
        "the degrees of freedom that it counts, and its state for a restart",
    ),
    Private(
        "ase.md.nose_hoover_chain.IsotropicMTKNPT",
        ("_thermostat", "_barostat", "_pressure_au", "_num_atoms_global", *MOVED, *CELL),
        "the pressure (eV/Å³) of a ladder, the degrees of freedom, and the state for a restart",
    ),
    Private(
        "ase.md.nose_hoover_chain.IsotropicMTKBarostat",
        BAROSTAT_CHAIN,
        "its state for a restart",
    ),
    Private("ase.calculators.cp2k.CP2K", ("_shell",), "the CP2K process, to end one that hangs"),
    Private(
        "ase.calculators.cp2k.Cp2kShell", ("_child",), "the CP2K process, to end one that hangs"
    ),
    Private(
        "hydra.core.override_parser.types.Override",
        ("_value", "_convert_value", "_get_value_element_as_str"),
        "the values of an override, as data and as text",
    ),
    Private("hydra._internal.callbacks.Callbacks", (), "what a sweeper's context must hold"),
    Private(
        "omegaconf.basecontainer.BaseContainer",
        ("_resolvers",),
        "the resolvers, which are taken away while a spec is read",
    ),
    Private(
        "nequip.integrations.ase.NequIPCalculator",
        ("_from_saved_model",),
        "opens a packaged model",
    ),
    Private(
        "lightning.pytorch.loops.training_epoch_loop._TrainingEpochLoop",
        ("_batches_that_stepped",),
        "a number in a checkpoint that Lightning raises when a training goes on",
    ),
)


def need(owner: Any, *names: str) -> None:
    """Check that an object or class of another package has its private attributes.

    Raises StageError, which names package, class and attribute, and what to do.
    """
    kind = owner if isinstance(owner, type) else type(owner)
    for name in names:
        if not hasattr(owner, name):
            raise changed(kind, f"has no attribute {name}")


def changed(kind: type, what: str) -> StageError:
    """The error for a class that is not as ilmlip knows it."""
    return StageError(
        f"{kind.__module__}.{kind.__qualname__} {what}: the installed "
        f"{kind.__module__.partition('.')[0]} is not as this version of ilmlip needs it; install the "
        "version that ilmlip's constraints.txt names, or a newer ilmlip"
    )
