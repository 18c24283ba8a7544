"""Learning on the fly in the plan: every round is there, and what is shared is there once."""

from collections import Counter

import pytest

from ilmlip.errors import SpecError
from ilmlip.export.study import refuse_series
from ilmlip.plan.compile import compile_study, plan_of
from ilmlip.spec.load import load, load_study


def plan(*words: str):
    study = load_study(["active", "sweep=null", "dataset.active.choose=spread", *words])
    return plan_of(study)


def count(made) -> Counter:
    return Counter(task.stage for task in made)


def test_every_round_trains_the_committee_on_all_frames_so_far() -> None:
    made = plan("dataset.active.rounds=2", "dataset.active.check=0")
    stages = count(made)
    assert stages["train"] == 3 * 3  # seeds, and rounds with the first training
    assert stages["explore"] == stages["choose"] == 2
    assert stages["label_chosen"] == 2 * 8
    sets = [task for task in made if task.stage == "dataset" and task.about["role"] == "train"]
    assert [len(task.needs.get("chosen", ())) for task in sets] == [0, 8, 16]
    last = [task for task in made if task.stage == "train"][-3:]
    assert {task.needs["dataset"] for task in last} == {(sets[-1].key,)}
    assert all(made.tasks[task.needs["earlier"][0]].stage == "train" for task in last)
    # what is evaluated, and leaves, are the models of the last round
    (matrix,) = (task for task in made if task.stage == "matrix")
    tested = {made.tasks[key].needs["model"][0] for key in matrix.needs["evaluations"]}
    assert tested == {task.key for task in last}


def test_frames_to_check_are_labelled_in_every_round_and_trained_on_in_none() -> None:
    made = plan("dataset.active.rounds=2", "dataset.active.check=5")
    stages = count(made)
    assert stages["explore"] == 3 and stages["label_chosen"] == 2 * 8 + 3 * 5
    sets = [task for task in made if task.stage == "dataset"]
    trained = {key for task in sets for key in task.needs.get("chosen", ())}
    checked = {task.key for task in made if task.stage == "label_chosen"} - trained
    assert len(trained) == 16 and len(checked) == 15
    assert {made.tasks[key].params.of for key in checked} == {"checked"}


def test_ways_of_choosing_share_the_first_round() -> None:
    made = plan_of(load_study(["active", "dataset.active.rounds=1", "dataset.active.check=3"]))
    stages = count(made)
    assert stages["train"] == 3 + 2 * 3
    assert stages["explore"] == 1 + 2 and stages["choose"] == 2 + 2
    assert {"active_all", "active_all_page", "active_all_figure"} <= made.outputs[0].keys()
    assert "active_all" not in made.outputs[1]


def test_without_it_nothing_changes() -> None:
    before = compile_study([load(["quickstart"])])
    after = compile_study([load(["quickstart", "dataset.active=null"])])
    assert before.tasks.keys() == after.tasks.keys()


def test_scans_of_an_earlier_models_run() -> None:
    words = ["system=fomim_c4f9co2", "compositions=fomim_c4f9co2", "sampling=npt"]
    made = compile_study([load([*words, "dataset=opls_md_vs", "dft=gfn1_xtb"])])
    scans = [task for task in made if task.stage == "label_chosen"]
    assert len(scans) == 4 and all(task.params.scan.points == 10 for task in scans)
    assert count(made)["explore"] == 1


def test_a_crystal_can_be_learnt_on_the_fly() -> None:
    words = ["system=lpscl", "compositions=table_s9", "dft=gfn1_xtb", "dataset=active"]
    made = compile_study([load(words)])
    explored = [task for task in made if task.stage == "explore"]
    assert explored
    assert {made.tasks[task.needs["structure"][0]].stage for task in explored} == {"crystal"}


@pytest.mark.parametrize(
    ("words", "place", "said"),
    [
        (["model.seeds=[1]"], "dataset.active", "needs 2 models"),
        (["dataset.active.run.kind=npt"], "dataset.active.run.barostat_time", "is missing for npt"),
        (["dataset.active.run.pressure=1"], "dataset.active.run.pressure", "has no meaning"),
        (["dataset.active.frames=190"], "dataset.active.frames", "a run that has 100"),
        (["dataset.active.interval=0.7"], "dataset.active.interval", "whole number"),
        (
            ["dataset.active.highest=100", "dataset.active.stop=200"],
            "dataset.active.highest",
            "is not above",
        ),
        (["dataset.active.rounds=0"], "dataset.active.rounds", "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(words, place, said) -> None:
    with pytest.raises(SpecError, match=said) as caught:
        plan(*words)
    assert place in str(caught.value)


def test_one_model_chooses_at_random() -> None:
    assert plan("model.seeds=[1]", "dataset.active.choose=random")


def test_it_is_not_exported() -> None:
    with pytest.raises(SpecError, match="learns on the fly"):
        refuse_series(plan())
