"""Where a study's store is, and what to say where there is none."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

from ilmlip.commands.common import study_of
from ilmlip.errors import SpecError
from ilmlip.plan.graph import Plan
from ilmlip.spec.study import Study
from ilmlip.spec.words import split
from ilmlip.store import Store

DEFAULT = "store"
RULE = (
    "nothing has run there. A relative store=PATH, and the default `store`, is in the folder where "
    "ilmlip is started: change to the folder in which the study ran, or give store=PATH"
)


def study_in_store(
    options: Namespace, words: Sequence[str] | None = None
) -> tuple[Study, Plan, Store]:
    """The study that a command line names, its plan and its store, which must exist.

    Raises SpecError where there is no store.
    """
    named = options.words if words is None else words
    study, plan, store = study_of(options, named)
    must_exist(store, named)
    return study, plan, store


def default_store() -> Store:
    """The folder `store` here, for commands without a SPEC. Raises SpecError if it is no store."""
    store = Store(Path(DEFAULT))
    must_exist(store)
    return store


def must_exist(store: Store, words: Sequence[str] = ()) -> None:
    """Raise SpecError unless the store exists; the message names one nearby, if there is one."""
    if (store.root / "results").is_dir():
        return
    near = next(_nearby(store.root, words), None)
    hint = f" (there is one at {near})" if near else ""
    raise SpecError(f"no store at {store.root}", f"{RULE}{hint}")


def _nearby(root: Path, words: Sequence[str]) -> Iterator[Path]:
    """Stores of the same name: beside the spec, and above it and this folder."""
    here = Path.cwd()
    if not root.is_relative_to(here):
        return
    name = root.relative_to(here)
    file = split(words)[0] if words else None
    for folder in (*(file.parents if file else ()), *here.parents):
        if (folder / name / "results").is_dir():
            yield folder / name
