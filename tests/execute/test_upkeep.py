"""Care of a store: damage is found by digest, waste is what no kept study reaches."""

from __future__ import annotations

import json
import shlex
import shutil
import uuid
from pathlib import Path

import pytest
from command import ilmlip

from ilmlip.cli import main
from ilmlip.execute import upkeep
from ilmlip.execute.claims import Claims
from ilmlip.execute.driver import Driver
from ilmlip.execute.jobs import DebugSubmitter
from ilmlip.plan.graph import Plan
from ilmlip.plan.task import Task
from ilmlip.spec.cluster import Cluster
from ilmlip.stages.probe import STAGE, Params
from ilmlip.store import Store


def probes(names: str) -> Plan:
    """A chain of probes."""
    plan, last = Plan("probes"), ()
    for name in names:
        needs = {"before": last} if last else {}
        last = (plan.add(Task(STAGE.name, STAGE.version, Params(name=name), needs)),)
    return plan


def run(store: Store, plan: Plan) -> dict[str, int]:
    folder = store.root / "jobs" / uuid.uuid4().hex
    folder.mkdir()
    jobs = DebugSubmitter(store.root)
    outcome = Driver(plan, store, Cluster(executor="debug"), jobs, folder, lambda *_: None).run()
    return {how: outcome.count(how) for how in ("done", "cached")}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "store")
    made.prepare()
    return made


def test_every_kind_of_damage_is_found_and_made_again(store: Store) -> None:
    plan = probes("abcdef")
    run(store, plan)
    assert list(upkeep.damages(store)) == []
    before = {key: store.result(key).digest for key in plan.tasks}
    a, b, c, d, e, _ = plan.tasks
    (store.folder(a) / "name.txt").write_text("b\n", encoding="utf-8")
    (store.folder(b) / "name.txt").unlink()
    manifest = store.folder(c) / "manifest.json"
    manifest.write_text(manifest.read_text(encoding="utf-8")[:40], encoding="utf-8")
    (store.folder(d) / "manifest.json").unlink()
    manifest = store.folder(e) / "manifest.json"
    manifest.write_text(
        json.dumps(json.loads(manifest.read_text(encoding="utf-8")) | {"values": {"name": "x"}}),
        encoding="utf-8",
    )
    found = {one.key: one.what for one in upkeep.damages(store)}
    assert found.keys() == {a, b, c, d, e}
    assert "name.txt" in found[a] and "name.txt" in found[b] and "values" in found[e]
    assert "cannot be read" in found[c] and "no manifest" in found[d]
    for key in found:
        upkeep.remove(store, key)
    assert run(store, plan) == {"done": 5, "cached": 1}
    assert {key: store.result(key).digest for key in plan.tasks} == before


def test_waste_is_what_no_kept_plan_reaches_and_nobody_works_on(store: Store) -> None:
    run(store, probes("abc"))
    run(store, probes("xyz"))
    kept = probes("abc").tasks
    wasted = {one.path.name for one in upkeep.waste(store, kept)}
    assert wasted == set(probes("xyz").tasks)
    last = list(probes("xyz").tasks)[-1]
    left = store.new_work("probe-k1-dead")
    staged = store.folder(last).parent / f".{last}.abcd1234"
    staged.mkdir()
    claims = Claims(store.root)
    assert claims.take(last)  # this very process is at it
    wasted = {one.path.name for one in upkeep.waste(store, kept)}
    assert wasted == (set(probes("xyz").tasks) - {last}) | {left.name}
    claims.release(last)
    assert staged.name in {one.path.name for one in upkeep.waste(store, kept)}


def test_a_work_folder_that_a_kept_task_can_go_on_from_stays(store: Store) -> None:
    (key,) = probes("a").tasks
    left = store.new_work(key)
    assert list(upkeep.waste(store, {key})) == []
    run(store, probes("a"))
    left.mkdir(exist_ok=True)
    assert [one.path for one in upkeep.waste(store, {key})] == [left]


def test_rooms_hold_every_byte(store: Store) -> None:
    run(store, probes("abc"))
    rooms = {(r.kind, r.stage): r for r in upkeep.rooms(store)}
    assert rooms["results", "probe"].folders == 3
    whole = sum(p.stat().st_size for p in store.root.rglob("*") if p.is_file())
    assert sum(r.bytes for r in rooms.values()) == whole - len("1\n")  # FORMAT


