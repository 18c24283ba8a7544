"""A damaged result is never read: it is found by digest, set aside, made again, the rest kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from test_driver import drive, probe

from ilmlip.execute.claims import Claims
from ilmlip.execute.sound import Sound
from ilmlip.execute.worker import do
from ilmlip.hashing import file_digest
from ilmlip.plan.graph import Plan, states
from ilmlip.store import Store


def chain(length: int, side: bool = True) -> tuple[Plan, list[str]]:
    """A chain of probes; beside each but the last another one that needs the same."""
    plan, keys = Plan("t"), [""]
    for i in range(length):
        needs = (keys[-1],) if keys[-1] else ()
        if side and needs:
            probe(plan, f"beside{i}", needs)
        keys.append(probe(plan, f"c{i}", needs))
    return plan, keys[1:]


def flip(folder: Path) -> None:
    file = folder / "name.txt"
    data = bytearray(file.read_bytes())
    data[0] ^= 1
    file.write_bytes(data)


def cut(folder: Path) -> None:
    with (folder / "name.txt").open("r+", encoding="utf-8") as file:
        file.truncate(1)


def lose(folder: Path) -> None:
    (folder / "name.txt").unlink()


def half_a_manifest(folder: Path) -> None:
    file = folder / "manifest.json"
    file.write_text(file.read_text(encoding="utf-8")[:50], encoding="utf-8")


def other_values(folder: Path) -> None:
    file = folder / "manifest.json"
    file.write_text(
        json.dumps(json.loads(file.read_text(encoding="utf-8")) | {"values": {"name": "x"}}),
        encoding="utf-8",
    )


def no_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize("executor", ["debug", "local"])
@pytest.mark.parametrize(
    "damage",
    [flip, cut, lose, half_a_manifest, other_values, no_manifest],
    ids=lambda d: d.__name__,
)
def test_found_when_it_is_read(
    tmp_path: Path, damage: Callable[[Path], None], executor: str
) -> None:
    if executor == "local" and damage is not flip:
        pytest.skip("the same in another process")
    store = Store(tmp_path)
    first, keys = chain(4)
    drive(first, tmp_path, executor)
    before = {key: store.result(key) for key in first.tasks}
    damage(store.folder(keys[2]))
    longer, longer_keys = chain(6)
    probe(longer, "reads it", (keys[2],))
    seen: list[str] = []
    outcome = drive(longer, tmp_path, executor, seen=seen)
    assert set(outcome.settled.values()) == {"done", "cached"} and len(seen) >= len(longer)
    assert Sound(store).damaged(store.keys()) == {}
    again = store.result(keys[2])
    assert again.digest == before[keys[2]].digest and again.started > before[keys[2]].started
    kept = set(first.tasks) - {keys[2]}
    assert {key: store.result(key) for key in kept} == {key: before[key] for key in kept}
    assert not store.keys("failed")
    assert set(states(longer, store).values()) == {"cached"}
    assert store.result(longer_keys[-1]).values["inputs"] == ["c4"]


def test_several_that_need_each_other(tmp_path: Path) -> None:
    """Two neighbours in a chain and one beside, with many that wait for them."""
    store = Store(tmp_path)
    first, keys = chain(3)
    drive(first, tmp_path)
    for key in keys[1:]:
        flip(store.folder(key))
    longer, _ = chain(3)
    gathered = [probe(longer, f"end{i}", (keys[2], keys[1], keys[0])) for i in range(5)]
    probe(longer, "last", tuple(gathered))
    outcome = drive(longer, tmp_path)
    assert set(outcome.settled) == set(longer.tasks)
    assert set(outcome.settled.values()) == {"done", "cached"}
    assert Sound(store).damaged(store.keys()) == {}


def test_what_cannot_be_made_again_is_kept_and_blocks(tmp_path: Path) -> None:
    store, flag = Store(tmp_path / "store"), tmp_path / "flag"
    plan = Plan("t")
    bad = probe(plan, "bad", act="fail", only_if=str(flag))
    drive(plan, store.root)
    flip(store.folder(bad))
    flag.touch()
    below = probe(plan, "below", (bad,))
    assert drive(plan, store.root).settled == {bad: "failed", below: "blocked"}
    assert "told to fail" in store.failure(bad).reason
    flag.unlink()
    assert drive(plan, store.root).settled == {bad: "done", below: "done"}


def test_it_is_set_aside_with_the_reason(tmp_path: Path) -> None:
    store = Store(tmp_path)
    plan, (first, second) = chain(2, side=False)
    only = Plan("t", {first: plan.tasks[first]})
    drive(only, tmp_path)
    flip(store.folder(first))
    assert do(store, Claims(tmp_path), plan.tasks[second]) == "damaged"
    assert store.result(first) is None
    failure = store.failure(first)
    assert "damaged: name.txt" in failure.reason and "made again" in failure.reason
    assert (store.failed_folder(first) / "damaged" / "name.txt").read_bytes() != b"c0\n"


def test_each_file_is_read_once_by_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    store.prepare()
    plan, keys = chain(1)
    drive(plan, tmp_path)
    big = tmp_path / "big"
    big.write_bytes(bytes(50_000))
    result = store.result(keys[0])
    work = store.new_work("probe-k1-big")
    big.rename(work / "big")
    made = store.publish(
        type(result)(**{**result.__dict__, "key": "probe-k1-big", "files": {"big": ""}}), work
    )
    read: list[str] = []

    def seen(path: Path) -> str:
        read.append(path.name)
        return file_digest(path)

    monkeypatch.setattr("ilmlip.execute.sound.file_digest", seen)
    sound = Sound(store)
    assert sound.damage(made.key) == "" and read == ["big"]
    assert sound.damage(made.key) == "" and read == ["big"]
    flip_at = store.folder(made.key) / "big"
    with flip_at.open("r+b") as stream:
        stream.seek(1000)
        stream.write(b"x")
    assert "big" in sound.damage(made.key)
