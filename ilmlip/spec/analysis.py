"""What is made of the results: the section `analysis`."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from ilmlip.record import Record, field
from ilmlip.spec.mixtures import Composition
from ilmlip.spec.outside import Outside, OutsideName
from ilmlip.spec.paper import Paper, Scan, Stated


class Findings(Record):
    """What the study must show: one training set against another, over seeds."""

    one: tuple[Composition, ...] = field("The training set with too few compositions")
    two: tuple[Composition, ...] = field("The training set with enough")
    far: Composition = field("The test composition far from both")
    near: tuple[Composition, ...] = field("The test compositions that `two` must do well on")
    ions: tuple[str, str] = field("The ions whose energy difference is undetermined by `one`")
    far_factor: float = field(
        "Least ratio of the energy MAE at `far`, one to two", gt=0, default=5.0
    )
    spread_factor: float = field(
        "Least ratio of the spread over seeds of the ions' energy difference", gt=0, default=5.0
    )
    near_factor: float = field(
        "Greatest ratio of energy MAEs of `two` over `near`", gt=1, default=5.0
    )
    force_tolerance: float = field(
        "Greatest relative difference of the force MAEs, at every composition", gt=0, default=0.3
    )


class Objective(Record):
    """One number of a point's matrix, for a sweeper that optimises: lower is better."""

    quantity: str = field("Quantity of matrix.csv, such as energy_mae, force_mae, force_mae_Li")
    training: tuple[Composition, ...] | None = field(
        "The training set; null: the mean over all", default=None
    )
    composition: Composition | None = field(
        "The test composition; null: the mean over all", default=None
    )


class Analysis(Record):
    """What is made of the evaluations."""

    findings: Findings | None = field("The findings to test; none if absent", default=None)
    objective: Objective | None = field(
        "What a sweeper such as Optuna minimises; none if absent", default=None, later=True
    )
    paper: Paper | None = field(
        "Numbers of a paper, to stand beside the study's own", default=None, later=True
    )
    tests: tuple[Stated, ...] = field(
        "What the study must show, each with where its thresholds come from", default=(), later=True
    )
    scan: Scan | None = field(
        "Numbers of a paper's sweep, and the trends that ours must show", default=None, later=True
    )
    models: dict[OutsideName, Outside] = field(
        "Models from outside by the name that they get in the matrix: files of nequip's or "
        "calculators of ASE, evaluated on the study's test sets",
        default={},
        later=True,
    )

    @model_validator(mode="after")
    def _each_is_a_model(self) -> Self:
        for name, model in self.models.items():
            model.check(f"analysis.models.{name}")
        return self
