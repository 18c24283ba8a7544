"""Stores and jobs of another version: refused by name, never computed again or mixed in silence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import ilmlip
from test_driver import probe

from ilmlip.errors import StoreError
from ilmlip.execute.worker import pack, work
from ilmlip.plan.graph import Plan, present_keys
from ilmlip.store import Store

WORDS = ("quickstart", "scale=smoke", "tracking=none")
REMEDY = "use the ilmlip that made them, or name another folder with store=PATH"


@pytest.mark.parametrize("scheme", ["k0", "k2", "k10"])
def test_keys_of_another_scheme(tmp_path: Path, scheme: str) -> None:
    store = Store(tmp_path / "store")
    store.prepare()
    key = f"label-{scheme}-{'0' * 24}"
    (store.root / "results" / "label" / key).mkdir(parents=True)
    with pytest.raises(StoreError, match=f"{key}; this ilmlip makes k1.*{REMEDY}"):
        present_keys(store)
    if scheme != "k0":
        return
    (tmp_path / "study.yaml").write_text(
        ilmlip("freeze", *WORDS, cwd=tmp_path).out, encoding="utf-8"
    )
    for command in (("run", *WORDS), ("plan", *WORDS), ("status", *WORDS), ("gc", "study.yaml")):
        refused = ilmlip(*command, cwd=tmp_path)
        assert refused.code == 1 and REMEDY in refused.err and "Traceback" not in refused.err
    assert store.keys("results") == {key} and not list((store.root / "jobs").iterdir())


@pytest.mark.parametrize(
    ("change", "said"),
    [({"later": 1}, "has the unknown fields later"), ({"files": None}, "lacks the fields files")],
)
def test_a_manifest_of_another_version(tmp_path: Path, change: dict, said: str) -> None:
    planned = ilmlip("plan", *WORDS, "--json", cwd=tmp_path).json["tasks"]
    key = next(task["key"] for task in planned if task["stage"] == "forcefield")
    store = Store(tmp_path / "store")
    store.prepare()
    manifest = {
        "key": key, "stage": "forcefield", "version": 1, "params": {}, "needs": {}, "inputs": {},
        "missing": {}, "files": {}, "values": {}, "digest": "",
    } | change  # fmt: skip
    manifest = {name: value for name, value in manifest.items() if value is not None}
    store.folder(key).mkdir(parents=True)
    (store.folder(key) / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    for command in ("run", "plan"):
        refused = ilmlip(command, *WORDS, cwd=tmp_path)
        assert refused.code == 1 and "Traceback" not in refused.err
        assert said in refused.err and "another version of ilmlip made it" in refused.err


def test_a_worker_of_another_version_fails_the_task_by_name(tmp_path: Path) -> None:
    """As when an environment was changed between submission and start; the rest of the pack goes on."""
    store = Store(tmp_path)
    store.prepare()
    plan = Plan("t")
    keys = [probe(plan, name) for name in ("old", "stranger", "unknown", "fine")]
    packed = pack(list(plan))
    packed[0]["key"] = other = keys[0][:-4] + "0000"
    packed[1]["params"]["of_later"] = 1
    packed[2]["stage"] = "of_later"
    report = tmp_path / "report.jsonl"
    work(tmp_path, packed, report, 1)
    said = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    ends = {one["end"]: one["state"] for one in said if "end" in one}
    assert ends == {other: "failed", keys[1]: "failed", keys[2]: "failed", keys[3]: "done"}
    reason = store.failure(other).reason
    assert "the job and the driver are of different versions" in reason and "update both" in reason
    assert "of_later" in store.failure(keys[1]).reason
    assert "of_later" in store.failure(keys[2]).reason
