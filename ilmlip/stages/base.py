"""What a stage is: frozen parameters and inputs in, files and values out.

A stage has never heard of Hydra, submitit or MLflow. Its module must import in milliseconds (the
plan imports it): ase, torch, matplotlib and the like are imported inside the functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ilmlip.record import Record


@dataclass(frozen=True)
class Given:
    """A finished result that a stage takes as input: its key, its folder and its values."""

    key: str
    path: Path
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Inputs:
    """The inputs of a task by role; each role holds one or several results, in a fixed order.

    `missing` names, by role, the keys that a quorum let go: they failed and are not in `roles`.
    `places` gives, for those of `roles`, where each stands among all that the role asks for.
    `how` is what the spec says of the work that changes no result, such as what to try when a label
    does not converge, or where an imported file lies; it is in no key.
    """

    roles: Mapping[str, tuple[Given, ...]]
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    places: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    how: Mapping[str, Any] = field(default_factory=dict)
    earlier: Path | None = None
    """The work folder of the last attempt, which was broken off, for a stage that can go on.
    `ilmlip.engines.attempts` finds those before it.
    """

    def one(self, role: str) -> Given:
        """The only result of `role`."""
        (given,) = self.roles[role]
        return given

    def all(self, role: str) -> tuple[Given, ...]:
        """Every result of `role`, in the order of the plan."""
        return self.roles[role]

    def placed(self, role: str) -> Iterator[tuple[int, Given]]:
        """Every result of `role` with where it stands among all that the role asks for."""
        given = self.roles.get(role, ())
        return zip(self.places.get(role, range(len(given))), given, strict=True)


@dataclass(frozen=True)
class Output:
    """What a stage leaves: names of files in the work folder to keep, small values, tool versions.

    `values` must be JSON (no NaN); they and the files' bytes make the result's digest, so nothing
    that differs from run to run (times, paths, host names) belongs there: that goes to `notes`.
    """

    files: tuple[str, ...]
    values: Mapping[str, Any] = field(default_factory=dict)
    tools: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    logs: tuple[str, ...] = ()
    """Names of logs in the work folder, which are kept with the result and are no part of it."""


@dataclass(frozen=True)
class Resources:
    """What one task of a stage takes; never part of a key."""

    cores: int = 1
    memory_gb: float = 1.0
    seconds: float = 1.0
    """A first guess of the wall time; learned from the store once there are results."""


@dataclass(frozen=True)
class Size:
    """What a task works on, as far as its plan tells; estimates of time scale with it."""

    atoms: float = 100.0
    """Of one configuration; a mean where they differ."""
    frames: float = 1.0
    """Configurations in the data set."""
    weight: float = 1.0
    """Time per atom of its model over that of a small Allegro model (r_max 4, l_max 1, 2 layers)."""


@dataclass(frozen=True)
class Stage:
    """One kind of task. Raise `version` whenever the same parameters would give other results."""

    name: str
    version: int
    params: type[Record]
    run: Callable[[Any, Inputs, Path], Output]
    """`run(params, inputs, work)`: `work` is an empty folder of the task's own; raises StageError."""
    resources: Resources = Resources()
    seconds: Callable[[Any, Size], float] | None = None
    """Wall time of a task by its parameters and size, roughly, on one core; None: always the same."""

    labels: Callable[[Any], int] | None = None
    """How many times a task calls the engine of labels; None: never."""
    law: str = ""
    """How `seconds` scales, and where that comes from; labels: `costs.LAWS` by engine."""
    goes_on: bool = False
    """Whether it can go on where an attempt at the same key was broken off (`Inputs.earlier`)."""

    def effort(self, params: Any, size: Size = Size()) -> float:
        """Seconds that a task with these parameters and this size is said to take."""
        return self.seconds(params, size) if self.seconds else self.resources.seconds
