"""Tasks of models that leave the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ilmlip.plan.frames import add
from ilmlip.plan.graph import Plan
from ilmlip.spec.model import Model

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
