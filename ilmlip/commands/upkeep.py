"""`ilmlip fsck`, `du` and `gc`: care of a store."""

from __future__ import annotations

import shutil
from argparse import Namespace
from pathlib import Path

from ilmlip.commands import FAILED, OK
from ilmlip.commands.common import answer, print_table, say, study_of
from ilmlip.errors import SpecError
from ilmlip.execute import upkeep
from ilmlip.store import Store


def fsck(options: Namespace) -> int:
    """Compare results with their manifests; with --remove take damaged ones out."""
    store, keys = _store(options)
    looked = len(store.keys() if keys is None else keys & store.keys())
    found = list(upkeep.damages(store, keys))
    if options.remove:
        for one in found:
            upkeep.remove(store, one.key)
    if options.json:
        answer(
            {
                "store": str(store.root),
                "damaged": [{"key": one.key, "what": one.what} for one in found],
                "removed": bool(options.remove and found),
            }
        )
    else:
        for one in found:
            print(f"{one.key}: {one.what}")
        done = "; they are removed, and `run` makes them again" if options.remove and found else ""
        print(f"{store.root}: {len(found)} of {looked} results are damaged{done}")
    if found and not options.remove:
        say("damaged results are what later stages would read; fsck --remove takes them out")
    return OK if options.remove or not found else FAILED


def du(options: Namespace) -> int:
    """What fills a store."""
    store, _ = _store(options)
    found = upkeep.rooms(store)
    if options.json:
        rows = [
            {"kind": r.kind, "stage": r.stage, "folders": r.folders, "bytes": r.bytes}
            for r in found
        ]
        answer({"store": str(store.root), "bytes": sum(r.bytes for r in found), "rooms": rows})
        return OK
    print_table(
        ["what", "stage", "folders", "size"],
        [[r.kind, r.stage or "·", str(r.folders), shown(r.bytes)] for r in found],
        left=2,
    )
    print(f"{store.root}: {shown(sum(r.bytes for r in found))}")
    return OK


def gc(options: Namespace) -> int:
    """What no kept study reaches; with --delete it goes."""
    if not options.words:
        raise SpecError("command line", "name every study that is kept: ilmlip gc SPEC [SPEC …]")
    if any("=" in word for word in options.words):
        raise SpecError(
            "command line",
            "gc takes studies, not overrides; freeze a study with overrides to a file",
        )
    kept: set[str] = set()
    stores = set()
    for word in options.words:
        _, plan, store = study_of(options, [word])
        kept |= plan.tasks.keys()
        stores.add(store.root)
    if len(stores) > 1:
        raise SpecError("command line", f"the studies have {len(stores)} stores; name those of one")
    store = Store(stores.pop())
    _must_be_there(store)
    found = list(upkeep.waste(store, kept))
    total = sum(one.bytes for one in found)
    if options.delete:
        for one in found:
            shutil.rmtree(one.path, ignore_errors=True)
    if options.json:
        rows = [{"path": str(one.path), "why": one.why, "bytes": one.bytes} for one in found]
        answer({"deleted": bool(options.delete), "bytes": total, "found": rows})
        return OK
    rows_ = [[s, str(n), shown(b)] for s, (n, b) in upkeep.stage_counts(found).items()]
    print_table(["stage", "folders", "size"], rows_)
    done = "deleted" if options.delete else "nothing deleted; --delete does it"
    print(f"{store.root}: {len(found)} folders, {shown(total)}; {done}")
    return OK


def _store(options: Namespace) -> tuple[Store, set[str] | None]:
    """The store of a study with its keys, or the folder `store` here with all of its keys."""
    if not options.words:
        store = Store(Path("store"))
        _must_be_there(store)
        return store, None
    _, plan, store = study_of(options)
    _must_be_there(store)
    return store, set(plan.tasks)


def _must_be_there(store: Store) -> None:
    if not (store.root / "results").is_dir():
        raise SpecError(
            "command line", f"there is no store {store.root}; name a study, or go to its folder"
        )


def shown(size: int) -> str:
    """Bytes for people: 512 B, 3.4 kB, 5.6 MB, 7.8 GB."""
    value, units = float(size), ["B", "kB", "MB", "GB"]
    while value >= 1000 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.3g} {units[0]}"