def test_the_commands(tmp_path: Path) -> None:
    words = ("quickstart", "scale=smoke", "tracking=none")
    for command in ("du", "fsck"):
        none = ilmlip(command, *words, cwd=tmp_path)
        assert none.code == 2 and "no store at" in none.err
    Store(tmp_path / "store").prepare()
    (tmp_path / "study.yaml").write_text(
        ilmlip("freeze", *words, cwd=tmp_path).out, encoding="utf-8"
    )
    empty = ilmlip("fsck", cwd=tmp_path)
    assert empty.code == 0 and "0 of 0 results are damaged" in empty.out
    plan = probes("ab")
    store = Store(tmp_path / "store")
    run(store, plan)
    assert ilmlip("du", "--json", cwd=tmp_path).json["bytes"] > 100
    first = next(iter(plan.tasks))
    (store.folder(first) / "name.txt").write_text("other\n", encoding="utf-8")
    damaged = ilmlip("fsck", "--json", cwd=tmp_path)
    assert damaged.code == 1 and [one["key"] for one in damaged.json["damaged"]] == [first]
    assert store.result(first) is not None
    assert ilmlip("fsck", "--remove", cwd=tmp_path).code == 0
    assert store.result(first) is None
    shown = ilmlip("gc", "study.yaml", cwd=tmp_path)
    assert shown.code == 0 and "nothing deleted" in shown.out and len(store.keys()) == 1
    gone = ilmlip("gc", "study.yaml", "--delete", "--json", cwd=tmp_path)
    assert gone.code == 0 and gone.json["deleted"] and not store.keys()
    assert ilmlip("gc", cwd=tmp_path).code == 2
    assert ilmlip("gc", "study.yaml", "model.r_max=5", cwd=tmp_path).code == 2
    shutil.rmtree(tmp_path / "store")


SETS = (
    "labels_smoke", "dft=opls", "cluster=debug", "tracking=none",
    "dataset.derived=[{kind: frames}]",
)  # fmt: skip


@pytest.mark.engine
def test_gc_names_the_studies_whose_results_would_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    def said(*words: str) -> str:
        assert main(list(words)) == 0
        return capsys.readouterr().out

    other = ("run", *SETS, "dataset.seed=1", "name=other", "tracking.uri=''")
    said(*other)
    said("run", *SETS)
    said("freeze", *SETS, "-o", "kept.yaml")
    shown = said("gc", "kept.yaml")
    (line,) = [one for one in shown.splitlines() if one.startswith("of study ")]
    assert line.startswith("of study other, which is not kept: 2 folders, ")
    assert f"(made by `ilmlip run {shlex.join(SETS[:3])}" in line and "dataset.seed=1" in line
    assert "ilmlip gc kept.yaml SPEC" in shown
    found = json.loads(said("gc", "kept.yaml", "--json"))
    assert [(one["study"], one["folders"]) for one in found["studies"]] == [("other", 2)]
    assert found["bytes"] == found["studies"][0]["bytes"]
    again = said(*shlex.split(found["studies"][0]["command"])[1:])
    assert again.endswith("0 tasks done, 8 were there already\n")
    said("freeze", *other[1:], "-o", "other.yaml")
    assert "of study" not in said("gc", "kept.yaml", "other.yaml")


def test_no_store_says_where_one_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From another folder a study looked as if nothing of it were done."""
    Store(tmp_path / "store").prepare()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    study = ("quickstart", "scale=smoke")
    assert main(["freeze", *study, "-o", "frozen.yaml"]) == 0
    for words in (
        ("status", *study), ("report", *study), ("verify", "frozen.yaml"), ("cancel", *study),
        ("logs", "label-", *study), ("logs", "label-"), ("gc", "quickstart"), ("du", *study), ("du",),
        ("fsck", *study), ("fsck",), ("track", *study), ("track",),
    ):  # fmt: skip
        capsys.readouterr()
        assert main(list(words)) == 2, words
        error = capsys.readouterr().err
        assert error.startswith(f"ilmlip: no store at {tmp_path}/elsewhere/store: "), error
        assert "in the folder where ilmlip is started" in error and "store=PATH" in error
        assert f"there is one at {tmp_path}/store)" in error
    assert not list(Path().glob("*.html"))
    assert main(["status", *study, f"store={tmp_path}/store"]) == 0
