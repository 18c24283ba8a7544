"""Stage `atom`: the energy of a single atom by the settings of the labels."""

from __future__ import annotations

from pathlib import Path

from ilmlip.record import field
from ilmlip.stages.base import Inputs, Output, Resources, Size, Stage
from ilmlip.stages.labelling import Labelling, ladder, tried


class Params(Labelling):
    """Which atom, in which box, by which engine."""

    element: str = field("Element")
    box: float = field("Edge of the cubic box", unit="Å", gt=0)


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """values: `element`, `energy` (eV), in the ground state's multiplicity."""
    with params.open(inputs, work) as session:
        energy, tries = tried(
            lambda rung: session.atom(params.element, params.box, rung), ladder(inputs)
        )
        kept, tools = session.files(), session.tools()
    values = {"element": params.element, "energy": energy}
    return Output(kept, values, tools, {"tries": tries})


LARGE = 8.0
"""Atoms of a liquid that a plane-wave engine takes as long for as for one in a large box; a guess."""


def seconds(params: Params, size: Size) -> float:
    """As a liquid of LARGE atoms."""
    return params.seconds(LARGE * size.atoms)


STAGE = Stage("atom", 1, Params, run, Resources(memory_gb=1.0, seconds=10), seconds, lambda _: 1)
