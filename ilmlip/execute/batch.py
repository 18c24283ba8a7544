"""From tasks to Slurm's jobs: packs of like tasks in arrays, and what each array waits for.

The tasks of one stage that stand at the same depth of the plan become arrays. Those that wait for the
same jobs share one, as long as there are few; else an array waits for the whole arrays that its
inputs come from. A job that every task behind it needs must have succeeded (`afterok`); any other must
only have ended (`afterany`), and the tasks look at their inputs when they start.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ilmlip.plan.graph import Plan
from ilmlip.plan.task import Task
from ilmlip.spec.cluster import Cluster

FEW = 40
"""Most arrays that the tasks of a stage at one depth are told apart by what they wait for."""
NAMED = 20
"""Most single jobs that an array waits for by name."""

Kind = Literal["afterok", "afterany"]


@dataclass(frozen=True)
class Place:
    """A job of a batch: an element of an array, or (element None) the whole array."""

    array: int
    element: int | None


@dataclass(frozen=True)
class Wait:
    """What an array waits for: a place in the same batch, or the id of a job that was there before."""

    kind: Kind
    on: Place | str


@dataclass(frozen=True)
class Pack:
    """The tasks of one job, done one after the other."""

    tasks: tuple[Task, ...]
    minutes: int
    """Time limit."""


@dataclass(frozen=True)
class Array:
    """Like jobs that wait for the same."""

    stage: str
    packs: tuple[Pack, ...]
    waits: tuple[Wait, ...]


def wanted(plan: Plan, missing: Iterable[str]) -> list[Task]:
    """The missing tasks and all that come after them, in the order of the plan.

    What comes after may have a result already; its job sees whether that is still current.
    """
    found = set(missing)
    for task in plan:
        if any(key in found for key in task.inputs()):
            found.add(task.key)
    return [task for task in plan if task.key in found]


def arrays(
    tasks: Sequence[Task],
    queued: Mapping[str, str],
    seconds: Mapping[str, float],
    cluster: Cluster,
    room: int,
) -> list[Array]:
    """The arrays of a batch, each behind those that it waits for; at most `room` jobs.

    `queued` names the job of each input that waits or runs already; `seconds` is how long each task
    should take. Where the tasks make more jobs than there is room for, jobs get larger, up to the
    longest time limit; what then is still over is left out, the last of the plan first.
    """
    longest = 60 * cluster.slurm.longest_minutes / cluster.slurm.slack
    aim = cluster.pack_seconds
    while True:
        made = _Batch(tasks, queued, seconds, cluster, aim).arrays
        if sum(len(array.packs) for array in made) <= room or aim >= longest:
            return list(_fitting(made, room))
        aim *= 2


def _fitting(made: Sequence[Array], room: int) -> Iterator[Array]:
    for array in made:
        if room < 1:
            return
        packs = array.packs[:room]
        yield Array(array.stage, packs, array.waits)
        if len(packs) < len(array.packs):
            return
        room -= len(packs)


def minutes(cluster: Cluster, name: str, seconds: float) -> int:
    """The time limit of a job of a stage that should take so long."""
    said = next((limits.minutes for key, limits in cluster.stages.items() if key == name), None)
    if said is not None:
        return said
    slurm = cluster.slurm
    guess = math.ceil(slurm.slack * seconds / 60)
    return min(max(guess, min(slurm.least_minutes, slurm.longest_minutes)), slurm.longest_minutes)


class _Batch:
    """Makes arrays level by level, so that the jobs of all inputs are known."""

    def __init__(
        self,
        tasks: Sequence[Task],
        queued: Mapping[str, str],
        seconds: Mapping[str, float],
        cluster: Cluster,
        aim: float,
    ) -> None:
        self.queued, self.seconds, self.cluster, self.aim = queued, seconds, cluster, aim
        self.arrays: list[Array] = []
        self._place: dict[str, Place] = {}
        self._bit = {task.key: 1 << i for i, task in enumerate(tasks)}
        self._sure = _sure(tasks, self._bit)
        for level in _levels(tasks):
            for name in dict.fromkeys(task.stage for task in level):
                self._add_stage(name, [task for task in level if task.stage == name])

    def _add_stage(self, name: str, tasks: Sequence[Task]) -> None:
        groups: dict[frozenset[Place | str], list[Task]] = defaultdict(list)
        for task in tasks:
            groups[self._inputs(task)].append(task)
        if len(groups) > FEW or any(len(places) > NAMED for places in groups):
            merged: dict[frozenset[Place | str], list[Task]] = defaultdict(list)
            for places, members in groups.items():
                merged[frozenset(_whole(place) for place in places)] += members
            groups = merged
        for places, members in groups.items():
            packs = list(self._packs(name, members))
            for start in range(0, len(packs), self.cluster.slurm.max_array):
                self._add(name, packs[start : start + self.cluster.slurm.max_array], places)

    def _inputs(self, task: Task) -> frozenset[Place | str]:
        """The jobs that a task waits for."""
        found: set[Place | str] = set()
        for key in task.inputs():
            if key in self._place:
                found.add(self._place[key])
            elif key in self.queued:
                found.add(self.queued[key])
        return frozenset(found)

    def _packs(self, name: str, tasks: Sequence[Task]) -> Iterator[Pack]:
        """Jobs of about the aimed time; tasks that share their first input come together."""
        ordered = sorted(tasks, key=lambda task: next(iter(task.inputs()), ""))
        pack: list[Task] = []
        time = 0.0
        for task in ordered:
            if pack and time + self.seconds[task.key] > self.aim:
                yield Pack(tuple(pack), minutes(self.cluster, name, time))
                pack, time = [], 0.0
            pack.append(task)
            time += self.seconds[task.key]
        if pack:
            yield Pack(tuple(pack), minutes(self.cluster, name, time))

    def _add(self, name: str, packs: Sequence[Pack], places: Iterable[Place | str]) -> None:
        number = len(self.arrays)
        sure = -1
        for pack in packs:
            for task in pack.tasks:
                sure &= self._sure[task.key]
        waits = [Wait(self._kind(place, sure), place) for place in sorted(places, key=str)]
        self.arrays.append(Array(name, tuple(packs), tuple(waits)))
        for element, pack in enumerate(packs):
            for task in pack.tasks:
                self._place[task.key] = Place(number, element)

    def _kind(self, place: Place | str, sure: int) -> Kind:
        """`afterok` if all behind needs every task of a place; of jobs of others that is not known."""
        if isinstance(place, str):
            return "afterany"
        packs = self.arrays[place.array].packs
        chosen = packs if place.element is None else [packs[place.element]]
        held = [task.key for pack in chosen for task in pack.tasks]
        return "afterok" if all(self._bit[key] & sure for key in held) else "afterany"


def _whole(place: Place | str) -> Place | str:
    return Place(place.array, None) if isinstance(place, Place) else place


def _levels(tasks: Sequence[Task]) -> list[list[Task]]:
    """Tasks by how many others stand before them in the longest chain."""
    depth: dict[str, int] = {}
    levels: list[list[Task]] = []
    for task in tasks:
        level = max((depth[key] + 1 for key in task.inputs() if key in depth), default=0)
        depth[task.key] = level
        if level == len(levels):
            levels.append([])
        levels[level].append(task)
    return levels


def _sure(tasks: Sequence[Task], bit: Mapping[str, int]) -> dict[str, int]:
    """For each task the set (as bits) of those without which it can't run: no quorum lets them go."""
    found: dict[str, int] = {}
    for task in tasks:
        mask = 0
        for role, keys in task.needs.items():
            if task.quorum.get(role, 1.0) >= 1.0:
                for key in keys:
                    mask |= bit.get(key, 0) | found.get(key, 0)
        found[task.key] = mask
    return found
