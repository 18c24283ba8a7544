"""From ions to data sets: engines, retries, temperatures and derived series in the plan."""

from __future__ import annotations

from collections import Counter

import pytest

from ilmlip.errors import SpecError
from ilmlip.plan.compile import compile_study
from ilmlip.plan.frames import engine_params
from ilmlip.plan.graph import Plan
from ilmlip.spec.derived import spread
from ilmlip.spec.load import load, load_study

BASE = ["quickstart", "model.seeds=[0]", "model.linear=false", "analysis=none"]


def plan(*words: str) -> Plan:
    return compile_study([load([*BASE, *words])])


def keys(found: Plan, stage: str) -> set[str]:
    return {task.key for task in found if task.stage == stage}


def test_settings_change_keys_and_retries_do_not() -> None:
    usual = plan("dft=qe_pbe_d3")
    rung = plan("dft=qe_pbe_d3", "dft.retries=[{mixing: 0.05, max_steps: 999}]")
    assert keys(usual, "label") == keys(rung, "label")
    task = next(task for task in rung if task.stage == "label")
    assert task.how == {"retries": [{"mixing": 0.05, "max_steps": 999}]}
    other = plan("dft=qe_pbe_d3", "dft.qe.ecutwfc=60")
    assert not keys(usual, "label") & keys(other, "label")
    assert keys(usual, "sample") == keys(other, "sample")


def test_only_the_pseudopotentials_of_a_composition_are_part_of_its_labels() -> None:
    dft = load([*BASE, "dft=qe_pbe_d3"]).dft
    params = engine_params(dft, ("Li", "P", "F"))
    assert set(params["qe"]["pseudopotentials"]) == {"Li", "P", "F"}
    assert dft.qe is not None and len(dft.qe.pseudopotentials) > 8
    more = dft.qe.model_copy(
        update={"pseudopotentials": {**dft.qe.pseudopotentials, "Xe": dft.qe.pseudopotentials["H"]}}
    )
    assert engine_params(dft.model_copy(update={"qe": more}), ("Li", "P", "F")) == params


def test_an_element_added_to_the_family_changes_no_key() -> None:
    xenon = "{file: Xe.upf, md5: 00000000000000000000000000000000}"
    more = plan("dft=qe_pbe_d3", f"+dft.qe.pseudopotentials.Xe={xenon}")
    assert set(more.tasks) == set(plan("dft=qe_pbe_d3").tasks)
    other = plan("dft=qe_pbe_d3", "dft.qe.pseudopotentials.H.md5=" + 32 * "0")
    labels = {stage: keys(other, stage) & keys(more, stage) for stage in ("sample", "label")}
    assert labels["sample"] == keys(more, "sample")
    apart = {
        t.about["composition"] for t in other if t.key in keys(other, "label") - labels["label"]
    }
    assert apart == {"0.0", "0.2", "0.4", "0.6", "0.8"}  # 1.0 is Li[PF6] alone, without hydrogen


def test_retries_and_resources_change_no_key() -> None:
    usual = plan("dft=qe_pbe_d3")
    for words in (
        ["dft.retries=[]"],
        ["dft.retries=[{mixing: 0.2}]"],
        ["cluster.cores=1", "+cluster.stages.label={cores: 4, memory_gb: 8}"],
    ):
        assert set(plan("dft=qe_pbe_d3", *words).tasks) == set(usual.tasks), words


def test_each_temperature_has_its_own_structures_and_frames() -> None:
    npt = ("sampling.ensemble=npt", "sampling.pressure=1.0", "sampling.tail=true")
    one = plan(*npt)
    three = plan(*npt, "sampling.temperatures=[300,450,600]")
    count = {name: Counter(t.stage for t in p) for name, p in (("one", one), ("three", three))}
    for stage in ("build", "equilibrate", "sample", "label"):
        assert count["three"][stage] == 3 * count["one"][stage]
    assert count["three"]["train"] == count["one"]["train"]
    seen = {task.about["T"] for task in three if task.stage == "sample"}
    assert seen == {300.0, 450.0, 600.0}
    assert keys(plan(), "build") == keys(one, "build")  # the structures of one temperature stay


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (["sampling.ensemble=npt"], "sampling.pressure"),
        (["sampling.pressure=1.0"], "sampling.pressure"),
        (["sampling.temperatures=[300,300]"], "sampling.temperatures"),
    ],
)
def test_conditions_that_do_not_fit(words: list[str], where: str) -> None:
    with pytest.raises(SpecError) as raised:
        plan(*words)
    found = raised.value.where.rpartition(": ")[2].split("=")[0]
    assert where.startswith(found)


