"""Tasks of models that leave the store, and of models from outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ilmlip.plan.add import add
from ilmlip.plan.configurations import TESTING
from ilmlip.plan.frames import Frames
from ilmlip.plan.graph import Plan
from ilmlip.spec.mixtures import composition_label
from ilmlip.spec.model import Model
from ilmlip.spec.types import Spec

LEAVING = (
    ("package", "package", "model.nequip.zip"),
    ("compiled", "compile_model", "model.nequip.pt2"),
)
"""The field of section model that asks for it, the stage, and its file."""


def leaving(
    plan: Plan, asked: Model, models: Sequence[Mapping[str, Any]]
) -> dict[str, tuple[str, str]]:
    """Package and compile every network, where that is asked for.

    Outputs `package_<training>_seed<n>` and `compiled_<training>_seed<n>`.
    """
    outputs: dict[str, tuple[str, str]] = {}
    for field, stage, file in LEAVING:
        for model in models if getattr(asked, field) else ():
            if model["kind"] != "nequip":
                continue
            entry = model["entry"]
            about = {"training": entry["model"], "seed": entry["seed"], "model": model["key"]}
            needs = {"model": (model["key"],), "dataset": (model["dataset"],)}
            key = add(plan, stage, {}, needs, about=about)
            outputs[f"{field}_{entry['model']}_seed{entry['seed']}"] = (key, file)
    return outputs


def committees(
    asked: Model, models: Sequence[Mapping[str, Any]]
) -> dict[str, list[Mapping[str, Any]]]:
    """The members of each training set's committee, if there is to be one."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for model in models if asked.committee else ():
        if model["kind"] == "nequip":
            found.setdefault(model["entry"]["model"], []).append(model)
    return {name: members[: asked.committee] for name, members in found.items()}


def check_fine_tune(model: Model, elements: Sequence[str]) -> None:
    """Raise SpecError if trainings cannot start from the package that the spec names."""
    if model.fine_tune is None or not model.seeds:
        return
    from ilmlip.engines import nequip_start  # few studies need it, and it takes its time

    given = model.fine_tune
    nequip_start.check(model.training(0), given.package, given.sha256, elements)


def outside_evaluations(
    plan: Plan, spec: Spec, frames: Frames
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Evaluate each model from outside on each test set: key, and entry of the matrix.

    A file's path is in no key; its digest is.
    """
    for name, model in spec.analysis.models.items():
        how = {"path": model.package} if model.package else {}
        for x in spec.compositions.fractions:
            where = composition_label(x)
            key = add(
                plan,
                "evaluate",
                {"kind": "outside", "outside": model.identified()},
                {"dataset": (frames.dataset((x,), TESTING),)},
                about={"kind": "outside", "name": name, "composition": where},
                how=how,
            )
            yield key, {"model": name, "kind": "outside", "seed": None, "composition": where}
