"""`ilmlip fsck`, `du` and `gc`: care of a store."""

from __future__ import annotations

import shutil
from argparse import Namespace
from dataclasses import dataclass

from ilmlip.commands import FAILED, OK
from ilmlip.commands.common import answer, print_table, say
from ilmlip.commands.place import default_store, study_in_store
from ilmlip.errors import SpecError
from ilmlip.execute import upkeep
from ilmlip.execute.studies import Known, studies
from ilmlip.grammar import counted
from ilmlip.plan.compile import study_key
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
        print(f"{store.root}: {len(found)} of {counted(looked, 'result', 'is')} damaged{done}")
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
    stores, named = set(), set()
    for word in options.words:
        study, plan, store = study_in_store(options, [word])
        kept |= plan.tasks.keys()
        named.add(study_key(study.specs))
        stores.add(store.root)
    if len(stores) > 1:
        raise SpecError("command line", f"the studies have {len(stores)} stores; name those of one")
    store = Store(stores.pop())
    found = list(upkeep.waste(store, kept))
    others = _others(studies(store, named) if found else [], found)
    total = sum(one.bytes for one in found)
    if options.delete:
        for one in found:
            shutil.rmtree(one.path, ignore_errors=True)
    if options.json:
        rows = [{"path": str(one.path), "why": one.why, "bytes": one.bytes} for one in found]
        told = [
            {"study": o.study.name, "command": o.study.command, "run": o.study.run,
             "folders": o.folders, "bytes": o.bytes}
            for o in others
        ]  # fmt: skip
        answer({"deleted": bool(options.delete), "bytes": total, "found": rows, "studies": told})
        return OK
    rows_ = [[s, str(n), shown(b)] for s, (n, b) in upkeep.stage_counts(found).items()]
    print_table(["stage", "folders", "size"], rows_)
    for share in others:
        made = f"`{share.study.command}`" if share.study.command else f"run {share.study.run}"
        print(
            f"of study {share.study.name}, which is not kept: {counted(share.folders, 'folder')}, "
            f"{shown(share.bytes)} (made by {made})"
        )
    if others and not options.delete:
        print(f"to keep a study, name it too: ilmlip gc {' '.join(options.words)} SPEC")
    done = "deleted" if options.delete else "nothing deleted; --delete does it"
    print(f"{store.root}: {counted(len(found), 'folder')}, {shown(total)}; {done}")
    return OK


@dataclass(frozen=True)
class _Share:
    """What of the waste another study needs; two studies may need the same."""

    study: Known
    folders: int
    bytes: int


def _others(known: list[Known], found: list[upkeep.Waste]) -> list[_Share]:
    """The studies that need what would be deleted."""
    shares = []
    for study in known:
        own = [one for one in found if upkeep.key_of(one.path) in study.keys]
        if own:
            shares.append(_Share(study, len(own), sum(one.bytes for one in own)))
    return shares


def _store(options: Namespace) -> tuple[Store, set[str] | None]:
    """The store of a study with its keys, or the folder `store` here with all of its keys."""
    if not options.words:
        return default_store(), None
    _, plan, store = study_in_store(options)
    return store, set(plan.tasks)


def shown(size: int) -> str:
    """Bytes for people: 512 B, 3.4 kB, 5.6 MB, 7.8 GB."""
    value, units = float(size), ["B", "kB", "MB", "GB"]
    while value >= 1000 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.3g} {units[0]}"
