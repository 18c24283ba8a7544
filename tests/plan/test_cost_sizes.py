"""Estimates of time scale with the atoms of the box, by the law that the stage states."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ilmlip.plan.compile import compile_study, plan_of
from ilmlip.plan.cost import cost, task_seconds
from ilmlip.plan.graph import Plan, states
from ilmlip.plan.size import sizes
from ilmlip.spec.load import load, load_study
from ilmlip.stages.costs import LAWS
from ilmlip.store import Store, stage_of

LABELS = ("quickstart", "analysis=none", "compositions.training=[[0.4]]", "model.seeds=[1]")


def plan(*words: str) -> Plan:
    return compile_study([load([*LABELS, *words])])


def spent(made: Plan, store: Store) -> dict[str, float]:
    """Mean seconds of a task, by stage."""
    found = cost(made, states(made, store), store, {})
    return {name: one.seconds / one.tasks for name, one in found.stages.items()}


@pytest.mark.parametrize("engine", ["gfn1_xtb", "cp2k_pbe_d3", "qe_pbe_d3", "opls"])
def test_twice_the_box(engine: str, tmp_path: Path) -> None:
    small, large = (
        spent(plan(f"dft={engine}", f"compositions.pairs={n}"), Store(tmp_path)) for n in (20, 40)
    )
    name = {"opls": "opls", "gfn1_xtb": "xtb", "cp2k_pbe_d3": "cp2k", "qe_pbe_d3": "qe"}[engine]
    assert large["label"] / small["label"] == pytest.approx(2 ** LAWS[name].exponent, rel=1e-6)
    for stage in ("sample", "train"):  # linear, and what they take to start
        assert large[stage] / small[stage] == pytest.approx(2, rel=0.2)
    assert large["evaluate"] > small["evaluate"]


def test_a_label_of_the_papers_box_costs_what_its_atoms_say() -> None:
    """figure_2 labels 530 atoms by pw.x, and none of the boxes of 4,240."""
    made = plan_of(load_study(["figure_2"]))
    known = sizes(made)
    quantum = [t for t in made if t.stage in ("label", "series", "label_chosen")]
    assert {known[task.key].atoms for task in quantum} == {530.0}
    runs = {known[task.key].atoms for task in made if task.stage == "md"}
    assert runs == {530.0, 4240.0}
    seconds = task_seconds(made, quantum, Store(Path("nowhere")))
    (label,) = {round(seconds[t.key]) for t in quantum if t.stage == "label"}
    assert label > 20 * LAWS["qe"].of(104)
    # frames of runs that are labelled are of the small boxes alone: two runs, ten frames each
    checked = [t for t in quantum if t.stage == "label" and "md_frames" in t.needs["trajectory"][0]]
    assert len(checked) == 2 * 10 * len({t.about.get("seed") for t in made if t.stage == "md"})


def test_a_supercell_takes_its_copies() -> None:
    words = ("ensemble=npt", "dft=gfn1_xtb", "model.loss.stress=1", "lint.silence={}")
    one, eight = (
        spent(plan(*words, f"ensemble.supercell={cells}"), Store(Path("nowhere")))["md"]
        for cells in ("[1,1,1]", "[2,2,2]")
    )
    assert eight / one == pytest.approx(8, rel=0.1)


def test_times_of_small_boxes_teach_about_large_ones_by_the_law(tmp_path: Path) -> None:
    """Labels of small boxes took three times as long as stated: so will those of a larger box."""
    store = Store(tmp_path)
    store.prepare()
    small = plan("dft=gfn1_xtb", "compositions.pairs=5")
    known = sizes(small)
    for task in small:
        if task.stage in ("build", "equilibrate", "sample", "label"):
            effort = LAWS["xtb"].of(known[task.key].atoms)
            _result(store, task, 3 * effort if task.stage == "label" else 1.0)
    large = plan("dft=gfn1_xtb", "compositions.pairs=20")
    stated = spent(large, Store(tmp_path / "empty"))["label"]
    found = cost(large, states(large, store), store, {})
    assert found.stages["label"].learned > 0
    learned = found.stages["label"].seconds / found.stages["label"].tasks
    assert learned == pytest.approx(3 * stated, rel=1e-3)


def _result(store: Store, task, seconds: float) -> None:
    folder = store.root / "results" / stage_of(task.key) / task.key
    folder.mkdir(parents=True)
    manifest = {
        "key": task.key, "stage": task.stage, "version": task.version,
        "params": task.params.model_dump(mode="json"),
        "needs": {role: list(keys) for role, keys in task.needs.items()},
        "inputs": {}, "missing": {}, "files": {}, "values": {}, "digest": "", "seconds": seconds,
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def test_every_stage_says_its_law() -> None:
    made = plan_of(load_study(["figure_2"]))
    store = Store(Path("nowhere"))
    for name, one in cost(made, states(made, store), store, {}).stages.items():
        assert one.law, name
    laws = {n: c.law for n, c in cost(made, states(made, store), store, {}).stages.items()}
    assert laws["label"].startswith("qe: 52 s × (atoms / 8)^") and "measured" in laws["label"]
    assert "steps × atoms" in laws["md"] and "batch × atoms" in laws["train"]
