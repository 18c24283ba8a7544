"""A task and its key: what identifies a piece of work, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ilmlip.hashing import digest, identity
from ilmlip.record import Record

SCHEME = "k1"
"""The version of the key scheme; it stands in every key. Another scheme gives other keys."""
HEX = 24
"""Hex digits of the hash in a key: 96 bits, enough for any number of tasks."""


@dataclass(frozen=True)
class Task:
    """One stage with its parameters and inputs.

    The key is made of stage, stage version, parameters and input keys. `quorum`, `about` and `how`
    are not in it: `quorum` says which fraction of a role's inputs is enough (default: all of them),
    `about` says what the task is for people and MLflow, `how` (plain data) is handed to the stage.
    """

    stage: str
    version: int
    params: Record
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Keys of the inputs, by role."""
    quorum: Mapping[str, float] = field(default_factory=dict)
    about: Mapping[str, str | int | float] = field(default_factory=dict)
    how: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def key(self) -> str:
        """`<stage>-k1-<24 hex digits>`."""
        made_of = {
            "stage": self.stage,
            "version": self.version,
            "params": identity(self.params),
            "needs": dict(self.needs),
        }
        return f"{self.stage}-{SCHEME}-{digest(f'ilmlip.task.{SCHEME}', made_of)[:HEX]}"

    def inputs(self) -> Iterable[str]:
        """Keys of all inputs, role by role."""
        for keys in self.needs.values():
            yield from keys