def test_steps_that_are_taken_share_their_series() -> None:
    aimd = "{kind: aimd, aimd: {steps: 50}, take: [%d]}"
    plans = {n: plan(f"dataset.derived=[{aimd % n}]") for n in (10, 20, 50)}
    assert keys(plans[10], "series") == keys(plans[20], "series") == keys(plans[50], "series")
    assert len({frozenset(keys(p, "dataset")) for p in plans.values()}) == 3
    assert not keys(plans[10], "label")  # the frames themselves are no part of such a set
    both = plan(f"dataset.derived=[{{kind: frames}},{aimd % 50}]")
    assert keys(both, "series") == keys(plans[50], "series")
    assert keys(both, "label") == keys(plan(), "label")
    task = next(task for task in both if task.stage == "series")
    assert task.params.temperature == 300.0


def test_a_sweep_over_the_papers_data_sets_runs_each_series_once() -> None:
    """dataset=aimd10,aimd20,aimd50 is one plan, and opls_vs scans what aimd50_vs does."""
    small = ("dataset.frames=5", "dataset.every=1")
    chosen = {
        name: load([*BASE, f"dataset={name}", *small])
        for stem in ("aimd10", "aimd20", "aimd50", "rel2", "opls")
        for name in (stem, f"{stem}_vs")
    }
    alone = {name: compile_study([spec]) for name, spec in chosen.items()}
    aimd = [name for name in chosen if name.startswith("aimd") and not name.endswith("_vs")]
    swept = compile_study([chosen[name] for name in aimd])
    assert all(keys(alone[name], "series") == keys(swept, "series") for name in aimd)
    assert len({frozenset(keys(alone[name], "dataset")) for name in aimd}) == 3
    assert keys(alone["opls_vs"], "series") <= keys(alone["aimd50_vs"], "series")
    assert not keys(swept, "series") & keys(alone["rel2"], "series")


def test_of_some_frames() -> None:
    assert spread(10, None) == spread(10, 20) == list(range(10))
    assert spread(10, 2) == [2, 7] and spread(9, 3) == [1, 4, 7] and spread(5, 1) == [2]


def test_energies_of_single_atoms() -> None:
    usual = plan("dft=gfn1_xtb")
    isolated = plan("dft=gfn1_xtb", "dft.e0=isolated")
    elements = {task.about["element"] for task in isolated if task.stage == "atom"}
    assert elements == {"C", "F", "H", "Li", "N", "P"}
    assert keys(usual, "label") == keys(isolated, "label")
    (train, *_) = (task for task in isolated if task.stage == "train")
    assert set(train.needs["atoms"]) == keys(isolated, "atom")
    assert train.params.training.shifts == "isolated" and not train.params.training.refit_shifts
    assert keys(plan("dft=gfn1_xtb", "dft.e0=regression"), "train") == keys(usual, "train")
    none = plan("dft=gfn1_xtb", "dft.e0=none", "compositions.training=[[0.4]]")
    assert {t.params.training.shifts for t in none if t.stage == "train"} == {"zero"}


def test_a_force_field_has_no_single_atoms() -> None:
    with pytest.raises(SpecError, match=r"dft\.e0"):
        plan("dft=opls", "dft.e0=isolated")


def test_a_study_without_models_ends_with_its_data_sets() -> None:
    found = plan("model.seeds=[]")
    (outputs,) = found.outputs
    assert set(outputs) == {
        f"dataset{part}_{name}"
        for name in ("0.4", "0.4+0.6")
        for part in ("", "_report", "_page", "_figure")
    }
    assert not keys(found, "train") | keys(found, "evaluate") | keys(found, "matrix")
    study = load_study(["labels_smoke"], multirun=False, allow=())
    assert {"series_aimd", "dataset", "dataset_report"} <= set(
        compile_study(study.specs).outputs[0]
    )


def test_a_data_set_knows_which_frame_everything_comes_from() -> None:
    found = compile_study(load_study(["labels_smoke", "dataset.frames=2"]).specs)
    (train,) = [task for task in found if task.stage == "dataset"]
    assert train.params.origins["labels"] == (0, 1)
    for kind in ("aimd", "relax", "volume_scan", "rattle"):
        origins = train.params.origins[kind]
        assert len(origins) == len(train.needs[kind]) and set(origins) <= {0, 1}
    alone = compile_study(load_study(["labels_smoke", "dataset=opls"]).specs)
    assert all(not task.params.origins for task in alone if task.stage == "dataset")
