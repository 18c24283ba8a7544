"""Care of a store: what is damaged in it, what fills it, and what nobody needs any more."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from ilmlip.execute.claims import Claims
from ilmlip.execute.sound import Sound
from ilmlip.plan.graph import present_keys
from ilmlip.store import Store, stage_of


@dataclass(frozen=True)
class Damage:
    """A result that is not what its manifest says."""

    key: str
    what: str


@dataclass(frozen=True)
class Room:
    """What some folders of a store take."""

    kind: str
    """results, failed, work, jobs, tracking, studies or claims."""
    stage: str
    """Of results and failures; empty for the others."""
    folders: int
    bytes: int


@dataclass(frozen=True)
class Waste:
    """A folder that no kept study reaches."""

    path: Path
    why: str
    bytes: int


def damages(store: Store, keys: Collection[str] | None = None) -> Iterator[Damage]:
    """Every result of the store (or of `keys`) whose files or values differ from its manifest."""
    sound = Sound(store)
    for key in sorted(store.keys() if keys is None else keys):
        if what := sound.damage(key):
            yield Damage(key, what)


def remove(store: Store, key: str) -> None:
    """Take a result out of the store, so that the next run computes it again."""
    shutil.rmtree(store.folder(key), ignore_errors=True)


def rooms(store: Store) -> list[Room]:
    """What the store's folders take, by kind and stage, the largest first."""
    found: dict[tuple[str, str], list[int]] = {}
    for kind in sorted(p.name for p in store.root.iterdir() if p.is_dir()):
        for folder in sorted((store.root / kind).iterdir()):
            stages = kind in ("results", "failed") and folder.is_dir()
            stage = folder.name if stages else ""
            own = found.setdefault((kind, stage), [0, 0])
            own[0] += sum(1 for _ in folder.iterdir()) if stages else 1
            own[1] += size(folder)
    listed = [Room(kind, stage, *own) for (kind, stage), own in found.items()]
    return sorted(listed, key=lambda room: -room.bytes)


def size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder, each hard link once."""
    if not path.is_dir():
        return path.lstat().st_size
    seen: dict[tuple[int, int], int] = {}
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                about = (Path(folder) / name).lstat()
            except FileNotFoundError:  # a task that runs has just moved it
                continue
            seen[about.st_dev, about.st_ino] = about.st_size
    return sum(seen.values())


def waste(store: Store, kept: Collection[str]) -> Iterator[Waste]:
    """Results and failures of other keys than `kept`, and what dead attempts and writers left.

    Nothing that a living process has claimed.
    """
    alive, there = Claims(store.root).alive(), present_keys(store)
    for kind in ("results", "failed"):
        for stage in sorted((store.root / kind).iterdir()):
            for folder in sorted(stage.iterdir()):
                key = folder.name
                if key.startswith("."):
                    if not any(one in key for one in alive):
                        yield Waste(folder, "left by a writer that died", size(folder))
                elif key not in kept and key not in alive:
                    yield Waste(folder, "no kept study needs it", size(folder))
    for folder in sorted((store.root / "work").iterdir()):
        key = folder.name.rpartition(".")[0]
        if key not in alive and (key not in kept or key in there):
            yield Waste(folder, "left by an attempt that died", size(folder))


def key_of(folder: Path) -> str:
    """The key that a result's, a failure's or a work folder is of, or was to become."""
    return folder.name.lstrip(".").removeprefix("old.").partition(".")[0]


def stage_counts(found: Collection[Waste]) -> dict[str, tuple[int, int]]:
    """Folders and bytes by stage."""
    counts: dict[str, tuple[int, int]] = {}
    for one in found:
        stage = stage_of(key_of(one.path))
        folders, held = counts.get(stage, (0, 0))
        counts[stage] = folders + 1, held + one.bytes
    return counts
