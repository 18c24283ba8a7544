"""Sweeps on real engines: what is shared runs once."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest
from command import ilmlip

from ilmlip.store import Store

SMALL = (
    "scale=smoke", "model=nequip_smoke", "analysis=none", "model.linear=false", "model.seeds=[1]",
    "compositions.fractions=[0.4]", "compositions.training=[[0.4]]", "cluster.cores=2",
    "tracking=none",
)  # fmt: skip


def swept(folder: Path, *words: str) -> None:
    """Run a sweep; tasks run must be the distinct keys, each in the store once."""
    planned = ilmlip("plan", "quickstart", *SMALL, *words, "-m", "--json", cwd=folder).json
    keys = [task["key"] for task in planned["tasks"]]
    assert len(set(keys)) == len(keys)
    answer = ilmlip("run", "quickstart", *SMALL, *words, "-m", "--json", cwd=folder)
    assert answer.code == 0, answer.err
    found = answer.json
    assert found["done"] == len(keys) and found["cached"] == 0 and not found["failed"]
    assert Store(folder / "store").keys() == set(keys)
    stages = Counter(task["stage"] for task in planned["tasks"])
    points = planned["points"]
    assert stages["sample"] == 2 and stages["label"] == 2 * 5 and stages["dataset"] == 2
    assert stages["train"] == stages["evaluate"] == stages["matrix"] == points
    with Path(found["outputs"]["sweep"]).open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert {row["point"] for row in rows} == {str(i) for i in range(points)}
    assert len(found["points"]) == points
    again = ilmlip("run", "quickstart", *SMALL, *words, "-m", "--json", cwd=folder).json
    assert again["done"] == 0 and again["cached"] == len(keys)


@pytest.mark.slow
@pytest.mark.engine
def test_twenty_four_points_sample_and_label_once(tmp_path: Path) -> None:
    """r_max × l_max × weight of the stress, 4 × 2 × 3, as one plan."""
    swept(
        tmp_path, "model.r_max=3,3.5,4,4.5", "model.l_max=1,2", "model.loss.stress=1,10,100",
        "model.max_steps=4",
    )  # fmt: skip


@pytest.mark.engine
def test_a_sweep_of_two_points(tmp_path: Path) -> None:
    swept(tmp_path, "model.r_max=3.5,4", "model.max_steps=4")


@pytest.mark.slow
@pytest.mark.engine
def test_optuna_chooses_points_by_an_objective(tmp_path: Path) -> None:
    """The real sweeper and our launcher: batches of two, each one plan, everything shared kept."""
    words = (
        "hydra/sweeper=optuna", "hydra.sweeper.n_trials=3", "hydra.sweeper.n_jobs=2",
        "hydra.sweeper.sampler.seed=1", "model.learning_rate=interval(0.001,0.02)",
        "model.max_steps=4",
    )  # fmt: skip
    missing = ilmlip("run", "-m", "quickstart", *SMALL, *words, cwd=tmp_path)
    assert missing.code == 2 and "analysis.objective" in missing.err
    objective = "analysis.objective={quantity: force_mae, composition: 0.4}"
    answer = ilmlip("run", "-m", "quickstart", *SMALL, objective, *words, "--json", cwd=tmp_path)
    assert answer.code == 0, answer.err
    found = answer.json
    values = []
    for point in found["points"]:
        rows = list(
            csv.DictReader(
                Path(point["outputs"]["matrix"]).read_text(encoding="utf-8").splitlines()
            )
        )
        (value,) = (r["value"] for r in rows if r["quantity"] == "force_mae" and not r["seed"])
        values.append(float(value))
    assert len(values) == 3 and found["best"]["value"] == pytest.approx(min(values), rel=1e-5)
    store = Store(tmp_path / "store")
    assert Counter(key.split("-")[0] for key in store.keys("results"))["sample"] == 2
    results = tmp_path / "store" / "studies" / "quickstart" / "optimization_results.yaml"
    assert "model.learning_rate" in results.read_text(encoding="utf-8")


def test_a_sweeper_needs_m_and_a_name(tmp_path: Path) -> None:
    answer = ilmlip("run", "quickstart", "hydra/sweeper=optuna", cwd=tmp_path)
    assert answer.code == 2 and "add -m" in answer.err
    evil = ilmlip("run", "-m", "quickstart", "hydra.sweeper._target_=os.system", cwd=tmp_path)
    assert evil.code == 2 and "chosen by name" in evil.err
    unknown = ilmlip(
        "run", "-m", "quickstart", "hydra/sweeper=nothing", "model.r_max=interval(4,5)",
        "analysis.objective={quantity: force_mae}", cwd=tmp_path,
    )  # fmt: skip
    assert unknown.code == 2 and "nothing" in unknown.err and "Traceback" not in unknown.err
