"""One label of twenty fails at random: the study goes on, says so, and makes up for those alone."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from ase import Atoms

from ilmlip.cli import main
from ilmlip.engines import xtb
from ilmlip.store import Store

WORDS = (
    "quickstart", "scale=smoke", "dft=gfn1_xtb", "compositions.salts=[EMIMPF6,LiPF6]",
    "compositions.fractions=[1.0]", "compositions.training=[[1.0]]", "compositions.pairs=1",
    "system.salts.LiPF6.molar_volume=200", "dataset.frames=20", "sampling.duration=4.1e3",
    "model.seeds=[1]", "model.max_steps=60", "model.r_max=3.4",
    "analysis=none", "tracking=none", "cluster=debug",
)  # fmt: skip
"""40 labels by tight binding, of a training and of a test structure of one pair."""
SEED, SHARE = 5, 20


@pytest.mark.slow
@pytest.mark.engine
def test_labels_that_fail_at_random(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    chance, calls = random.Random(SEED), [0, 0]
    unlucky = set(chance.sample(range(2 * SHARE), 2))
    label = xtb.label

    def at_times_in_vain(atoms: Atoms, *how: float, max_iterations: int) -> Any:
        """tblite itself gives up: one of each twenty labels has a single iteration."""
        calls[0] += 1
        calls[1] += (given_up := calls[0] - 1 in unlucky)
        return label(atoms, *how, max_iterations=1 if given_up else max_iterations)

    def run() -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = main(["run", *WORDS, "--json"])
        return code, json.loads(capsys.readouterr().out)

    with monkeypatch.context() as patched:
        patched.setattr(xtb, "label", at_times_in_vain)
        code, told = run()
    assert calls == [40, 2]
    assert code == 1 and told["blocked"] == 0
    failed = {one["key"] for one in told["failed"]}
    assert len(failed) == 2 and {one["stage"] for one in told["failed"]} == {"label"}
    assert all("not converge" in one["reason"] for one in told["failed"]), told["failed"]
    assert Path(told["outputs"]["matrix"]).exists()
    store = Store(tmp_path / "store")
    sets = [store.result(key) for key in store.keys("results") if key.startswith("dataset-")]
    assert {key for one in sets for keys in one.missing.values() for key in keys} == failed

    assert main(["report", *WORDS, "-o", "page.html"]) == 0
    page = Path("page.html").read_text(encoding="utf-8")
    assert all(key in page for key in failed)

    labels = {key for key in store.keys("results") if key.startswith("label-")}
    before = {key: store.result(key).started for key in labels}
    assert len(before) == 38
    code, told = run()
    assert code == 0 and told["failed"] == []
    assert {key: store.result(key).started for key in labels} == before
    assert {key for key in store.keys("results") if key.startswith("label-")} == labels | failed
    sets = [store.result(key) for key in store.keys("results") if key.startswith("dataset-")]
    assert not any(one.missing for one in sets)
    again = run()[1]
    assert again["done"] == 0
