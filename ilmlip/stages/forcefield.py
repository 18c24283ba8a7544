"""Stage `forcefield`: the ions' data become one table of scaled terms that the engines read."""

from __future__ import annotations

import json
from pathlib import Path

from ilmlip.chemistry.forcefield import ForceField, exact_sum, scaled_forcefield
from ilmlip.chemistry.ion import IonData
from ilmlip.record import Record, field
from ilmlip.stages.base import Given, Inputs, Output, Resources, Stage

FILE = "forcefield.json"


class Params(Record):
    """The ions and the factor on their charges."""

    ions: dict[str, IonData] = field("Data of each ion")
    charge_scale: float = field("Factor on all charges", gt=0, le=1)


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Scale the charges and enumerate every term; writes forcefield.json."""
    made = scaled_forcefield(params.ions, params.charge_scale)
    (work / FILE).write_text(
        json.dumps(made.model_dump(mode="json"), indent=1) + "\n", encoding="utf-8"
    )
    charges = {name: float(exact_sum(terms.charges)) for name, terms in made.ions.items()}
    return Output((FILE,), {"charges": charges})


def read_forcefield(given: Given) -> ForceField:
    """The force field of a result of this stage."""
    return ForceField.model_validate_json((given.path / FILE).read_text(encoding="utf-8"))


STAGE = Stage("forcefield", 1, Params, run, Resources(memory_gb=0.3, seconds=0.05))
