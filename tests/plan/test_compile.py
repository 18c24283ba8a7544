"""What a spec compiles into: which tasks, with which keys, and what a change costs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import counted
import pytest

from ilmlip.errors import SpecError
from ilmlip.hashing import plain
from ilmlip.plan.compile import compile_study, plan_of, study_key, swept_names
from ilmlip.plan.graph import Plan, states
from ilmlip.plan.task import Task
from ilmlip.spec.load import load, load_study
from ilmlip.stages.probe import Params
from ilmlip.store import Store

QUICK = ["quickstart"]


def plan(*words: str) -> Plan:
    return compile_study([load([*QUICK, *words])])


@pytest.fixture(scope="module")
def quick() -> Plan:
    return plan()


def new(changed: Plan, before: Plan) -> Counter[str]:
    """Tasks that `changed` has and `before` does not, by stage."""
    return Counter(task.stage for task in changed if task.key not in before.tasks)


def test_the_quickstart_holds_what_its_models_and_tests_need(quick: Plan) -> None:
    """Structures to train on exist for 0.4 and 0.6 alone, structures to test on for all six."""
    assert Counter(task.stage for task in quick) == {
        "forcefield": 1, "build": 8, "equilibrate": 8, "sample": 8, "label": 8 * 50,
        "dataset": 2 + 6, "train": 2 * 3, "fit_linear": 2, "evaluate": (2 * 3 + 2) * 6,
        "matrix": 1, "ion_energies": 1, "parity": 2, "findings": 1,
    }  # fmt: skip


def test_inputs_stand_before_what_needs_them(quick: Plan) -> None:
    seen: set[str] = set()
    for task in quick:
        assert set(task.inputs()) <= seen
        seen.add(task.key)


def test_no_test_frame_comes_from_a_training_trajectory(quick: Plan) -> None:
    tasks = quick.tasks

    def trajectories(role: str) -> set[str]:
        sets = [t for t in quick if t.stage == "dataset" and t.about["role"] == role]
        labels = [tasks[key] for data in sets for key in data.needs["labels"]]
        return {key for label in labels for key in label.needs["trajectory"]}

    assert trajectories("train") and trajectories("test")
    assert not trajectories("train") & trajectories("test")
    seeds = {t.key: t.params.seed for t in quick if t.stage == "build"}
    assert len(set(seeds.values())) == len(seeds)


def test_r_max_retrains_and_evaluates_only(quick: Plan) -> None:
    assert new(plan("model.r_max=6"), quick) == {
        "train": 6, "evaluate": 36, "matrix": 1, "ion_energies": 1, "parity": 2, "findings": 1,
    }  # fmt: skip


def test_ten_more_frames_label_ten_more_a_structure(quick: Plan) -> None:
    assert new(plan("dataset.frames=60"), quick) == {
        "label": 8 * 10, "dataset": 8, "train": 6, "fit_linear": 2, "evaluate": 48,
        "matrix": 1, "ion_energies": 1, "parity": 2, "findings": 1,
    }  # fmt: skip


def test_a_further_seed_trains_one_a_set(quick: Plan) -> None:
    assert new(plan("model.seeds=[1,2,3,4]"), quick) == {
        "train": 2, "evaluate": 12, "matrix": 1, "ion_energies": 1, "findings": 1,
    }  # fmt: skip


def test_a_further_composition_samples_that_one(quick: Plan) -> None:
    more = plan("compositions.training=[[0.4],[0.4,0.6],[0.0,1.0]]")
    assert new(more, quick)["sample"] == 2
    assert new(more, quick)["label"] == 100


def test_where_it_runs_is_in_no_key(quick: Plan) -> None:
    same = plan("cluster=debug", "store=elsewhere", "tracking=none", "cluster.pack_seconds=1")
    assert set(same.tasks) == set(quick.tasks)
    assert study_key([load([*QUICK, "cluster=debug", "store=x"])]) == study_key([load(QUICK)])


def test_a_cosmetic_edit_changes_no_key(quick: Plan, tmp_path: Path) -> None:
    import yaml

    data = load(QUICK).model_dump(mode="json")
    data["description"] = "the same in other words"
    data["system"]["salts"]["LiPF6"]["molar_volume_source"] = "elsewhere"
    data["system"]["ions"]["Li"]["source"] = "another edition"
    data = dict(reversed(data.items()))
    file = tmp_path / "same.yaml"
    file.write_text("# a comment\n" + yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    assert set(compile_study([load([str(file)])]).tasks) == set(quick.tasks)


def test_points_share_their_tasks() -> None:
    specs = [load([*QUICK, f"model.r_max={r}"]) for r in (4, 5, 6)]
    both = compile_study(specs)
    one = compile_study(specs[:1])
    assert len(both) - len(one) == 2 * (6 + 36 + 3 + 2)
    shared = [key for key, points in both.points().items() if points == [0, 1, 2]]
    assert {both.tasks[key].stage for key in shared} >= {"sample", "label", "dataset"}


def test_golden_keys() -> None:
    """The key scheme: if these change, every result that anyone has is lost. Raise SCHEME then."""
    first = Task("probe", 1, Params(name="a"))
    assert first.key == "probe-k1-75575aa812201d75ab0ed146"
    second = Task("probe", 1, Params(name="b", wait=0.5), {"inputs": (first.key,)})
    assert second.key == "probe-k1-0086d7e53f9775af3733e1c0"
    assert Task("probe", 2, Params(name="a")).key != first.key
    assert Task("probe", 1, Params(name="a"), about={"x": 1}, quorum={"y": 0.5}).key == first.key


def test_golden_quickstart() -> None:
    """Keys of real stages. If one changes, say in the commit which value did, and why."""
    found = plan()
    golden = {
        "forcefield": "forcefield-k1-5f31dfe0966a49f04936a532",
        "build": "build-k1-b18e11bb1b38c7af29abdfd9",
        "sample": "sample-k1-46e58f9d90c8be4e08a306b3",
        "label": "label-k1-5c2a2bbdf46fe581e50779ba",
        "train": "train-k1-53354483408dbbc08942a3b9",
        "fit_linear": "fit_linear-k1-1c370e3732e5881ddec742ed",
    }
    assert {n: next(t.key for t in found if t.stage == n) for n in golden} == golden


def test_another_engine_labels_the_same_configurations(quick: Plan) -> None:
    """No new dynamics, and no force field among a quantum label's inputs."""
    found = plan("dft=gfn1_xtb")
    assert set(new(found, quick)) == {
        "label", "dataset", "train", "fit_linear", "evaluate", "matrix", "ion_energies",
        "parity", "findings",
    }  # fmt: skip
    labels = [task for task in found if task.stage == "label"]
    assert len(labels) == 400
    assert {tuple(task.needs) for task in labels} == {("trajectory",)}
    assert plain(labels[0].params)["xtb"] == {
        "scf_accuracy": 0.1, "electronic_temperature": 300.0
    }  # fmt: skip


