"""What a plan would take with the cores that its cluster section gives."""

from __future__ import annotations

from collections.abc import Mapping

from ilmlip.execute.slots import Slots, needs
from ilmlip.plan.cost import Cost, cost
from ilmlip.plan.graph import Plan, State
from ilmlip.spec.cluster import Cluster
from ilmlip.store import Store


def forecast(plan: Plan, found: Mapping[str, State], store: Store, cluster: Cluster) -> Cost:
    """Cost of the tasks that are not cached, with the wall time on the cores at hand."""
    names = dict.fromkeys(task.stage for task in plan)
    cores = {name: needs(cluster, name).cores for name in names}
    return cost(plan, found, store, cores, cores_at_hand(cluster))


def cores_at_hand(cluster: Cluster) -> int:
    """Cores that a run uses at once; 0 on Slurm, where nobody knows what is free."""
    if cluster.executor == "slurm":
        return 0
    return 1 if cluster.executor == "debug" else Slots.of(cluster).cores
