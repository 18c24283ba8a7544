"""How long a plan takes on so many cores: its tasks started in order, as cores become free."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from ilmlip.plan.graph import Plan


def wall_seconds(
    plan: Plan, seconds: Mapping[str, float], cores: Mapping[str, int], at_once: int
) -> float:
    """Wall time (s) of the tasks in `seconds` (s, by key) on `at_once` cores.

    `cores`: of one task, by stage (1 where it says nothing; a task takes at most all cores). A task
    starts as soon as its inputs are done and enough cores are free, in the order of the plan. Starting
    a job costs nothing here, and memory is not looked at.
    """
    order = {key: index for index, key in enumerate(key for key in plan.tasks if key in seconds)}
    waits = {key: {k for k in plan.tasks[key].inputs() if k in order} for key in order}
    wanted: dict[str, list[str]] = {}
    for key, inputs in waits.items():
        for one in inputs:
            wanted.setdefault(one, []).append(key)
    ready = [(order[key], key) for key, inputs in waits.items() if not inputs]
    heapq.heapify(ready)
    running: list[tuple[float, str, int]] = []
    now, free = 0.0, at_once
    while ready or running:
        while ready and (need := min(cores.get(plan.tasks[ready[0][1]].stage, 1), at_once)) <= free:
            _, key = heapq.heappop(ready)
            heapq.heappush(running, (now + seconds[key], key, need))
            free -= need
        now, ended, held = heapq.heappop(running)
        free += held
        for key in wanted.get(ended, ()):
            waits[key].discard(ended)
            if not waits[key]:
                heapq.heappush(ready, (order[key], key))
    return now
