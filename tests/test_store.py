"""The store: whole or not at all, and damage is seen."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path

import pytest

from ilmlip.errors import StoreError
from ilmlip.execute.sound import Sound
from ilmlip.store import LOGS, LONGEST_LOG, MANIFEST, Failure, Result, Store, stage_of, write_text

KEY = "probe-k1-0123"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "store")
    made.prepare()
    return made


def publish(store: Store, text: str = "x", inputs: dict[str, str] | None = None) -> Result:
    work = store.new_work(KEY)
    (work / "a.txt").write_text(text, encoding="utf-8")
    (work / "scratch").write_text("not kept", encoding="utf-8")
    result = Result(
        KEY, "probe", 1, Path(), {"p": 1}, {"in": list(inputs or {})}, inputs or {}, {},
        {"a.txt": ""}, {"value": 1.5}, "",
    )  # fmt: skip
    return store.publish(result, work)


def test_a_published_result_reads_back(store: Store) -> None:
    result = publish(store)
    assert result == store.result(KEY)
    assert (result.path / "a.txt").read_text(encoding="utf-8") == "x"
    assert sorted(p.name for p in result.path.iterdir()) == ["a.txt", MANIFEST]
    assert store.keys() == {KEY}
    assert not list((store.root / "work").iterdir())


def test_equal_results_have_equal_digests_and_stay(store: Store) -> None:
    first = publish(store)
    inode = first.path.stat().st_ino
    again = publish(store)
    assert again.digest == first.digest
    assert again.path.stat().st_ino == inode  # the one that was there


def test_a_result_from_other_inputs_replaces(store: Store) -> None:
    first = publish(store, "old", {"k": "1"})
    second = publish(store, "new", {"k": "2"})
    assert second.digest != first.digest
    assert (second.path / "a.txt").read_text(encoding="utf-8") == "new"
    assert [p.name for p in second.path.parent.iterdir()] == [KEY]


def test_nothing_half_written_is_seen(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash at the last moment before the rename leaves no result."""

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "_install", crash)
    with pytest.raises(KeyboardInterrupt):
        publish(store)
    assert store.result(KEY) is None
    assert store.keys() == set()


def test_values_that_are_no_numbers_are_refused(store: Store) -> None:
    work = store.new_work(KEY)
    result = dataclasses.replace(publish(store), files={}, values={"value": float("nan")})
    with pytest.raises(ValueError):
        store.publish(result, work)


def test_a_damaged_manifest_is_located(store: Store) -> None:
    result = publish(store)
    (result.path / MANIFEST).write_text('{"key": ', encoding="utf-8")
    with pytest.raises(StoreError, match="is damaged") as error:
        store.result(KEY)
    assert str(result.path / MANIFEST) in str(error.value)


def test_a_failure_keeps_its_folder_until_there_is_a_result(store: Store) -> None:
    work = store.new_work(KEY)
    (work / "run.log").write_text("ERROR: no", encoding="utf-8")
    store.publish_failure(Failure(KEY, "probe", "no", "run", "run.log", 1.0), work)
    found = store.failure(KEY)
    assert found is not None and Path(found.log).read_text(encoding="utf-8") == "ERROR: no"
    assert store.keys("failed") == {KEY}
    publish(store)
    assert store.failure(KEY) is None


def test_a_store_of_another_format_is_refused(store: Store) -> None:
    write_text(store.root / "FORMAT", "99\n")
    with pytest.raises(StoreError, match="format 99"):
        store.prepare()


def test_a_store_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="store=PATH"):
        Store(tmp_path / "file" / "store").prepare()


def test_manifests_are_plain_json(store: Store) -> None:
    data = json.loads((publish(store).path / MANIFEST).read_text(encoding="utf-8"))
    assert data["params"] == {"p": 1} and data["values"] == {"value": 1.5}


def test_the_stage_of_a_key() -> None:
    assert stage_of("fit_linear-k1-00ff") == "fit_linear"


def test_an_empty_folder_of_a_newer_attempt_hides_no_earlier_work(store: Store) -> None:
    """An attempt killed as soon as it had its folder: what the one before it left is handed on."""
    with_work = store.new_work(KEY)
    (with_work / "labels").write_text("dear", encoding="utf-8")
    os.utime(with_work / "labels", (1e9, 1e9))
    store.new_work(KEY)
    now = store.new_work(KEY)
    earlier = store.earlier_work(KEY, now)
    assert earlier is not None and (earlier / "labels").read_text(encoding="utf-8") == "dear"
    assert list((store.root / "work").iterdir()) == [now]


def test_a_log_is_kept_and_is_no_part_of_the_result(store: Store) -> None:
    """It holds times: two runs that come out the same must have the same digest."""
    found = []
    for text in ("began at 10:00\n", "x" * LONGEST_LOG + "began at 11:00\n"):
        work = store.new_work(KEY)
        (work / "a.txt").write_text("x", encoding="utf-8")
        (work / "engine.log").write_text(text, encoding="utf-8")
        made = Result(KEY, "probe", 1, Path(), {}, {}, {}, {}, {"a.txt": ""}, {}, "")
        result = store.publish(made, work, ["engine.log", "none.log"])
        log = result.path / LOGS / "engine.log"
        found.append((result.digest, log.read_text(encoding="utf-8")))
        assert list(log.parent.iterdir()) == [log] and not Sound(store).damage(KEY)
        assert set(result.files) == {"a.txt"}
        shutil.rmtree(result.path)
    assert found[0] == (result.digest, "began at 10:00\n")
    assert len(found[1][1]) == LONGEST_LOG and found[1][1].endswith("began at 11:00\n")
