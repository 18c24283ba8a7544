"""Tasks that this machine cannot do and nobody waits for: left out of a run, with a word."""

from __future__ import annotations

from ilmlip.engines.nequip_package import lacks_compiler
from ilmlip.plan.graph import Plan
from ilmlip.spec.cluster import Cluster
from ilmlip.store import Store

HERE = ("local", "debug")
"""Executors whose jobs run on this machine."""


def possible(plan: Plan, cluster: Cluster, store: Store) -> tuple[Plan, list[str]]:
    """The plan without what cannot be compiled here, and what to tell of that.

    Keys and plans are the same on every machine; only what a run takes of them differs.
    """
    lacks = lacks_compiler() if cluster.executor in HERE else ""
    there = store.keys("results") if lacks else set()
    out = {t.key for t in plan if lacks and t.stage == "compile_model" and t.key not in there}
    if not out:
        return plan, []
    left = Plan(plan.study, {key: task for key, task in plan.tasks.items() if key not in out})
    left.outputs = [
        {name: place for name, place in outputs.items() if place[0] not in out}
        for outputs in plan.outputs
    ]
    models = "1 model is" if len(out) == 1 else f"{len(out)} models are"
    return left, [f"{models} not compiled (model.compiled): {lacks}"]