def test_labels_without_stress_are_other_labels(quick: Plan) -> None:
    assert new(plan("dft.stress=false"), quick)["label"] == 400
    assert not new(plan("dft.stress=true"), quick)


def test_states_of_an_empty_store(quick: Plan, tmp_path: Path) -> None:
    assert set(states(quick, Store(tmp_path)).values()) == {"todo"}


def test_a_plan_is_little_work(tmp_path: Path) -> None:
    """The whole process: what makes it answer in a second is what it does not do."""
    did = counted.command("plan", "quickstart", cwd=tmp_path)
    assert did.code == 0 and did.started == 0
    assert len(did.modules) < 900 and did.calls < 2_000_000
    assert 10 < len(did.read) < 60 and max(did.read.values()) <= 6


def test_a_committee_predicts_nothing_anew(quick: Plan) -> None:
    """Its members are the seeds there are; their evaluations are gathered."""
    found = plan("model.committee=3")
    assert new(found, quick) == {
        "committee": 12, "matrix": 1, "ion_energies": 1, "findings": 1
    }  # fmt: skip
    members = [task.needs["evaluations"] for task in found if task.stage == "committee"]
    assert all(len(keys) == 3 for keys in members)
    assert {key for keys in members for key in keys} <= quick.tasks.keys()


def test_members_that_validate_on_different_frames(quick: Plan) -> None:
    found = plan("model.committee=2", "model.committee_splits=true")
    assert new(found, quick)["dataset"] == 2 * 2  # the first seed keeps the split
    assert new(found, quick)["train"] == 2 * 2
    splits = {
        plain(task.params)["seed"]
        for task in found
        if task.stage == "dataset" and task.about["role"] == "train"
    }
    assert splits == {0, 1, 2}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.committee=4"], "is 4, and model.seeds has 3: give a seed for each member"),
        (["model.committee_splits=true"], "is true without a committee"),
    ],
)
def test_a_committee_without_members(words: list[str], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        plan(*words)


def test_trainings_are_told_of_a_card_and_keep_their_keys(quick: Plan) -> None:
    found = plan("cluster.device=cuda")
    assert not new(found, quick)
    told = {str(dict(task.how)) for task in found if task.stage == "train"}
    assert told == {"{'device': 'cuda'}"}
    assert {str(dict(task.how)) for task in quick if task.stage == "train"} == {"{}"}


def test_runs_are_told_what_was_swept() -> None:
    """Each training by its point's values; what several points share by none that they differ in."""
    words = ("model.r_max=3.5,4", "model.loss.stress=1,10", "sampling.temperature=350,400")
    study = load_study(["quickstart", *words], multirun=True)
    assert swept_names(study) == ["r_max", "loss_stress", "sampling_temperature"]
    plan = plan_of(study)
    names = [
        tuple(task.about.get(name) for name in ("training", "kind", "seed", *swept_names(study)))
        for task in plan
        if task.stage == "train"
    ]
    assert len(set(names)) == len(names) and None not in {one[-1] for one in names}
    linear = [task.about for task in plan if task.stage == "fit_linear"]
    assert {about["sampling_temperature"] for about in linear} == {350, 400}
    samples = [task for task in plan if task.stage == "sample"]
    assert {task.about["sampling_temperature"] for task in samples} == {350, 400}
    assert not any("r_max" in task.about for task in samples)
