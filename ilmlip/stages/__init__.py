"""The stages, one module each, and the closed registry from a stage's name to its module."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from ilmlip.stages.base import Stage

NAMES = (
    "forcefield",
    "crystal",
    "build",
    "equilibrate",
    "sample",
    "label",
    "series",
    "atom",
    "imported",
    "dataset",
    "dataset_report",
    "series_report",
    "train",
    "package",
    "compile_model",
    "fit_linear",
    "evaluate",
    "committee",
    "matrix",
    "ion_energies",
    "parity",
    "start",
    "md",
    "lammps_files",
    "md_report",
    "observe",
    "observe_report",
    "compressibility",
    "md_frames",
    "validate",
    "trust",
    "explore",
    "choose",
    "label_chosen",
    "active_report",
    "findings",
    "paper",
    "scan",
    "probe",
)
"""Every stage, in the order in which data passes them."""


@cache
def stage(name: str) -> Stage:
    """The stage of that name. Raises KeyError for a name that is not in NAMES."""
    if name not in NAMES:
        raise KeyError(f"no stage {name!r}; there are {', '.join(NAMES)}")
    found: Stage = import_module(f"ilmlip.stages.{name}").STAGE
    return found
