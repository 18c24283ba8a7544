"""Disks that are full, read-only or without hard links: said clearly, and nothing done is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import Answer, ilmlip
from mounted import call, exfat, mounted

from ilmlip.errors import StoreError
from ilmlip.execute import disk, upkeep
from ilmlip.store import Store

WORDS = ("quickstart", "scale=smoke", "cluster.cores=2", "model.seeds=[]", "tracking=none")
"""Everything but the networks."""


def run(folder: Path, store: Path) -> Answer:
    answer = ilmlip("run", *WORDS, f"store={store}", cwd=folder)
    assert "Traceback" not in answer.err
    return answer


def digests(root: Path) -> dict[str, str]:
    store = Store(root)
    return {key: store.result(key).digest for key in store.keys("results")}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Digests of the study's results where nothing goes wrong."""
    folder = Path(tmp_path_factory.mktemp("alone"))
    assert run(folder, folder / "store").code == 0
    return digests(folder / "store")


@pytest.mark.slow
@pytest.mark.engine
def test_a_full_disk(tmp_path: Path, alone: dict[str, str]) -> None:
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=3m", "none") as place:
        full = run(tmp_path, place / "store")
        assert full.code == 1
        assert f"store {place}/store: the disk is full" in full.err and "make room" in full.err
        store = Store(place / "store")
        there = digests(store.root)
        assert 0 < len(there) < len(alone)
        assert there.items() <= alone.items() and not list(upkeep.damages(store))
        started = {key: store.result(key).started for key in there}
        still = run(tmp_path, store.root)
        assert still.code == 1 and "the disk is full" in still.err
        call("mount", "-o", "remount,size=200m", place)
        assert run(tmp_path, store.root).code == 0
        assert digests(store.root) == alone
        assert {key: store.result(key).started for key in there} == started


@pytest.mark.slow
@pytest.mark.engine
def test_a_file_system_without_hard_links(tmp_path: Path, alone: dict[str, str]) -> None:
    with exfat(tmp_path, 200) as place:
        with pytest.raises(PermissionError):
            (place / "one").touch()
            (place / "two").hardlink_to(place / "one")
        assert run(tmp_path, place / "store").code == 0
        assert digests(place / "store") == alone
        again = run(tmp_path, place / "store")
        assert again.code == 0 and f"{len(alone)} were there already" in again.out


def test_a_read_only_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.prepare()
    with mounted(store.root, "--bind", store.root):
        call("mount", "-o", "remount,bind,ro", store.root)
        refused = run(tmp_path, store.root)
        assert refused.code == 1
        assert f"store {store.root}:" in refused.err and "Read-only file system" in refused.err
        assert "store=PATH" in refused.err
        for command in ("plan", "status", "fsck", "du"):
            assert ilmlip(command, *WORDS, f"store={store.root}", cwd=tmp_path).code == 0
        inside = run(tmp_path, store.root / "deeper")
        assert inside.code == 1 and "cannot be written" in inside.err


def test_what_is_no_matter_of_disks_stays_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), disk.explained(tmp_path):
        (tmp_path / "nowhere").read_text(encoding="utf-8")
    refused = pytest.raises(StoreError, match=r"cannot be written \(Input/output error\)")
    with refused, disk.explained(tmp_path):
        raise OSError(5, "Input/output error", "file")
    assert disk.stands_for_full("OSError: [Errno 28] No space left on device: 'x'")
    assert not disk.stands_for_full("out of memory")
